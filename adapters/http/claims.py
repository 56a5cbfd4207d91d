"""The claim: an agent's long poll for work and commands."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from launchyard.adapters.http.bodies import answer_value, part, read_value
from launchyard.adapters.http.endpoint import Endpoint, Needs
from launchyard.adapters.http.house import House
from launchyard.adapters.http.problems import wrong
from launchyard.adapters.http.shapes import Agents
from launchyard.adapters.http.wake import QueueKey, Waiter
from launchyard.adapters.http.work import check_caller, enter
from launchyard.domain.exchange import ClaimAnswer, ClaimRequest
from launchyard.domain.rights import Action
from launchyard.ports.records import AgentView, StoreError, Trouble

_EMPTY = ClaimAnswer()
_LONGEST_ID = 128
_MOST = 500
"""Items in one answer, so that no claim holds up the others; an agent with more room asks again."""


class ClaimRoutes:
    """Waiting for work, and what people ask of agents."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store, self._guard, self._waits = house.store, house.guard, house.waits

    def endpoints(self) -> Sequence[Endpoint]:
        """Return this topic's part of the table."""
        return (
            Endpoint(
                method="POST",
                path="/api/v1/agents/{agent}/claim",
                handler=self.claim,
                does="Wait for work and commands, up to `wait_s` (at most 60)",
                needs=Needs.WORK,
                takes=ClaimRequest,
                gives=ClaimAnswer,
            ),
            Endpoint(
                method="GET",
                path="/api/v1/agents",
                handler=self.agents,
                does="List agents",
                needs=Needs.READ,
                gives=Agents,
                query={"entity": "of this entity only"},
            ),
            Endpoint(
                method="POST",
                path="/api/v1/agents/{agent}/drain",
                handler=self.drain,
                does="Ask an agent to hand over what it has, and stop",
                needs=Needs.MANAGE,
                gives=AgentView,
            ),
            Endpoint(
                method="POST",
                path="/api/v1/agents/{agent}/pause",
                handler=self.pause,
                does="Let an agent take nothing new; what it has goes on",
                needs=Needs.MANAGE,
                gives=AgentView,
            ),
            Endpoint(
                method="POST",
                path="/api/v1/agents/{agent}/resume",
                handler=self.resume,
                does="Let a paused agent take work again",
                needs=Needs.MANAGE,
                gives=AgentView,
            ),
        )

    async def agents(self, request: Request) -> Response:
        who = self._guard.principal(request)
        entity = request.query_params.get("entity", "")
        if entity:
            self._guard.require(request, Action.READ, entity)
        visible = self._guard.visible(who)
        found = await self._house.read(lambda store: store.agents(entity))
        shown = tuple(one for one in found if visible is None or one.entity in visible)
        return answer_value(Agents(agents=shown))

    async def drain(self, request: Request) -> Response:
        return self._ask(request, self._store.ask_drain)

    async def pause(self, request: Request) -> Response:
        return self._ask(request, partial(self._store.ask_pause, paused=True))

    async def resume(self, request: Request) -> Response:
        return self._ask(request, partial(self._store.ask_pause, paused=False))

    def _ask(self, request: Request, ask: Callable[[str], AgentView]) -> Response:
        """Write down what is asked of an agent, and wake it up."""
        agent = part(request, "agent")
        who = self._guard.principal(request)
        entity = self._guard.entity_of(agent)
        if who.role_in(entity) is None:
            raise StoreError(f"there is no agent {agent}", Trouble.NOT_FOUND)
        self._guard.require(request, Action.MANAGE, entity)
        view = ask(agent)
        self._waits.notify_agent(agent)
        return answer_value(view)

    async def claim(self, request: Request) -> Response:
        entity = enter(self._house, request)
        wish = await read_value(request, ClaimRequest, self._house.settings.json_b)
        check_caller(request, wish.caller)
        if not wish.claim_id or len(wish.claim_id) > _LONGEST_ID:
            raise wrong("claim_id", f"must be a text of 1 to {_LONGEST_ID} characters")
        wish = replace(wish, free=min(max(wish.free, 0), _MOST))
        queues = ((entity, queue) for queue in wish.queues)
        claim = partial(self._claim, wish)
        waiter = Waiter(wish.caller.agent, wish.claim_id, queues, wish.free, claim)
        try:
            return await self._turns(request, wish, waiter)
        finally:
            # Whatever ended this claim, others may want what it was woken for.
            self._waits.pass_on(waiter)
            self._waits.finish(waiter)

    async def _turns(self, request: Request, wish: ClaimRequest, waiter: Waiter) -> Response:
        """Claim; as long as there is nothing, wait for a wake-up and claim again."""
        loop = asyncio.get_running_loop()
        until = loop.time() + min(max(wish.wait_s, 0), self._house.settings.longest_wait_s)
        answer = await self._house.write(waiter.claim)
        leaving: asyncio.Task[None] | None = None
        try:
            while not (_says_something(answer) or waiter.ended or self._waits.closed):
                left = until - loop.time()
                if left <= 0:
                    break
                leaving = leaving or asyncio.create_task(_end_when_gone(request, waiter))
                got = await self._waits.wait(waiter, left)
                answer = await self._house.write(waiter.claim) if got is None else got
        finally:
            if leaving is not None:
                leaving.cancel()
        return answer_value(answer)

    def _claim(self, wish: ClaimRequest, waiter: Waiter) -> ClaimAnswer:
        """Ask the store, and stand in line if it has nothing; no submit comes in between."""
        if waiter.ended:
            return _EMPTY
        waiter.look()
        answer = self._store.claim(wish)
        self._waits.begin(waiter)
        if answer.items or answer.resolve:
            filled = self._house.grants.filled
            answer = replace(answer, items=filled(answer.items), resolve=filled(answer.resolve))
        for grant in (*answer.items, *answer.resolve):
            self._guard.remember(grant.item, grant.entity, grant.queue)
            if len(grant.secrets) > 1:  # more than its token
                self._house.masks.remember(grant.item, grant.secrets)
        if answer.items or answer.resolve:
            self._house.items_changed(grant.item for grant in (*answer.items, *answer.resolve))
        taken = Counter((grant.entity, grant.queue) for grant in answer.items)
        room = self._room(wish, answer)
        waiter.took(taken, room, partial(self._most, waiter))
        if not _says_something(answer):
            self._waits.pass_on(waiter)
            if room:
                self._waits.stand(waiter, filter(partial(self._most, waiter), waiter.queues))
        return answer

    def _room(self, wish: ClaimRequest, answer: ClaimAnswer) -> int:
        """Return how many new items the claim had room for; none for an agent that may not take.

        Such an agent's claim waits for commands alone: who stands in line takes wake-ups.
        """
        if wish.free and (answer.items or self._store.may_take(wish)):
            return max(0, wish.free - len(answer.resolve))
        return 0

    def _most(self, waiter: Waiter, queue: QueueKey) -> float:
        """Return how many items of a queue the store gives the waiter's agent at most."""
        try:
            return self._house.most(waiter.agent, queue)
        except StoreError:
            return math.inf  # there is no such queue now; there may be one later


async def _end_when_gone(request: Request, waiter: Waiter) -> None:
    """End a claim when its client leaves: what comes after that is not for it.

    The body has been read, so the next message is that the connection is closed.
    """
    await request.receive()
    waiter.end()


def _says_something(answer: ClaimAnswer) -> bool:
    return bool(answer.items or answer.resolve or answer.commands)
