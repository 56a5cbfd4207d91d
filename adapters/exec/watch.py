"""Noticing changes by asking: one call for all handles, less often while nothing happens."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from launchyard.domain.attempt import ENDS
from launchyard.ports import events
from launchyard.ports.runner import Handle, Observation, RunnerError, Seen

_log = logging.getLogger(__name__)
_SLOWER: Final = 1.5

Look = Callable[[Collection[Handle]], Mapping[Handle, Observation]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often to ask: soon after a change, and ever less often without one."""

    first_s: float = 0.5
    most_s: float = 15.0


class PollWatch:
    """A `Watch` that calls *look* with all its handles at once."""

    def __init__(self, look: Look, pace: Pace) -> None:
        self._look, self._pace = look, pace
        self._changed = threading.Condition()
        self._told: dict[Handle, Observation | None] = {}
        self._woken = False
        self._wait_s = pace.first_s
        self._due = 0.0

    def add(self, handle: Handle) -> None:
        with self._changed:
            if handle not in self._told:
                self._told[handle] = None
                self._hurry(0.0)

    def discard(self, handle: Handle) -> None:
        with self._changed:
            self._told.pop(handle, None)

    def hurry(self) -> None:
        """Ask soon: something was done that is going to show."""
        with self._changed:
            self._hurry(self._pace.first_s)

    def wait(self, timeout_s: float | None) -> Sequence[Seen]:
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            if not self._sleep(until):
                return ()
            news = self._ask()
            if news:
                return news

    def wake(self) -> None:
        with self._changed:
            self._woken = True
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._told.clear()

    def _hurry(self, wait_s: float) -> None:
        self._wait_s = self._pace.first_s
        self._due = min(self._due, time.monotonic() + wait_s)
        self._changed.notify()

    def _sleep(self, until: float | None) -> bool:
        """Sleep until it is time to ask; false when nobody wants to wait for that."""
        with self._changed:
            while True:
                if self._woken:
                    self._woken = False
                    return False
                now = time.monotonic()
                if self._told and now >= self._due:
                    return True
                if until is not None and now >= until:
                    return False
                ends = [self._due] * bool(self._told) + [until] * (until is not None)
                self._changed.wait(min((e for e in ends if e is not None), default=now + 60) - now)

    def _ask(self) -> list[Seen]:
        with self._changed:
            handles = tuple(self._told)
        try:
            found = self._look(handles)
        except RunnerError as e:
            events.JOBS_UNKNOWN.log(_log, jobs=len(handles), error=e)
            found = {}
        with self._changed:
            news = [Seen(h, o) for h, o in found.items() if self._is_news(h, o)]
            for seen in news:
                self._told[seen.handle] = seen.observation
                if seen.observation.state in ENDS:
                    del self._told[seen.handle]
            slower_s = min(self._wait_s * _SLOWER, self._pace.most_s)
            self._wait_s = self._pace.first_s if news else slower_s
            self._due = time.monotonic() + self._wait_s
        return news

    def _is_news(self, handle: Handle, seen: Observation) -> bool:
        return handle in self._told and self._told[handle] != seen
