"""Reading a gzipped tar of a stranger: one pass, bounded memory, nothing trusted."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, Final, cast

from launchyard.domain.archive import Kind, Limits, Member, Problem, Rule, check_flow
from launchyard.ports.archive import ArchiveError, ArchiveTrouble

_CHUNK_B: Final = 64 * 1024
_BLOCK_B: Final = 512
# The tar module reads a header's extensions whole, so this bounds its memory.
_HEADROOM_B: Final = 1024 * 1024


def refuse(problem: Problem) -> ArchiveError:
    """Return the error for a broken rule."""
    big = problem.rule in {Rule.COUNT, Rule.SIZE, Rule.RATIO}
    trouble = ArchiveTrouble.TOO_BIG if big else ArchiveTrouble.REFUSED
    return ArchiveError(f"code archive refused: {problem.message}", trouble=trouble)


def damaged(detail: str) -> ArchiveError:
    """Return the error for bytes that are no whole gzipped tar."""
    text = f"the code archive is damaged or no gzipped tar: {detail}"
    return ArchiveError(text, trouble=ArchiveTrouble.CORRUPT)


class _Raw:
    """Counts and digests the packed bytes on their way."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size_b = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size if size >= 0 else _CHUNK_B)
        self._hash.update(data)
        self.size_b += len(data)
        return data

    def digest(self) -> str:
        return self._hash.hexdigest()


class ArchiveStream:
    """The members of one archive, in order; the tar module gets its headers from here.

    It moves forward only. Header bytes between two members are bounded; `copy` hands out the
    content of the member that `members` gave last.
    """

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._raw = _Raw(file)
        self._zip = gzip.GzipFile(fileobj=cast("IO[bytes]", self._raw), mode="rb")
        self._limits = limits
        self._at = 0
        self._headroom_b = _HEADROOM_B
        self._last = b""

    @property
    def packed_b(self) -> int:
        """How many packed bytes were read so far."""
        return self._raw.size_b

    def read(self, size: int) -> bytes:
        """Give header bytes to the tar module, within the headroom."""
        self._headroom_b -= size
        if size < 0 or self._headroom_b < 0:
            raise damaged("a member's header is too long")
        self._last = self._pull(size)
        return self._last

    def seek(self, position: int) -> None:
        """Skip to *position*; only padding is skipped, as `copy` takes the content."""
        if position < self._at:
            raise damaged("its headers point backwards")
        self.read(position - self._at)

    def tell(self) -> int:
        """Return how many unpacked bytes were taken so far."""
        return self._at

    def members(self) -> Iterator[tarfile.TarInfo]:
        """Give every member's header; raise when the archive does not end as tars end."""
        with _tar_errors():
            tar = tarfile.TarFile(fileobj=cast("IO[bytes]", self), errors="surrogateescape")
            info = tar.next()
        while info is not None:
            self._headroom_b = _HEADROOM_B
            yield info
            # It keeps every header for seeking; large ones would fill the memory.
            tar.members.clear()  # type: ignore[attr-defined]
            with _tar_errors():
                info = tar.next()
        self._check_end()

    def copy(self, size_b: int, write: Callable[[bytes], object]) -> None:
        """Hand the next *size_b* bytes to *write*, piece by piece."""
        left = size_b
        while left:
            data = self._pull(min(left, _CHUNK_B))
            if not data:
                raise damaged("it ends in the middle of a file")
            write(data)
            left -= len(data)

    def finish(self) -> str:
        """Read what is left of the packed bytes and return the sha256 of them all."""
        while self._raw.read(_CHUNK_B):
            self._check_flow()
        return self._raw.digest()

    def _check_end(self) -> None:
        if len(self._last) != _BLOCK_B or any(self._last):
            raise damaged("a header is broken or the end is missing")
        left = _HEADROOM_B
        while data := self._pull(_CHUNK_B):
            left -= len(data)
            if left < 0 or any(data):
                raise damaged("something follows its end")

    def _pull(self, size: int) -> bytes:
        try:
            data = self._zip.read(size)
        except (gzip.BadGzipFile, zlib.error, EOFError) as e:
            raise damaged(str(e)) from e
        self._at += len(data)
        self._check_flow()
        return data

    def _check_flow(self) -> None:
        if problem := check_flow(self._at, self._raw.size_b, self._limits):
            raise refuse(problem)


def member_of(info: tarfile.TarInfo) -> Member:
    """Return what the domain has to know about a tar header."""
    kind = _kind_of(info)
    return Member(
        name=info.name,
        kind=kind,
        size_b=info.size if kind is Kind.FILE else 0,
        mode=info.mode,
        target=info.linkname if kind in {Kind.SYMLINK, Kind.HARDLINK} else "",
    )


def _kind_of(info: tarfile.TarInfo) -> Kind:
    if info.isreg() and not info.issparse():
        return Kind.FILE
    if info.isdir():
        return Kind.FOLDER
    if info.issym():
        return Kind.SYMLINK
    return Kind.HARDLINK if info.islnk() else Kind.OTHER


@contextmanager
def _tar_errors() -> Iterator[None]:
    """Turn what the tar module raises on made-up headers into the port's error."""
    try:
        yield
    except (tarfile.TarError, ValueError, OverflowError, RecursionError, IndexError) as e:
        raise damaged(str(e)) from e
