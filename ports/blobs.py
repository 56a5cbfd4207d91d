"""The blob port: named bytes that are too big for a row."""

from __future__ import annotations

from typing import BinaryIO, Protocol


class BlobError(Exception):
    """The bytes could not be kept or found; `missing` tells the two apart, `full` why not kept."""

    def __init__(self, message: str, *, missing: bool = False, full: bool = False) -> None:
        super().__init__(message)
        self.missing = missing
        self.full = full


class Blobs(Protocol):
    """Keeps bytes under names.

    Promises: a name is `[a-z0-9/._-]+` without `..`; after `put` returns the whole is there, and
    before it nothing is; putting the same name again replaces it; no exception but `BlobError`.
    """

    def put(self, name: str, file: BinaryIO) -> int:
        """Store all of *file* as *name*; return its size in bytes."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Open *name* for reading."""
        ...

    def delete(self, name: str) -> None:
        """Forget *name*, if it is there."""
        ...

    def names(self, prefix: str) -> list[str]:
        """Return the names that begin with *prefix*, sorted."""
        ...
