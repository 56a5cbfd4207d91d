"""Taking away environments that nobody has used for a time, and what builds left behind.

Used means: there is a note in the journal of an attempt with it, or a process that has its path
among its variables or words. Its builder notes the last use as the time of its mark.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from launchyard.adapters.local.venv.builder import COMPLETE

_GONE: Final = ".gone"
_LEFT_S: Final = 86400.0
"""How long what no build has declared complete stays: nothing builds for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldVenv:
    """An environment that may go."""

    folder: Path
    size_b: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VenvSweep:
    """Looks through the environments below *root*, which is `venvs` in a builder's folder.

    *keep_s* is how long one stays after its last use; *used* are texts that name those in use.
    """

    root: Path
    keep_s: float
    now_s: float
    used: Collection[str] = ()

    def old(self) -> list[OldVenv]:
        """Return what may go now."""
        used = [*self.used, *_words_of_processes(str(self.root))]
        return [
            OldVenv(folder=one, size_b=_size(one))
            for one in self._folders()
            if self._is_old(one) and not any(_names(text, one.name) for text in used)
        ]

    def take(self, old: OldVenv) -> bool:
        """Take one away, unless it is being made or used at this very moment."""
        with _held(Path(f"{old.folder}.lock")) as held:
            if not held:
                return False
            gone = old.folder.with_name(f"{old.folder.name}{_GONE}")
            if old.folder.name.endswith(_GONE):
                gone = old.folder
            else:
                # First its name, so that a builder that finds it there can still note its use.
                old.folder.rename(gone)
                if not self._is_old(gone):
                    gone.rename(old.folder)
                    return False
            shutil.rmtree(gone, ignore_errors=True)
            Path(f"{old.folder}.failed").unlink(missing_ok=True)
            return True

    def _folders(self) -> Iterator[Path]:
        with contextlib.suppress(FileNotFoundError):
            yield from (path for path in sorted(self.root.iterdir()) if path.is_dir())

    def _is_old(self, folder: Path) -> bool:
        mark = folder / COMPLETE
        try:
            if mark.exists():
                return self.now_s - mark.stat().st_mtime >= max(self.keep_s, 1)
            return self.now_s - folder.stat().st_mtime >= _LEFT_S
        except FileNotFoundError:
            return False


def _names(text: str, name: str) -> bool:
    return f"/{name.removesuffix(_GONE)}" in text


def _words_of_processes(root: str) -> Iterator[str]:
    """Give the variables, words and folder of each process that may use something below *root*."""
    mark = root.encode()
    for process in filter(str.isdigit, os.listdir("/proc")):
        for name in ("environ", "cmdline"):
            with contextlib.suppress(OSError):
                text = Path("/proc", process, name).read_bytes()
                if mark in text:
                    yield text.decode(errors="replace").replace("\0", "\n") + "\n"


def _size(folder: Path) -> int:
    """Return what *folder* takes of the disk; hard links of others' files are not ours."""
    total = 0
    for where, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                found = os.lstat(Path(where, name))
                total += found.st_blocks * 512 if found.st_nlink == 1 else 0
    return total


@contextlib.contextmanager
def _held(place: Path) -> Iterator[bool]:
    """Hold a lock if nobody does."""
    fd = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _lock(fd)
    finally:
        os.close(fd)


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
