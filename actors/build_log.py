"""The log of a build, on its way to the server."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from launchyard.actors.crashpoints import reach
from launchyard.actors.messages import Ref
from launchyard.actors.session import Backoff
from launchyard.actors.shipper import whole_lines
from launchyard.ports import families
from launchyard.ports.launch_server import AttemptFiles, LogCursorError, ServerError
from launchyard.ports.metrics import Metrics

SOURCE: Final = "build"
_PIECE_B: Final = 64 * 1024
_MOST_WAITING_B: Final = 4 * 1024 * 1024
_EVERY_S: Final = 0.5
_CLOSE_S: Final = 5.0
_LONGEST_WAIT_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildLogRules:
    """How a build's log is shipped: how often, how much waits, and how long `close` does."""

    every_s: float = _EVERY_S
    most_waiting_b: int = _MOST_WAITING_B
    close_s: float = _CLOSE_S


class BuildLog:
    """Ships a build's output as it comes, in a thread of its own; no write waits for a server.

    What does not fit into memory while the server is away is left out, with a mark in its place.
    """

    def __init__(
        self, files: AttemptFiles, metrics: Metrics, ref: Ref, rules: BuildLogRules | None = None
    ) -> None:
        self._files, self._metrics, self._ref = files, metrics, ref
        self._rules = rules or BuildLogRules()
        self._changed = threading.Condition()
        self._waiting = bytearray()
        self._left_out_b = 0
        self._sender: threading.Thread | None = None
        self._closing = self._over = self._full = False
        self._trouble = ""
        self._cursor = 0
        """Of the sending thread alone."""

    def write(self, data: bytes) -> None:
        """Add *data*; any thread may, and none waits."""
        with self._changed:
            if self._full:
                return
            if self._over or len(self._waiting) + len(data) > self._rules.most_waiting_b:
                self._left_out_b += len(data)
                return
            self._mark()
            self._waiting += data
            if self._sender is None:
                self._sender = threading.Thread(target=self._run, name="build-log", daemon=True)
                self._sender.start()
            self._changed.notify_all()

    def close(self) -> str:
        """Wait for the rest, but not for long; return what is missing, in words, or nothing."""
        with self._changed:
            if not self._over:
                self._mark()
            self._closing = True
            self._changed.notify_all()
        if self._sender is not None:
            self._sender.join(self._rules.close_s)
        with self._changed:
            self._over = True
            self._changed.notify_all()
            missing_b = len(self._waiting) + self._left_out_b
            why = f": {self._trouble}" if self._trouble else ""
        if not missing_b or self._full:
            return ""
        return f"the last {missing_b} bytes of the build's log are not with the server{why}"

    def _mark(self) -> None:
        """Say in the log itself how much of it is left out here."""
        if self._left_out_b:
            text = f"\n[{self._left_out_b} bytes are missing here: the server was away]\n"
            self._waiting += text.encode()
            self._left_out_b = 0

    def _run(self) -> None:
        while (piece := self._next()) and self._is_taken(piece):
            with self._changed:
                del self._waiting[: len(piece)]
                self._trouble = ""
            self._metrics.count(families.LOG_BYTES_SHIPPED, by=len(piece))
        with self._changed:
            self._over = True

    def _next(self) -> bytes:
        """Wait for what is to be sent, whole lines until the end; nothing when that is all."""
        with self._changed:
            self._changed.wait_for(self._is_much, self._rules.every_s)
            self._changed.wait_for(lambda: self._over or self._closing or self._ready())
            if self._over:
                return b""
            last = self._closing and len(self._waiting) <= _PIECE_B
            return bytes(self._waiting) if last else self._ready()

    def _is_much(self) -> bool:
        return self._over or self._closing or len(self._waiting) >= _PIECE_B

    def _ready(self) -> bytes:
        return whole_lines(bytes(self._waiting[:_PIECE_B]), _PIECE_B)

    def _is_taken(self, piece: bytes) -> bool:
        """Send *piece* until the server has it; false when it never will, or time is over."""
        ref, wait, unsure = self._ref, Backoff(self._rules.every_s, _LONGEST_WAIT_S), False
        while not self._over:
            start = self._cursor
            try:
                reach("logs.before_send")
                self._cursor = self._files.append_log(ref.item, ref.attempt, SOURCE, start, piece)
                reach("logs.after_send")
            except LogCursorError as e:
                self._cursor, self._full = e.cursor, e.full
                if unsure and e.cursor == start + len(piece):
                    return True  # an answer was lost, and nothing else
                if e.full:
                    return False
                if e.cursor != start:
                    continue  # an earlier try of this build has a log already
            except ServerError as e:
                self._metrics.count(families.LOG_SHIP_ERRORS)
                self._trouble, unsure = str(e), True
                if not e.retry:
                    return False
            else:
                return True
            with self._changed:
                self._changed.wait_for(lambda: self._over, wait.next_s())
        return False
