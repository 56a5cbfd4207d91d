"""Blobs as files below one folder."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from launchyard.ports.blobs import BlobError

_NAME: Final = re.compile(r"[a-z0-9/._-]+")
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_HALF: Final = ".half-"
"""How the name of a file that is still being written begins; no blob's name may."""


class FolderBlobs:
    """A `Blobs` in a folder: a blob appears whole, under its name, or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, file: BinaryIO) -> int:
        path = self._path(name)
        half = path.with_name(f"{_HALF}{secrets.token_hex(8)}")
        try:
            try:
                size = _write_below(half, file)
                half.replace(path)
            finally:
                half.unlink(missing_ok=True)
            _sync_folder(path.parent)
        except OSError as e:
            text = f"cannot store {name!r} in {self._folder}: {e.strerror or e}"
            raise BlobError(text, full=e.errno in _FULL) from e
        return size

    def open(self, name: str) -> BinaryIO:
        path = self._path(name)
        try:
            return path.open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as e:
            raise BlobError(f"there is no {name!r} in {self._folder}", missing=True) from e
        except OSError as e:
            raise BlobError(f"cannot read {name!r} in {self._folder}: {e.strerror or e}") from e

    def delete(self, name: str) -> None:
        path = self._path(name)
        try:
            path.unlink()
            self._prune(path.parent)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return
        except OSError as e:
            raise BlobError(f"cannot delete {name!r} in {self._folder}: {e.strerror or e}") from e

    def names(self, prefix: str) -> list[str]:
        try:
            found = [
                str((Path(folder) / name).relative_to(self._folder))
                for folder, _, files in os.walk(self._folder, onerror=_refuse)
                for name in files
                if not name.startswith(_HALF)
            ]
        except FileNotFoundError:
            return []
        except OSError as e:
            raise BlobError(f"cannot list {self._folder}: {e.strerror or e}") from e
        return sorted(name for name in found if name.startswith(prefix))

    def _prune(self, folder: Path) -> None:
        """Remove folders that are empty now."""
        with suppress(OSError):
            while folder != self._folder:
                folder.rmdir()
                folder = folder.parent

    def _path(self, name: str) -> Path:
        """Return where *name* is, if it is a name that cannot lead out of the folder."""
        parts = name.split("/")
        odd = any(part in {"", ".", ".."} or part.startswith(_HALF) for part in parts)
        if odd or not _NAME.fullmatch(name):
            raise BlobError(f"{name!r} is not a blob's name: a-z, 0-9, and / . _ - in between")
        return self._folder / name


def _write_below(path: Path, file: BinaryIO) -> int:
    """Write all of *file*; make the folder, once more if a delete removed it as empty."""
    for last in (False, True):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            return _write(path, file)
        except FileNotFoundError:
            if last:
                raise
    raise AssertionError


def _write(path: Path, file: BinaryIO) -> int:
    """Write all of *file*, down to the disk; return its size."""
    with path.open("xb") as out:
        shutil.copyfileobj(file, out)
        out.flush()
        os.fsync(out.fileno())
        return out.tell()


def _sync_folder(folder: Path) -> None:
    """Make the new name durable, too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse(error: OSError) -> None:
    raise error
