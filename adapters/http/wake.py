"""Waiting for work: who waits for which queue, and who is woken when there is something.

All of it runs in the event loop's thread, so nothing is locked. A woken waiter that finds itself
gone or may take nothing, or comes back with its hands full of other items, passes its wake-up on;
so a wake-up is lost only when there is nothing to claim. Who sleeps in line when a commit brings
something is called into that commit; all others look for themselves, in one of their own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from launchyard.adapters.http.commits import Change
from launchyard.domain.exchange import ClaimAnswer

QueueKey: TypeAlias = tuple[str, str]
"""Entity and name of a queue."""


Claim: TypeAlias = Callable[[], ClaimAnswer]


class Waiter:
    """One claim in flight; *claim* makes it, in whatever commit it is called into."""

    def __init__(
        self,
        agent: str,
        claim_id: str,
        queues: Iterable[QueueKey],
        free: int,
        claim: Callable[[Waiter], ClaimAnswer],
    ) -> None:
        self.agent = agent
        self.claim_id = claim_id
        self.queues = tuple(queues)
        self.free = free
        self.ended = False
        self.woken_for: dict[QueueKey, int] = {}
        self._claim = claim
        self._woken = False
        self._future: asyncio.Future[ClaimAnswer | None] | None = None

    def claim(self) -> ClaimAnswer:
        """Claim what there is; a call of the store, for a commit."""
        return self._claim(self)

    def wake(self) -> None:
        """Let the claim look again."""
        self._woken = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def called(self) -> Change | None:
        """Return its claim, to be made in the commit under way; None if it does not sleep."""
        future, self._future = self._future, None
        if future is None or future.done():
            return None
        return Change(self.claim, future)

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

    async def sleep(self, seconds: float) -> ClaimAnswer | None:
        """Wait to be woken, at most so long; not at all if it was since it last looked.

        Return what it got where it was called into a commit, and None where it has yet to look.
        """
        if self._woken:
            return None
        loop = asyncio.get_running_loop()
        future: asyncio.Future[ClaimAnswer | None] = loop.create_future()
        self._future = future
        alarm = loop.call_later(seconds, self.wake)
        try:
            return await future
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

    async def wait(self, waiter: Waiter, seconds: float) -> ClaimAnswer | None:
        """Wait, standing in line, until it is woken, ended, or the time is up.

        Return what it got meanwhile; None where it has yet to look.
        """
        if waiter.ended or self.closed:
            return None
        answer = None
        try:
            answer = await waiter.sleep(seconds)
        finally:
            if answer is None:
                self._leave(waiter)
        return answer

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

    def anybody(self) -> bool:
        """Tell whether anybody stands in line."""
        return bool(self._by_queue)

    def called(self) -> Sequence[Change]:
        """Return the claims of those for whom the commit under way has something."""
        calls: list[Change] = []
        for waiter in self._next():
            call = waiter.called()
            if call is None:
                waiter.wake()
            else:
                calls.append(call)
        return calls

    def _hand_out(self) -> None:
        for waiter in self._next():
            waiter.wake()

    def _next(self) -> Sequence[Waiter]:
        """Take those out of the lines for whom there is something."""
        pending, self._pending = self._pending, {}
        found: list[Waiter] = []
        for queue, count in pending.items():
            left = count
            for waiter in list(self._by_queue.get(queue, ())):
                if left <= 0:
                    break
                share = min(left, waiter.free)
                waiter.woken_for[queue] = waiter.woken_for.get(queue, 0) + share
                left -= share
                self._leave(waiter)
                found.append(waiter)
        return found

    def _leave(self, waiter: Waiter) -> None:
        for queue in waiter.queues:
            line = self._by_queue.get(queue)
            if line is not None and line.pop(waiter, self) is None and not line:
                del self._by_queue[queue]
