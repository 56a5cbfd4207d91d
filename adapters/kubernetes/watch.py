"""Noticing changes of the jobs that somebody watches, by what their places' views hear."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Sequence
from typing import Final

from launchyard.adapters.kubernetes.paths import Place, Spot
from launchyard.adapters.kubernetes.places import Places
from launchyard.adapters.kubernetes.standing import Look, Standing
from launchyard.domain.attempt import ENDS
from launchyard.ports import events
from launchyard.ports.runner import Handle, Observation, RunnerError, Seen

_log = logging.getLogger(__name__)
_SOON_S: Final = 2.0
_WORDS_S: Final = 0.5
"""How much sooner one may hear of a job's failure than of what its pod says: they come apart."""


class KubernetesWatch:
    """A `Watch` over jobs: a set of those with news, judged by the thread that waits."""

    def __init__(self, places: Places, standing: Standing) -> None:
        self._places, self._standing = places, standing
        self._changed = threading.Condition(threading.RLock())
        self._told: dict[Handle, Observation | None] = {}
        self._by_spot: dict[Spot, Handle] = {}
        self._news: dict[Handle, None] = {}
        self._unexplained: dict[Handle, float] = {}
        self._later: list[tuple[float, str, Handle]] = []
        self._woken = False
        places.listen(self._hear)

    def add(self, handle: Handle) -> None:
        spot = self._places.spot(handle)
        self._places.view(spot.place)
        with self._changed:
            if handle in self._told:
                return
            self._told[handle] = None
            self._by_spot[spot] = handle
            self._news[handle] = None
            self._changed.notify()

    def discard(self, handle: Handle) -> None:
        with self._changed:
            self._forget(handle)

    def wait(self, timeout_s: float | None) -> Sequence[Seen]:
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            handles = self._sleep(until)
            if not handles:
                return ()
            ready = self._heard_of(handles)
            told = [seen for handle in ready if (seen := self._see(handle)) is not None]
            if told:
                return told

    def wake(self) -> None:
        with self._changed:
            self._woken = True
            self._changed.notify()

    def close(self) -> None:
        self._places.unlisten(self._hear)
        with self._changed:
            self._told.clear()
            self._unexplained.clear()
            self._by_spot.clear()
            self._news.clear()

    def _hear(self, place: Place, uid: str) -> None:
        with self._changed:
            handle = self._by_spot.get(Spot(place, uid))
            if handle is not None:
                self._news[handle] = None
                self._changed.notify()

    def _sleep(self, until: float | None) -> Sequence[Handle]:
        """Sleep until some jobs have news; nothing when the time is over or somebody wakes it."""
        with self._changed:
            while True:
                now = time.monotonic()
                while self._later and self._later[0][0] <= now:
                    handle = heapq.heappop(self._later)[2]
                    if handle in self._told:
                        self._news[handle] = None
                if self._woken:
                    self._woken = False
                    return ()
                if self._news:
                    handles, self._news = tuple(self._news), {}
                    return handles
                ends = [self._later[0][0]] if self._later else []
                ends += [until] if until is not None else []
                if until is not None and now >= until:
                    return ()
                self._changed.wait(min(ends) - now if ends else None)

    def _heard_of(self, handles: Sequence[Handle]) -> Sequence[Handle]:
        """Return those whose places are listed; the others wait, and not each for itself."""
        deaf: set[Place] = set()
        places = {handle: self._places.spot(handle).place for handle in handles}
        for place in dict.fromkeys(places.values()):
            view = self._places.view(place)
            if not view.wait(_SOON_S):
                deaf.add(place)
                error = view.error or "its jobs are not listed yet"
                events.TARGET_SILENT.log(_log, name=place.namespace, error=error)
        for handle, place in places.items():
            if place in deaf:
                self._look_later(handle, _SOON_S)
        return [handle for handle in handles if places[handle] not in deaf]

    def _see(self, handle: Handle) -> Seen | None:
        """Judge a job; return what is news."""
        try:
            look = self._standing.kept(handle)
            if look is None and self._may_hear_of(handle):
                return None
            look = look or self._standing.asked(handle)
        except RunnerError as e:
            events.TARGET_SILENT.log(_log, name=handle.name, error=e)
            self._look_later(handle, _SOON_S)
            return None
        return self._keep(handle, look)

    def _may_hear_of(self, handle: Handle) -> bool:
        """Tell whether news of a new job or a failed one's pod may still come; look again then."""
        spot, now = self._places.spot(handle), time.monotonic()
        if self._places.view(spot.place).entry(spot.uid, handle.name) is None:
            comes_s = self._standing.comes_s(handle)
            if comes_s > 0:
                self._look_later(handle, comes_s)
            return comes_s > 0
        with self._changed:
            if handle not in self._told:
                return True
            left_s = self._unexplained.setdefault(handle, now + _WORDS_S) - now
            if left_s > 0:
                self._look_later(handle, left_s)
            return left_s > 0

    def _keep(self, handle: Handle, look: Look) -> Seen | None:
        with self._changed:
            if look.again_ms is not None and handle in self._told:
                now_ms = time.time_ns() // 1_000_000
                self._look_later(handle, max((look.again_ms - now_ms) / 1000, 0.05))
            if handle not in self._told or self._told[handle] == look.seen:
                return None
            self._told[handle] = look.seen
            if look.seen.state in ENDS:
                self._forget(handle)
            return Seen(handle, look.seen)

    def _look_later(self, handle: Handle, wait_s: float) -> None:
        with self._changed:
            heapq.heappush(self._later, (time.monotonic() + wait_s, handle.uid, handle))

    def _forget(self, handle: Handle) -> None:
        self._told.pop(handle, None)
        self._unexplained.pop(handle, None)
        self._news.pop(handle, None)
        self._by_spot.pop(self._places.spot(handle), None)
