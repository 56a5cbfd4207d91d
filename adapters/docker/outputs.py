"""The files that jobs leave in their output folder, fetched from the engine after the end.

A fetch goes on by itself, so that no big one keeps others waiting. What is in a job's folder is a
stranger's: regular files are taken and nothing else, under names that lead nowhere but down.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import tarfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import IO, Final, TypeAlias, cast

from launchyard.adapters.docker.client import Engine, EngineError
from launchyard.domain.outputs import is_wanted
from launchyard.domain.reason import Reason
from launchyard.ports import events
from launchyard.ports.runner import Handle, RunnerError

_log = logging.getLogger(__name__)
_Wish: TypeAlias = tuple[str, Sequence[str]]
_PATIENCE_S: Final = 1.0
_CHUNK_B: Final = 1 << 20
_PIECE_B: Final = 256 * 1024
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a job's outputs is kept; what comes after that stays behind.

    With `patterns` only files that fit one of them are kept, and count.
    """

    files: int = 10_000
    total_b: int = 8 * 1024**3
    patterns: tuple[str, ...] = ()


@dataclass(slots=True)
class _Fetch:
    """A fetch under way or over."""

    over: threading.Event = field(default_factory=threading.Event)
    error: RunnerError | None = None
    told: bool = False

    @property
    def failed_for_now(self) -> bool:
        """Whether somebody was told of an error that may be gone by now."""
        return self.told and self.error is not None and self.error.retry


class Outputs:
    """Fetches outputs into folders below *folder*; what is there already is fetched anew."""

    def __init__(self, engine: Engine, folder: str, limits: Limits) -> None:
        self._engine, self._root, self._limits = engine, Path(folder, "outputs"), limits
        shutil.rmtree(self._root, ignore_errors=True)
        self._lock = threading.Lock()
        self._fetches: dict[str, _Fetch] = {}

    def root(self, handle: Handle) -> str:
        """Return the folder that holds a container's outputs once they are fetched."""
        return str(self._root / handle.uid)

    def files(self, handle: Handle, path: str, patterns: Sequence[str] = ()) -> list[str]:
        """Return what was left below *path* of a container that has ended, relative to `root`.

        With *patterns*, only what fits one of them is fetched.

        Raises:
            RunnerError: it cannot be had; or, with `retry`, it is still on its way.
        """
        with self._lock:
            fetch = self._fetches.get(handle.uid)
            if fetch is None or fetch.failed_for_now:
                fetch = self._fetches[handle.uid] = _Fetch()
                self._begin(handle, (path, patterns), fetch)
        if not fetch.over.wait(_PATIENCE_S):
            text = f"the outputs of {handle.name} are on their way"
            raise RunnerError(text, reason=Reason.DEADLINE_PASSED, retry=True)
        if fetch.error is not None:
            fetch.told = True
            raise fetch.error
        return sorted(_below(self.root(handle)))

    def forget(self, handle: Handle) -> None:
        """Keep nothing of a container's outputs."""
        with self._lock:
            self._fetches.pop(handle.uid, None)
        shutil.rmtree(self.root(handle), ignore_errors=True)

    def _begin(self, handle: Handle, wish: _Wish, fetch: _Fetch) -> None:
        threading.Thread(target=self._run, args=(handle, wish, fetch), daemon=True).start()

    def _run(self, handle: Handle, wish: _Wish, fetch: _Fetch) -> None:
        path, patterns = wish
        what = f"the outputs of {handle.name} could not be fetched"
        shutil.rmtree(self.root(handle), ignore_errors=True)
        try:
            pieces = self._engine.files_below(handle.uid, path)
            first = next(pieces, None)
            if first is None:
                return  # there is no such folder
            limits = replace(self._limits, patterns=tuple(patterns))
            left = _unpack(chain([first], pieces), Path(self.root(handle)), limits)
            if left:
                events.OUTPUTS_CUT.log(_log, name=handle.name, what=left)
        except EngineError as e:
            fetch.error = RunnerError(f"{what}: {e}", reason=e.reason, retry=e.retry)
        except tarfile.TarError as e:
            # A transfer that was cut off looks so, too.
            fetch.error = RunnerError(f"{what}: {e}", reason=Reason.AGENT_ERROR, retry=True)
        except OSError as e:
            full = e.errno in {errno.ENOSPC, errno.EDQUOT}
            reason = Reason.DISK_FULL if full else Reason.AGENT_ERROR
            fetch.error = RunnerError(f"{what}: {e.strerror}", reason=reason)
        finally:
            fetch.over.set()


class _Pipe:
    """What comes in pieces of any length, to be read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def read(self, size: int) -> bytes:
        """Return some bytes, no more than *size*; none at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = piece
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def _unpack(pieces: Iterator[bytes], into: Path, limits: Limits) -> str:
    """Write the regular files of a tar below *into*; return in words what stays behind."""
    into.mkdir(parents=True)
    files = total_b = 0
    left = ""
    with tarfile.open(fileobj=cast("IO[bytes]", _Pipe(pieces)), mode="r|", bufsize=_PIECE_B) as tar:
        for member in tar:
            tar.members.clear()  # type: ignore[attr-defined]  # else it keeps each for ever
            path = _place(into, member.name)
            if path is None or not (member.isreg() or member.islnk()):
                continue
            if not is_wanted(path.relative_to(into).as_posix(), limits.patterns):
                continue
            files, total_b = files + 1, total_b + member.size
            if files > limits.files:
                return f"all after {limits.files} files"
            if total_b > limits.total_b:
                return f"all from {member.name} on, where it is more than {limits.total_b} bytes"
            path.parent.mkdir(parents=True, exist_ok=True)
            if member.isreg():
                _write(tar, member, path)
            elif (same := _place(into, member.linkname)) and same.is_file():
                path.hardlink_to(same)
            else:
                left = f"{member.name}, another name of {member.linkname}, which is not asked for"
    return left


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = tar.extractfile(member)
    with os.fdopen(os.open(path, _NEW_FILE, 0o600), "wb") as out:
        if source is not None:
            shutil.copyfileobj(source, out, _CHUNK_B)


def _place(root: Path, name: str) -> Path | None:
    """Return where a member goes: its first part is the output folder's own name."""
    parts = [part for part in name.split("/")[1:] if part not in {"", "."}]
    fit = parts and ".." not in parts and name.isprintable() and not name.startswith("/")
    return root.joinpath(*parts) if fit else None


def _below(root: str) -> Iterator[str]:
    """Yield the files below *root*, in which there are no links to elsewhere."""
    for folder, _, names in os.walk(root):
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), root)  # noqa: PTH118 - texts are wanted
