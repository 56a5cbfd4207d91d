"""Making code archives of folders, and judging and unpacking those that others made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Protocol

from launchyard.domain.archive import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What an archive is and holds; `size_b` is its own size, `unpacked_b` that of its files."""

    sha256: str
    size_b: int
    files: int
    unpacked_b: int


class ArchiveTrouble(StrEnum):
    """What is wrong: a rule is broken, bytes are damaged, it is too big, or a file unreadable."""

    REFUSED = "refused"
    CORRUPT = "corrupt"
    TOO_BIG = "too_big"
    UNREADABLE = "unreadable"
    DISK_FULL = "disk_full"


class ArchiveError(Exception):
    """An archive was not made or not taken; the message names the place and the remedy."""

    def __init__(self, message: str, *, trouble: ArchiveTrouble, retry: bool = False) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.retry = retry


class Archives(Protocol):
    """Packs, judges and unpacks code archives.

    Promises:

    * `pack` of equal trees gives equal bytes, wherever and whenever, by the same release.
    * What `pack` makes, `inspect` and `unpack` accept under the same limits.
    * `inspect` and `unpack` read the stream once, in bounded memory, and write no member that
      breaks a rule of `launchyard.domain.archive`. After an error nothing is left behind.
    * No exception but `ArchiveError` leaves, except for an `OSError` of the stream's own reads.
    """

    def pack(self, folder: str, into: str, limits: Limits) -> Contents:
        """Write an archive of *folder*, less what it ignores, to the file *into*."""
        ...

    def inspect(self, file: BinaryIO, limits: Limits) -> Contents:
        """Read all of *file* and judge it as `unpack` would, writing nothing."""
        ...

    def unpack(self, file: BinaryIO, into: str, sha256: str, limits: Limits) -> Contents:
        """Write the members of *file* into the empty folder *into*; *sha256* is its digest."""
        ...
