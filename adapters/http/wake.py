"""Waiting for work: who waits for which queue, and who is woken when there is something.

All of it runs in the event loop's thread, so nothing is locked. A woken waiter that finds itself
gone or may take nothing, or comes back with its hands full of other items, passes its wake-up on;
so a wake-up is lost only when there is nothing to claim.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeAlias

QueueKey: TypeAlias = tuple[str, str]
"""Entity and name of a queue."""


class Waiter:
    """One claim in flight."""

    def __init__(self, agent: str, claim_id: str, queues: Iterable[QueueKey], free: int) -> None:
        self.agent = agent
        self.claim_id = claim_id
        self.queues = tuple(queues)
        self.free = free
        self.ended = False
        self.woken_for: dict[QueueKey, int] = {}
        self._woken = False
        self._future: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Let the claim look again."""
        self._woken = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def end(self) -> None:
        """Let the claim answer with nothing: another one took its place, or the server stops."""
        self.ended = True
        self.wake()

    def look(self) -> None:
        """Begin to look: what it is woken for from here on is news."""
        self._woken = False

    def took(self, taken: Counter[QueueKey], room: int, most: Callable[[QueueKey], float]) -> None:
        """Keep of the wake-ups only what is left for others.

        A claim that took fewer new items than it had *room* for has seen all that there is for it.
        There may be more where it took as many as its agent takes of that queue now, which *most*
        tells.
        """
        full = taken.total() >= room
        left = {queue: count - taken[queue] for queue, count in self.woken_for.items()}
        self.woken_for = {
            queue: count
            for queue, count in left.items()
            if count > 0 and (full or taken[queue] >= most(queue))
        }

    async def sleep(self, seconds: float) -> None:
        """Wait to be woken, at most so long; not at all if it was since it last looked."""
        if self._woken:
            return
        loop = asyncio.get_running_loop()
        self._future = loop.create_future()
        alarm = loop.call_later(seconds, self.wake)
        try:
            await self._future
        finally:
            alarm.cancel()
            self._future = None


class Waits:
    """All waiting claims."""

    def __init__(self) -> None:
        self._by_queue: dict[QueueKey, dict[Waiter, None]] = {}
        self._by_agent: dict[str, Waiter] = {}
        self._pending: dict[QueueKey, int] = {}
        self.closed = False

    def begin(self, waiter: Waiter) -> None:
        """Take *waiter* as its agent's claim; an older one of that agent ends."""
        older = self._by_agent.get(waiter.agent)
        self._by_agent[waiter.agent] = waiter
        if older is not None and older is not waiter:
            older.end()

    def stand(self, waiter: Waiter, queues: Iterable[QueueKey]) -> None:
        """Let *waiter* stand in line for *queues* of its own, if it has room for anything."""
        if waiter.free:
            for queue in queues:
                self._by_queue.setdefault(queue, {})[waiter] = None

    async def wait(self, waiter: Waiter, seconds: float) -> None:
        """Wait, standing in line, until it is woken, ended, or the time is up."""
        if waiter.ended or self.closed:
            return
        try:
            await waiter.sleep(seconds)
        finally:
            self._leave(waiter)

    def finish(self, waiter: Waiter) -> None:
        """Forget a claim that has its answer, or nobody to give it to."""
        self._leave(waiter)
        if self._by_agent.get(waiter.agent) is waiter:
            del self._by_agent[waiter.agent]

    def pass_on(self, waiter: Waiter) -> None:
        """Wake others for what *waiter* was woken for and will not take."""
        woken, waiter.woken_for = waiter.woken_for, {}
        for queue, count in woken.items():
            self.notify(queue, count)

    def notify(self, queue: QueueKey, count: int = 1) -> None:
        """Say that *count* items may be claimed; submits of one loop turn share wake-ups."""
        if queue not in self._by_queue:
            return
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._hand_out)
        self._pending[queue] = self._pending.get(queue, 0) + count

    def notify_agent(self, agent: str) -> None:
        """Let an agent's claim look for commands."""
        waiter = self._by_agent.get(agent)
        if waiter is not None:
            waiter.wake()

    def notify_all(self) -> None:
        """Let every waiting claim look again: something changed, and nobody can say for whom."""
        for waiter in list(self._by_agent.values()):
            waiter.wake()

    def end_claim(self, agent: str, claim_id: str = "") -> None:
        """End an agent's claim, if it is still that one (or any, without an id)."""
        waiter = self._by_agent.get(agent)
        if waiter is not None and claim_id in {"", waiter.claim_id}:
            waiter.end()

    def close(self) -> None:
        """End every claim, and all that come later."""
        self.closed = True
        for waiter in list(self._by_agent.values()):
            waiter.end()

    def waiting(self) -> int:
        """Return how many claims are in flight."""
        return len(self._by_agent)

    def _hand_out(self) -> None:
        pending, self._pending = self._pending, {}
        for queue, count in pending.items():
            left = count
            for waiter in list(self._by_queue.get(queue, ())):
                if left <= 0:
                    break
                share = min(left, waiter.free)
                waiter.woken_for[queue] = waiter.woken_for.get(queue, 0) + share
                left -= share
                self._leave(waiter)
                waiter.wake()

    def _leave(self, waiter: Waiter) -> None:
        for queue in waiter.queues:
            line = self._by_queue.get(queue)
            if line is not None and line.pop(waiter, self) is None and not line:
                del self._by_queue[queue]
