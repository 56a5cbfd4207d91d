"""What all routes share: the services, who waits, who follows, who may, and who reads beside."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from launchyard.adapters.http.commits import Commits
from launchyard.adapters.http.delays import Delays
from launchyard.adapters.http.grants import Grants
from launchyard.adapters.http.guard import Guard
from launchyard.adapters.http.keeping import Keeper
from launchyard.adapters.http.masks import Masks
from launchyard.adapters.http.reading import Reader
from launchyard.adapters.http.services import Services
from launchyard.adapters.http.storage_faults import Storage, StorageFaults
from launchyard.adapters.http.topics import Topics
from launchyard.adapters.http.wake import QueueKey, Waits
from launchyard.domain.exchange import Refusal
from launchyard.domain.submission import QueueRules
from launchyard.ports.families import LEASE_EXPIRATIONS, LEASE_GRACES
from launchyard.ports.records import Expiry, Queue, StoreError
from launchyard.ports.store import Store

_T = TypeVar("_T")
_LOG: Final = logging.getLogger("launchyard.http")
_CLOCK_SET: Final = (
    "the clock of this machine was set by %+.0f s: every lease got a full term, so that no agent"
    " loses a job by it; delays and times of items go by the new time"
)
_STOOD: Final = (
    "this server stood still for %.0f s (a machine that slept, or is overloaded): every lease got a"
    " full term, so that no agent loses a job by it"
)


class House:
    """One server. Its methods run in the event loop, but for what `read` and `search` get."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.store = services.store
        self.settings = services.settings
        self.guard = Guard(services.store, services.vault)
        self.grants = Grants(services.vault)
        self.masks = Masks(services.store, self.grants)
        self.waits = Waits()
        self.topics = Topics()
        self.delays = Delays(services, self.waits)
        self._limited: dict[QueueKey, bool] = {}
        self._refusing: dict[str, Mapping[str, Refusal]] = {}
        self._resources: dict[QueueKey, str] = {}
        self._commits = Commits(services.store, self.waits)
        self.arriving: Counter[str] = Counter()
        """Archives under way, by SHA-256: housekeeping leaves these alone."""
        self.faults = StorageFaults(services.clock)
        self.keeper = Keeper(services.blobs, self.write, self.faults)
        self._reader = Reader(services.store, "reader")
        self._searcher = Reader(services.store, "searcher")

    async def write(self, change: Callable[[], _T]) -> _T:
        """Return what *change*, a call of the store, returns, once it is durable.

        What must happen at once with it belongs into it: between its commit and the return others
        get their turn.
        """
        try:
            done = await self._commits.run(change)
        except StoreError as error:
            self.faults.note(error)
            raise
        self.faults.worked(Storage.DATABASE)
        return done

    async def read(self, query: Callable[[Store], _T]) -> _T:
        """Run a long query beside the event loop, on a connection of its own."""
        return await self._reader.read(query)

    async def search(self, query: Callable[[Store], _T]) -> _T:
        """Run housekeeping's query, which may take so long that no request is to wait for it."""
        return await self._searcher.read(query)

    def rules(self, queue: Queue, secrets: tuple[str, ...] = ()) -> QueueRules:
        """Return what launches on *queue* are judged by; *secrets* are the names that it has."""
        return QueueRules(
            resource=queue.resource,
            config=queue.config,
            overridable=queue.overridable,
            variables=queue.template_variables,
            mode=queue.mode,
            target=self.services.targets.get(queue.resource),
            secrets=secrets,
        )

    def slot_freed(self, queue: QueueKey) -> None:
        """Let the next item of a queue with a limit go, after one of its items ended."""
        if queue not in self._limited:
            self._limited[queue] = self.store.queue(*queue).limit is not None
        if self._limited[queue]:
            self.waits.notify(queue)

    def queue_changed(self, queue: QueueKey) -> None:
        """Forget what was known of a queue, and let waiting claims look at it again."""
        self._limited.pop(queue, None)
        self._resources.pop(queue, None)
        self.waits.notify_all()

    def refusing(self, agent: str, now: Mapping[str, Refusal]) -> None:
        """Let an agent's claim look again when the agent takes more for a target than before."""
        before = self._refusing.pop(agent, {})
        if now:
            self._refusing[agent] = now
        if any(was.most < _most(now.get(target)) for target, was in before.items()):
            self.waits.notify_agent(agent)

    def most(self, agent: str, queue: QueueKey) -> float:
        """Return how many items of a queue an agent takes at once; 0 while it is not to be woken.

        Raises:
            StoreError: there is no such queue.
        """
        refused = self._refusing.get(agent)
        if not refused:
            return math.inf
        if queue not in self._resources:
            self._resources[queue] = self.store.queue(*queue).resource
        return _most(refused.get(self._resources[queue]))

    def items_changed(self, items: Iterable[str]) -> None:
        """Tell followers."""
        self.topics.publish_items(items)

    async def expire_for_ever(self) -> None:
        """Let the store look after its leases, as often as it wants to."""
        while not self.waits.closed:
            pause_s = 1.0
            try:
                expiry = self.store.expire()
                self._note(expiry)
                pause_s = max(expiry.next_s, 0.05)
            except StoreError as error:
                self.faults.note(error)
            except Exception:  # noqa: BLE001 - logged, and tried again
                # Leases that nobody looks after are worse than one more line in the log.
                _LOG.exception("looking after the leases failed; trying again")
            await asyncio.sleep(pause_s)

    def _note(self, expiry: Expiry) -> None:
        self._tell_graces(expiry)
        counts = {"requeued": expiry.requeued, "offered": expiry.offered, "lost": expiry.lost}
        for result, count in counts.items():
            if count:
                labels = {"result": result}
                self.services.metrics.count(LEASE_EXPIRATIONS, labels, count)
        if expiry.lost:
            self.delays.ended_badly()
        if expiry.woken or any(counts.values()):
            self.waits.notify_all()
            self.topics.publish_all()

    def _tell_graces(self, expiry: Expiry) -> None:
        """Say when time did not count in which agents could not be heard."""
        told = (
            ("clock", "clock_set", expiry.clock_set_s, _CLOCK_SET),
            ("stall", "server_stood", expiry.late_s, _STOOD),
        )
        for cause, event, seconds, words in told:
            if seconds:
                self.services.metrics.count(LEASE_GRACES, {"cause": cause})
                fields = {"event": event, "seconds": round(seconds, 1)}
                _LOG.warning(words, seconds, extra={"fields": fields})

    def close(self) -> None:
        """End long polls and streams at once; the database is closed by who opened it."""
        self.waits.close()
        self.topics.close()

    def stop_reading(self) -> None:
        """Wait for the threads of long queries, and close their connections."""
        self._reader.close()
        self._searcher.close()


def _most(refusal: Refusal | None) -> float:
    return math.inf if refusal is None else refusal.most
