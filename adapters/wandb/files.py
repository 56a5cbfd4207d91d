"""The bytes of attempts that run for a W&B server: ends of logs, kept on this machine.

Such a server keeps a run's console itself, as the job's own client sends it; what is kept here is
what a failed item shows, the last of what its job wrote.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from launchyard.ports.launch_server import LogCursorError, ServerError

SEGMENT_B: Final = 256 * 1024
TAIL_B: Final = 64 * 1024
LOGS: Final = "logs"
_DIGITS: Final = 20


class LocalTails:
    """`AttemptFiles` that keeps the last of every log below *folder*.

    A log is in segments, each named by the offset of its first byte; the last two are kept.
    """

    def __init__(self, folder: str) -> None:
        self._root = Path(folder)
        self._lock = threading.Lock()

    def append_log(self, item: str, attempt: int, source: str, start: int, data: bytes) -> int:
        with self._lock:
            try:
                return self._append(self._log(item, attempt, source), start, data)
            except OSError as e:
                raise ServerError(
                    f"the log cannot be kept in {self._root}: {e.strerror}", retry=True
                ) from None

    def put_output(self, item: str, attempt: int, path: str, file: BinaryIO) -> None:
        del item, attempt, file
        raise ServerError(
            f"a W&B server keeps no outputs, so {path} stays behind",
            retry=False,
            remedy="log it as an artifact of the run",
        )

    def open_archive(self, sha256: str) -> BinaryIO:
        raise FileNotFoundError(f"a W&B server keeps no archive {sha256}")

    def tail(self, item: str, attempt: int) -> bytes:
        """Return the last of what an attempt's logs hold, builds first; empty if there is none."""
        folder = self._attempt(item, attempt)
        found = b""
        for log in sorted(path for path in folder.glob("*") if path.is_dir()):
            for segment in _segments(log):
                found += segment.read_bytes()
        return found[-TAIL_B:]

    def drop(self, item: str, attempt: int) -> None:
        """Remove an attempt's logs."""
        shutil.rmtree(self._attempt(item, attempt), ignore_errors=True)

    def close(self) -> None:
        """Nothing is held open."""

    def _append(self, log: Path, start: int, data: bytes) -> int:
        log.mkdir(mode=0o700, parents=True, exist_ok=True)
        segments = _segments(log)
        last = segments[-1] if segments else None
        # What was dropped with an agent's state is no reason to send it all again.
        cursor = start if last is None else int(last.name) + last.stat().st_size
        if cursor != start:
            raise LogCursorError(cursor)
        if last is None or last.stat().st_size >= SEGMENT_B:
            last = log / f"{start:0{_DIGITS}}"
            for old in segments[:-1]:
                old.unlink(missing_ok=True)
        with last.open("ab") as file:
            file.write(data)
        return start + len(data)

    def _attempt(self, item: str, attempt: int) -> Path:
        return self._root / f"{hashlib.sha256(item.encode()).hexdigest()[:24]}-a{attempt}"

    def _log(self, item: str, attempt: int, source: str) -> Path:
        mark = hashlib.sha256(source.encode()).hexdigest()[:8]
        first = "0" if source == "build" else "1"
        return self._attempt(item, attempt) / f"{first}-{mark}"


def tails_in(folder: str) -> LocalTails:
    """Return the logs that are kept in an adapter's *folder*."""
    return LocalTails(str(Path(folder, LOGS)))


def _segments(log: Path) -> Sequence[Path]:
    return sorted(path for path in log.glob("[0-9]*") if path.is_file())
