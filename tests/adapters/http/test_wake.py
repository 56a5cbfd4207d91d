"""Who is woken, without a server: a wake-up is lost only when there is nothing to claim."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from launchyard.adapters.http.wake import Waiter, Waits
from launchyard.domain.exchange import ClaimAnswer

A, B = ("team", "a"), ("team", "b")


@dataclass
class Line:
    """Queues with numbers of items, and agents that claim as the routes do."""

    waits: Waits = field(default_factory=Waits)
    items: Counter[tuple[str, str]] = field(default_factory=Counter)
    probing: dict[tuple[str, tuple[str, str]], int] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    offered: Counter[str] = field(default_factory=Counter)
    got: dict[Waiter, Counter[tuple[str, str]]] = field(default_factory=dict)

    def most(self, waiter: Waiter, queue: tuple[str, str]) -> int:
        """Return how many items of a queue an agent takes: only one, where it probes."""
        return self.probing.get((waiter.agent, queue), 99)

    def take(self, waiter: Waiter, room: int) -> Counter[tuple[str, str]]:
        """Claim up to *room* items, queue after queue."""
        got: Counter[tuple[str, str]] = Counter()
        for queue in waiter.queues:
            count = min(self.items[queue], room - got.total(), self.most(waiter, queue))
            self.items[queue] -= count
            got[queue] += count
        return got

    def look(self, waiter: Waiter) -> ClaimAnswer:
        """Claim once, as the route's call of the store does; what it gets is in `got`."""
        if waiter.ended:
            return ClaimAnswer()
        waiter.look()
        adopted = self.offered.pop(waiter.agent, 0)
        room = 0 if waiter.agent in self.paused else max(0, waiter.free - adopted)
        got = self.take(waiter, room)
        self.waits.begin(waiter)
        waiter.took(got, room, lambda queue: self.most(waiter, queue))
        if got.total() or adopted:
            self.got[waiter] = got
        else:
            self.waits.pass_on(waiter)
            if room:
                self.waits.stand(waiter, waiter.queues)
        return ClaimAnswer()

    async def claim(self, waiter: Waiter) -> Counter[tuple[str, str]]:
        """Claim, waiting until there is something or the claim is ended."""
        try:
            waiter.claim()
            while waiter not in self.got and not waiter.ended:
                if await self.waits.wait(waiter, 30) is None:
                    waiter.claim()
        finally:
            self.waits.pass_on(waiter)
            self.waits.finish(waiter)
        return self.got.get(waiter, Counter())

    def put(self, queue: tuple[str, str], count: int = 1) -> None:
        """Put items on a queue and say so, as a submit does."""
        self.items[queue] += count
        for _ in range(count):
            self.waits.notify(queue)

    def commit(self) -> int:
        """Let those in line claim at once what was put, as a commit does; return how many did."""
        called = self.waits.called()
        for change in called:
            change.done.set_result(change.call())
        return len(called)

    def waiter(self, name: str, queues: Iterable[tuple[str, str]], free: int = 1) -> Waiter:
        """Make a claim of agent *name*."""
        return Waiter(name, f"claim-{name}", queues, free, self.look)


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(50):
        await asyncio.sleep(0)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([(A,), (B,), (A, B), (B, A)]), st.integers(1, 3)), max_size=6
    ),
    st.lists(
        st.tuples(st.sampled_from([A, B]), st.integers(1, 4), st.booleans(), st.booleans()),
        max_size=6,
    ),
)
def test_nobody_waits_beside_an_item(
    agents: list[tuple[tuple[tuple[str, str], ...], int]],
    puts: list[tuple[tuple[str, str], int, bool, bool]],
) -> None:
    """Whatever is put in whatever order: no claim goes on waiting for a queue that has items."""

    async def run() -> None:
        line = Line()
        tasks = [
            asyncio.create_task(line.claim(line.waiter(f"w{n}", queues, free)))
            for n, (queues, free) in enumerate(agents)
        ]
        await settle()
        for queue, count, commit, pause in puts:
            line.put(queue, count)
            if commit:
                line.commit()
            if pause:
                await settle()
        await settle()
        for task, (queues, _) in zip(tasks, agents, strict=True):
            assert task.done() or not any(line.items[queue] for queue in queues)
        line.waits.close()
        await asyncio.gather(*tasks)
        assert line.waits.waiting() == 0

    asyncio.run(run())


def test_one_that_takes_a_single_item_leaves_the_other_wake_ups() -> None:
    """An agent that tries a target again has room for three: two of them go to the next in line."""

    async def run() -> None:
        line = Line(probing={("careful", A): 1})
        careful = asyncio.create_task(line.claim(line.waiter("careful", [A], free=3)))
        await settle()
        other = asyncio.create_task(line.claim(line.waiter("other", [A], free=3)))
        await settle()
        line.put(A, 3)
        assert (await careful)[A] == 1
        await settle()
        assert other.done()
        assert (await other)[A] == 2

    asyncio.run(run())


def test_a_paused_agent_leaves_its_wake_up() -> None:
    """It was paused after it had come first in line; it does not come first again."""

    async def run() -> None:
        line = Line()
        paused = asyncio.create_task(line.claim(line.waiter("paused", [A])))
        await settle()
        others = [asyncio.create_task(line.claim(line.waiter(f"w{n}", [A]))) for n in range(2)]
        await settle()
        line.paused.add("paused")
        for other in others:
            line.put(A)
            await settle()
            assert other.done()
        assert not paused.done()
        line.paused.clear()
        line.waits.notify_agent("paused")
        await settle()
        line.put(A)
        assert (await paused)[A] == 1

    asyncio.run(run())


def test_one_that_adopts_leaves_the_wake_ups_it_has_no_slot_for() -> None:
    """Both its slots go to what ran already: the two new items are for the next in line."""

    async def run() -> None:
        line = Line()
        adopter = asyncio.create_task(line.claim(line.waiter("adopter", [A], free=2)))
        await settle()
        other = asyncio.create_task(line.claim(line.waiter("other", [A], free=3)))
        await settle()
        line.offered["adopter"] = 2
        line.put(A, 2)
        assert not (await adopter)[A]
        await settle()
        assert other.done()
        assert (await other)[A] == 2

    asyncio.run(run())


def test_who_sleeps_in_line_claims_in_the_commit() -> None:
    """The first two have their items before the loop turns; one that finds nothing sleeps on."""

    async def run() -> None:
        line = Line()
        waiters = [line.waiter(f"w{n}", [A]) for n in range(3)]
        claims = [asyncio.create_task(line.claim(one)) for one in waiters]
        await settle()
        line.put(A, 2)
        assert line.commit() == 2
        assert [one in line.got for one in waiters] == [True, True, False]
        await settle()
        assert [claim.done() for claim in claims] == [True, True, False]
        line.waits.notify(A)
        assert line.commit() == 1
        await settle()
        assert not claims[2].done()
        line.put(A)
        await settle()
        assert (await claims[2])[A] == 1

    asyncio.run(run())


def test_who_is_woken_already_is_not_called() -> None:
    """It was told of a command, and looks by itself; the item is there when it does."""

    async def run() -> None:
        line = Line()
        told = asyncio.create_task(line.claim(line.waiter("told", [A])))
        await settle()
        line.waits.notify_agent("told")
        line.put(A)
        assert line.commit() == 0
        await settle()
        assert (await told)[A] == 1

    asyncio.run(run())


def test_a_wake_up_of_one_that_is_gone_is_passed_on() -> None:
    """The next in line gets it."""

    async def run() -> None:
        line = Line()
        gone = line.waiter("gone", [A])
        line.waits.begin(gone)
        line.waits.stand(gone, gone.queues)
        leaving = asyncio.create_task(line.waits.wait(gone, 30))
        await settle()
        other = asyncio.create_task(line.claim(line.waiter("other", [A])))
        await settle()
        line.put(A)
        await leaving
        line.waits.pass_on(gone)
        line.waits.finish(gone)
        await settle()
        assert other.done()

    asyncio.run(run())


def test_submits_of_one_turn_share_a_wake_up() -> None:
    """Ten items for an agent with ten slots wake nobody else."""

    async def run() -> None:
        line = Line()
        big = asyncio.create_task(line.claim(line.waiter("big", [A], 10)))
        await settle()
        small = line.waiter("small", [A])
        second = asyncio.create_task(line.claim(small))
        await settle()
        line.put(A, 10)
        await settle()
        assert big.result() == Counter({A: 10})
        assert not second.done()
        line.waits.close()
        await second

    asyncio.run(run())


def test_nobody_waits_in_a_closed_house() -> None:
    """A stop ends every wait, also those that begin during it."""

    async def run() -> None:
        line = Line()
        first = asyncio.create_task(line.claim(line.waiter("a", [A])))
        await settle()
        line.waits.close()
        await first
        late = line.waiter("b", [A])
        await asyncio.wait_for(line.waits.wait(late, 30), 5)

    asyncio.run(run())
