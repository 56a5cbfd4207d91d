"""Judging a code archive member by member, and writing those that pass."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from launchyard.adapters.archive.stream import ArchiveStream, member_of, refuse
from launchyard.domain.archive import Kind, Limits, Seen, check_member, clean_name
from launchyard.ports.archive import ArchiveError, ArchiveTrouble, Contents

_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_OWNER_RUNS: Final = 0o100


def inspect(file: BinaryIO, limits: Limits) -> Contents:
    """Read all of *file* and judge every member, writing nothing."""
    return _read(ArchiveStream(file, limits), _Nowhere(), limits)


def unpack(file: BinaryIO, into: str, sha256: str, limits: Limits) -> Contents:
    """Write the members of *file* into the empty folder *into*.

    The digest is known at the end only, so a wrong one empties *into* again; it is also what is
    reported when the bytes make no sense, because then the transfer is to blame.
    """
    stream = ArchiveStream(file, limits)
    with emptied_on_error(into):
        try:
            contents = _read(stream, _Folder(into), limits)
        except ArchiveError as e:
            if e.trouble is ArchiveTrouble.CORRUPT:
                _check_digest(stream.finish(), sha256, stream)
            raise
        _check_digest(contents.sha256, sha256, stream)
    return contents


@contextmanager
def emptied_on_error(folder: str) -> Iterator[None]:
    """Leave *folder* empty when the block raises, whatever it raises."""
    try:
        yield
    except BaseException:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    Path(entry.path).unlink(missing_ok=True)
        raise


class _Sink(Protocol):
    """Where accepted members go."""

    def take(self, info: tarfile.TarInfo, kind: Kind, stream: ArchiveStream) -> None: ...


class _Nowhere:
    """Reads contents, so that their flow is judged, and drops them."""

    def take(self, info: tarfile.TarInfo, kind: Kind, stream: ArchiveStream) -> None:
        if kind is Kind.FILE:
            stream.copy(info.size, len)


class _Folder:
    """Creates members in a folder, which nobody else writes; no existing path is opened."""

    def __init__(self, root: str) -> None:
        self._root = root

    def take(self, info: tarfile.TarInfo, kind: Kind, stream: ArchiveStream) -> None:
        path = self._place(info.name)
        with _disk_errors(info.name):
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            match kind:
                case Kind.FOLDER:
                    path.mkdir(mode=0o755, exist_ok=True)
                case Kind.SYMLINK:
                    path.symlink_to(info.linkname)
                case Kind.HARDLINK:
                    path.hardlink_to(self._place(info.linkname))
        if kind is Kind.FILE:
            with closing(_NewFile(path, info)) as out:
                stream.copy(info.size, out.write)

    def _place(self, name: str) -> Path:
        return Path(self._root, clean_name(name))


class _NewFile:
    """A file that was not there before; its errors are told from those of the stream."""

    def __init__(self, path: Path, info: tarfile.TarInfo) -> None:
        self._name = info.name
        mode = 0o755 if info.mode & _OWNER_RUNS else 0o644
        with _disk_errors(self._name):
            self._file = os.fdopen(os.open(path, _NEW_FILE, mode), "wb")

    def write(self, data: bytes) -> None:
        with _disk_errors(self._name):
            self._file.write(data)

    def close(self) -> None:
        with _disk_errors(self._name):
            self._file.close()


@contextmanager
def _disk_errors(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        text = f"{name!r} of the code archive could not be written: {e.strerror}"
        raise ArchiveError(text, trouble=ArchiveTrouble.DISK_FULL, retry=True) from e


def _read(stream: ArchiveStream, sink: _Sink, limits: Limits) -> Contents:
    seen, files = Seen(), 0
    for info in stream.members():
        member = member_of(info)
        if problem := check_member(member, seen, limits):
            raise refuse(problem)
        sink.take(info, member.kind, stream)
        files += member.kind is not Kind.FOLDER
    digest = stream.finish()
    return Contents(sha256=digest, size_b=stream.packed_b, files=files, unpacked_b=seen.total_b)


def _check_digest(found: str, wanted: str, stream: ArchiveStream) -> None:
    if found != wanted.lower():
        text = f"the code archive did not arrive whole: expected sha256 {wanted}, got {found}"
        text = f"{text} ({stream.packed_b} bytes)"
        raise ArchiveError(text, trouble=ArchiveTrouble.CORRUPT, retry=True)
