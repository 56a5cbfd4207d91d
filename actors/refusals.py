"""What heartbeats tell about this agent besides its leases: what it refuses, what waits in it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from launchyard.domain.exchange import AgentStanding, Refusal

COUNTS_S: Final = 1.0
"""How soon counts are told; refusals are told at once."""


class StandingBook:
    """Kept by whoever knows a part of it; thread-safe.

    `on_change` is called, outside the lock, with how soon a heartbeat should tell of a change; it
    is not called again for counts before that heartbeat (`now`) has taken them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = AgentStanding()
        self._refusals: dict[str, dict[str, Refusal]] = {}
        self._untold = False
        self.on_change: Callable[[float], None] = lambda _wait_s: None

    def now(self) -> AgentStanding:
        """Return what a heartbeat says; of several refusals of a target the oldest strict one."""
        with self._lock:
            self._untold = False
            refusing = {
                name: min(why.values(), key=lambda refusal: refusal.most)
                for name, why in self._refusals.items()
            }
            return replace(self._counts, refusing=refusing)

    def refuse(self, target: str, refusal: Refusal) -> None:
        """Take no more for *target* than *refusal* says; the server then obeys it."""
        with self._lock:
            known = self._refusals.setdefault(target, {})
            changed = known.get(refusal.reason) != refusal
            known[refusal.reason] = refusal
        if changed:
            self.on_change(0.0)

    def accept(self, target: str, reason: str) -> None:
        """Take back the refusal of *target* for *reason*; others of it stay."""
        with self._lock:
            known = self._refusals.get(target, {})
            changed = known.pop(reason, None) is not None
            if not known:
                self._refusals.pop(target, None)
        if changed:
            self.on_change(0.0)

    def refuses(self, target: str) -> bool:
        """Tell whether nothing is taken for *target* now."""
        with self._lock:
            return any(one.most == 0 for one in self._refusals.get(target, {}).values())

    def wait(self, *, builds: int, launches: int) -> None:
        """Note how many attempts wait here for a build slot, and how many for a launch slot."""
        counts = self._counts
        if (counts.waiting_builds, counts.waiting_launches) != (builds, launches):
            self._count(waiting_builds=builds, waiting_launches=launches)

    def suspend(self, count: int) -> None:
        """Note how many attempts need no slot, because their cluster holds them back."""
        if self._counts.suspended != count:
            self._count(suspended=count)

    def allow(self, max_jobs: int) -> None:
        """Note how many jobs this agent runs at most, as its configuration says by now."""
        if self._counts.max_jobs != max_jobs:
            self._count(max_jobs=max_jobs)

    def _count(self, **changed: Any) -> None:
        with self._lock:
            self._counts = replace(self._counts, **changed)
            first, self._untold = not self._untold, True
        if first:
            self.on_change(COUNTS_S)
