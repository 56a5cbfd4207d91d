"""One thread that calls back at given times; idle, it sleeps until the next one."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from itertools import count
from typing import Final

_SLACK: Final = 64
"""How many entries that were cleared or moved the heap may hold before it is tidied."""


class Alarms:
    """Named alarms on the clock *now*; setting a name again moves its time.

    Callbacks run in the alarms' own thread and must be short: put a letter into a mailbox.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._due: dict[str, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, str, Callable[[], None]]] = []
        self._number = count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)

    def start(self) -> None:
        """Begin to watch the clock."""
        self._thread.start()

    def set(self, name: str, at: float, call: Callable[[], None]) -> None:
        """Call *call* at *at*, instead of whatever *name* was set to."""
        with self._changed:
            number = next(self._number)
            self._due[name] = (at, number)
            heapq.heappush(self._heap, (at, number, name, call))
            if len(self._heap) > 2 * len(self._due) + _SLACK:
                self._heap = [e for e in self._heap if self._due.get(e[2]) == e[:2]]
                heapq.heapify(self._heap)
            if self._heap[0][1] == number:
                self._changed.notify()

    def after(self, name: str, wait_s: float, call: Callable[[], None]) -> None:
        """Call *call* when *wait_s* have passed."""
        self.set(name, self._now() + wait_s, call)

    def clear(self, name: str) -> None:
        """Forget the alarm *name*."""
        with self._changed:
            self._due.pop(name, None)

    def close(self) -> None:
        """End the thread; no alarm goes off after this."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(1)

    def _run(self) -> None:
        while (call := self._next()) is not None:
            call()

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next alarm; None when closed."""
        with self._changed:
            while not self._closed:
                if not self._heap:
                    self._changed.wait()
                    continue
                at, number, name, call = self._heap[0]
                if self._due.get(name) != (at, number):
                    heapq.heappop(self._heap)
                    continue
                wait_s = at - self._now()
                if wait_s > 0:
                    self._changed.wait(wait_s)
                    continue
                heapq.heappop(self._heap)
                del self._due[name]
                return call
        return None
