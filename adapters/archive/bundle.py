"""One file with many in it, whose last one says what belongs into it: a cut-off one is noticed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from launchyard.domain.documents import Json

_LIST: Final = "contents.json"
_NAME: Final = re.compile(r"[a-z0-9._-]+(/[a-z0-9._-]+)*")
_PIECE_B: Final = 1024 * 1024


class BundleError(Exception):
    """The file is damaged, or none of ours."""


@dataclass
class BundleWriter:
    """Writes a bundle, readable by its owner alone; it is there under its name at `finish`."""

    path: Path
    _files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._half = self.path.with_name(f".{self.path.name}.half-{os.getpid()}")
        opened = os.open(self._half, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._raw = os.fdopen(opened, "wb")
        self._tar = tarfile.open(fileobj=self._raw, mode="w:gz", compresslevel=1)  # noqa: SIM115

    def add(self, name: str, file: IO[bytes]) -> None:
        """Add all of *file* from where it stands."""
        start = file.tell()
        info = tarfile.TarInfo(name)
        info.size, info.mode = file.seek(0, os.SEEK_END) - start, 0o600
        file.seek(start)
        reading = _Counted(file)
        self._tar.addfile(info, reading)
        self._files[name] = reading.sha256.hexdigest()

    def finish(self, about: Json) -> int:
        """Write the list of contents with *about* in it; return the file's size in bytes."""
        text = json.dumps({"about": about, "files": self._files}).encode()
        info = tarfile.TarInfo(_LIST)
        info.size, info.mode = len(text), 0o600
        self._tar.addfile(info, io.BytesIO(text))
        self._tar.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        size = self._raw.tell()
        self._raw.close()
        self._half.replace(self.path)
        return size

    def drop(self) -> None:
        """Leave nothing behind, if it was not finished."""
        if not self._raw.closed:
            self._raw.close()
            self._half.unlink(missing_ok=True)


class _Counted:
    """A file whose bytes are counted into a digest as they are read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        data = self._file.read(size)
        self.sha256.update(data)
        return data


def unpack_bundle(path: Path, into: Path) -> Json:
    """Unpack a bundle below the folder *into*; return what it says about itself.

    Raises:
        BundleError: it is damaged, cut off, or no bundle; what is in *into* is of no use then.
        OSError: it cannot be read, or *into* cannot be written.
    """
    found: dict[str, str] = {}
    try:
        with tarfile.open(path, "r:gz") as tar:
            for member in tar:
                if member.name == _LIST:
                    return _checked(tar, member, found)
                found[member.name] = _one(tar, member, into)
    except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
        raise BundleError(f"{path} is damaged or no backup ({error})") from error
    except OSError as error:
        if error.errno is None:  # gzip's own
            raise BundleError(f"{path} is damaged or no backup ({error})") from error
        raise
    raise BundleError(f"{path} is damaged: its end is missing")


def _one(tar: tarfile.TarFile, member: tarfile.TarInfo, into: Path) -> str:
    """Unpack one file; return its digest."""
    parts = member.name.split("/")
    source = tar.extractfile(member) if member.isreg() else None
    if source is None or not _NAME.fullmatch(member.name) or {".", ".."} & set(parts):
        raise BundleError(f"it has {member.name!r}, which belongs into no backup")
    place, digest = into / member.name, hashlib.sha256()
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (
        source,
        os.fdopen(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out,
    ):
        while piece := source.read(_PIECE_B):
            digest.update(piece)
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _checked(tar: tarfile.TarFile, member: tarfile.TarInfo, found: dict[str, str]) -> Json:
    source = tar.extractfile(member)
    document = json.loads(source.read()) if source else None
    if not isinstance(document, dict) or document.get("files") != found:
        raise BundleError("it is damaged: its files are not those that were put into it")
    about: Json = document.get("about")
    return about
