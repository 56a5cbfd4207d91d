"""The alarm for delayed items: it sleeps until the earliest moment, and looks at nothing else."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from launchyard.adapters.http.services import Services
from launchyard.adapters.http.wake import Waits
from launchyard.ports.families import DEAD_LETTERS, RETRIES

_LONGEST_S: Final = 30.0
"""While something is delayed: the wall clock may be set, and the alarm runs on another one."""

_TROUBLE_S: Final = 1.0
_LOG: Final = logging.getLogger("launchyard.http")


class Delays:
    """Wakes claims when a delayed item's moment has come. Runs in the event loop.

    While nothing is delayed it does nothing at all; `look` tells it that something may be.
    """

    def __init__(self, services: Services, waits: Waits) -> None:
        self._services, self._waits = services, waits
        self._bell = asyncio.Event()

    def look(self) -> None:
        """Look again now: an item was put on a queue, or back, with a moment to wait for."""
        self._bell.set()

    def ended_badly(self) -> None:
        """Count attempts that ended badly, and wait for those that are tried again."""
        for end in self._services.store.bad_ends():
            family = RETRIES if end.retried else DEAD_LETTERS
            labels = {"entity": end.entity, "queue": end.queue, "class": end.failure.value}
            self._services.metrics.count(family, labels)
        self.look()

    async def watch_for_ever(self) -> None:
        """Let items ripen as their moments come."""
        while not self._waits.closed:
            self._bell.clear()
            wait_s = self._ripen()
            try:
                async with asyncio.timeout(wait_s):
                    await self._bell.wait()
            except TimeoutError:
                continue

    def _ripen(self) -> float | None:
        """Wake claims for what is ripe; return how long there will be nothing more to do."""
        store, clock = self._services.store, self._services.clock
        try:
            ripe = store.ripen()
        except Exception:  # noqa: BLE001 - logged, and tried again
            # Items that nobody wakes are worse than one more line in the log.
            _LOG.exception("waking delayed items failed; trying again")
            return _TROUBLE_S
        for entity, queue, count in ripe.ready:
            self._waits.notify((entity, queue), count)
        if ripe.next_ms is None:
            return None
        return min(max(0.0, (ripe.next_ms - clock.now_ms()) / 1000), _LONGEST_S)
