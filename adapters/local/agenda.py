"""One thread for all that has to happen later."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from launchyard.ports import events

_LOG: Final = logging.getLogger(__name__)

Task = Callable[[], float | None]
"""What is to be done; it says in how many seconds it wants to be called again, if at all."""


class Agenda:
    """Calls tasks when they are due, in a thread that is started with the first of them.

    `add` may be called from any thread and returns at once. The thread ends with the process.
    """

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Task]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, delay_s: float, task: Task) -> None:
        """Have *task* called in *delay_s* seconds."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + delay_s, next(self._order), task))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="launchyard-local-agenda", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            task = self._next()
            try:
                again_s = task()
            except OSError as error:  # a full disk or a lack of descriptors passes
                events.LOCAL_AGAIN.log(_LOG, error=error)
                again_s = 1.0
            if again_s is not None:
                self.add(again_s, task)

    def _next(self) -> Task:
        with self._changed:
            while True:
                wait_s = self._due[0][0] - time.monotonic() if self._due else None
                if wait_s is not None and wait_s <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait_s)
