"""The log of a build, on its way to the server."""

from __future__ import annotations

import contextlib
import threading
from typing import Final

from launchyard.actors.crashpoints import reach
from launchyard.actors.messages import Ref
from launchyard.ports import families
from launchyard.ports.clock import Clock
from launchyard.ports.launch_server import AttemptFiles, LogCursorError, ServerError
from launchyard.ports.metrics import Metrics

SOURCE: Final = "build"
_PIECE_B: Final = 64 * 1024
_MOST_WAITING_B: Final = 4 * 1024 * 1024
_EVERY_S: Final = 0.5


class BuildLog:
    """Ships a build's output as it comes; a server that is away never stops a build."""

    def __init__(self, files: AttemptFiles, clock: Clock, metrics: Metrics, ref: Ref) -> None:
        self._files, self._clock, self._metrics = files, clock, metrics
        self._ref = ref
        self._lock = threading.Lock()
        self._waiting = bytearray()
        self._cursor = 0
        self._sent_at = 0.0
        self._full = False

    def write(self, data: bytes) -> None:
        """Add *data*; what lies here long enough, or is enough, is sent."""
        with self._lock:
            if len(self._waiting) < _MOST_WAITING_B and not self._full:
                self._waiting += data
            old = self._clock.boottime() - self._sent_at > _EVERY_S
            if old or len(self._waiting) >= _PIECE_B:
                self._send()

    def close(self) -> None:
        """Send the rest."""
        with self._lock:
            self._send()

    def _send(self) -> None:
        self._sent_at = self._clock.boottime()
        ref = self._ref
        with contextlib.suppress(ServerError):
            while self._waiting and not self._full:
                piece = bytes(self._waiting[:_PIECE_B])
                try:
                    reach("logs.before_send")
                    self._cursor = self._files.append_log(
                        ref.item, ref.attempt, SOURCE, self._cursor, piece
                    )
                    reach("logs.after_send")
                except LogCursorError as e:
                    if e.cursor == self._cursor and not e.full:
                        return
                    self._cursor, self._full = e.cursor, e.full
                    continue
                del self._waiting[: len(piece)]
                self._metrics.count(families.LOG_BYTES_SHIPPED, by=len(piece))
