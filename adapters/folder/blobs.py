"""The blob port on a folder: enough for one server."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from launchyard.ports.blobs import BlobError

_NAME: Final = re.compile(r"[a-z0-9_-][a-z0-9._-]*(/[a-z0-9_-][a-z0-9._-]*)*")
_NEW: Final = ".new-"
"""Begins the names of files under way, which no blob's name can."""


class FolderBlobs:
    """`Blobs` as files below *root*, which is made, readable by its owner alone."""

    def __init__(self, root: Path) -> None:
        self._root = root
        with _told("made"):
            root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, name: str, file: BinaryIO) -> int:
        path = self._path(name)
        with _told("kept"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, under_way = tempfile.mkstemp(prefix=_NEW, dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as into:
                    shutil.copyfileobj(file, into, 1024 * 1024)
                    into.flush()
                    os.fsync(into.fileno())
                    size = into.tell()
                Path(under_way).replace(path)
            except BaseException:
                Path(under_way).unlink(missing_ok=True)
                raise
            _sync(path.parent)
        return size

    def open(self, name: str) -> BinaryIO:
        with _told("opened"):
            return self._path(name).open("rb")

    def delete(self, name: str) -> None:
        with _told("deleted"):
            self._path(name).unlink(missing_ok=True)

    def names(self, prefix: str) -> list[str]:
        with _told("listed"):
            found = (
                str(path.relative_to(self._root))
                for path in self._root.rglob("*")
                if _is_blob(path)
            )
            return sorted(name for name in found if name.startswith(prefix))

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise BlobError(f"{name!r} is no name of a blob")
        return self._root / name


def _is_blob(path: Path) -> bool:
    return not path.name.startswith(_NEW) and path.is_file()


def _sync(folder: Path) -> None:
    """Make a new name in *folder* survive a power loss."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn the system's errors into the port's."""
    try:
        yield
    except FileNotFoundError as error:
        raise BlobError(f"it cannot be {what}: it is not there", missing=True) from error
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        reason = "the disk is full" if full else error.strerror
        raise BlobError(f"it cannot be {what}: {reason}") from error
