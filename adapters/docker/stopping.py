"""Ending containers whose grace has passed: one thread for all of them."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from typing import Final

from launchyard.adapters.docker.client import Engine
from launchyard.ports import events
from launchyard.ports.runner import RunnerError

_log = logging.getLogger(__name__)
_AGAIN_S: Final = 1.0
_TRIES: Final = 60
_CLOSE_S: Final = 2.0


class Stopper:
    """Sends SIGKILL when it is due; what is over by then is left alone."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._changed = threading.Condition()
        self._due: list[tuple[float, str, int]] = []
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def add(self, uid: str, wait_s: float) -> None:
        """Kill the container *uid* in *wait_s* seconds."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + wait_s, uid, 0))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="stopper", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Send nothing more: who cancels again after a restart has what is due then sent."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        while (due := self._next()) is not None:
            uid, tries = due
            try:
                self._engine.kill(uid, "SIGKILL")
            except RunnerError as e:
                events.CANCEL_FAILED.log(_log, name=uid[:12], error=e)
                if tries < _TRIES:
                    with self._changed:
                        again = time.monotonic() + _AGAIN_S
                        heapq.heappush(self._due, (again, uid, tries + 1))

    def _next(self) -> tuple[str, int] | None:
        """Wait until a container is due; None when nothing more is to be sent."""
        with self._changed:
            while not self._is_closed:
                if not self._due:
                    self._changed.wait()
                    continue
                wait_s = self._due[0][0] - time.monotonic()
                if wait_s <= 0:
                    _, uid, tries = heapq.heappop(self._due)
                    return uid, tries
                self._changed.wait(wait_s)
            return None
