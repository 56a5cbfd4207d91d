"""Routes that agents call: hello, heartbeats, batches, reclaim and goodbye."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from launchyard.adapters.http.bodies import answer_value, part, read_value
from launchyard.adapters.http.directory import check_text
from launchyard.adapters.http.endpoint import Endpoint, Needs
from launchyard.adapters.http.house import House
from launchyard.adapters.http.problems import RefusalError, wrong
from launchyard.adapters.http.shapes import (
    Abort,
    Answers,
    Goodbye,
    Launchings,
    Releases,
    Reports,
)
from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.exchange import (
    AgentGrant,
    AgentHello,
    Caller,
    Heartbeat,
    HeartbeatAnswer,
    Reclaim,
    ReclaimAnswer,
    Verdict,
)
from launchyard.domain.rights import Action
from launchyard.ports.records import StoreError

_AGENT: Final = "/api/v1/agents/{agent}"


class WorkRoutes:
    """PROTOCOL sections 3, 4 and 11 over HTTP; waiting for work is in `claims`."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store, self._guard = house.store, house.guard
        self._most_b = house.settings.json_b

    def endpoints(self) -> Sequence[Endpoint]:
        """Return this topic's part of the table."""
        work, post = Needs.WORK, "POST"
        return (
            Endpoint(
                method=post,
                path="/api/v1/agents",
                handler=self.hello,
                does="Register the start of an agent",
                needs=work,
                takes=AgentHello,
                gives=AgentGrant,
            ),
            Endpoint(
                method=post,
                path=f"{_AGENT}/heartbeat",
                handler=self.heartbeat,
                does="Hold every lease that is listed",
                needs=work,
                takes=Heartbeat,
                gives=HeartbeatAnswer,
            ),
            Endpoint(
                method=post,
                path=f"{_AGENT}/abort",
                handler=self.abort,
                does="End a waiting claim; what it was granted goes back",
                needs=work,
                takes=Abort,
                status=204,
            ),
            Endpoint(
                method=post,
                path=f"{_AGENT}/launching",
                handler=self.launching,
                does="Make the fenced write before the first side effect",
                needs=work,
                takes=Launchings,
                gives=Answers,
            ),
            Endpoint(
                method=post,
                path=f"{_AGENT}/reports",
                handler=self.reports,
                does="Hand over facts, in order per item",
                needs=work,
                takes=Reports,
                gives=Answers,
            ),
            Endpoint(
                method=post,
                path=f"{_AGENT}/reclaim",
                handler=self.reclaim,
                does="Ask for an attempt back whose token went stale",
                needs=work,
                takes=Reclaim,
                gives=ReclaimAnswer,
            ),
            Endpoint(
                method=post,
                path=f"{_AGENT}/release",
                handler=self.release,
                does="Give attempts back",
                needs=work,
                takes=Releases,
                gives=Answers,
            ),
            Endpoint(
                method=post,
                path=f"{_AGENT}/goodbye",
                handler=self.goodbye,
                does="Say that the agent stops",
                needs=work,
                takes=Goodbye,
                status=204,
            ),
        )

    async def hello(self, request: Request) -> Response:
        self._guard.require_somewhere(request, Action.WORK)
        hello = await read_value(request, AgentHello, self._most_b)
        self._guard.require(request, Action.WORK, hello.entity)
        _check_hello(hello)
        if hello.agent:
            self._check_known(hello)
        grant = self._store.hello(hello)
        self._guard.remember_agent(grant.agent, hello.entity)
        self._house.waits.end_claim(grant.agent)
        for lease in grant.leases:
            self._guard.remember(lease.item, lease.entity, lease.queue)
        return answer_value(replace(grant, leases=self._house.grants.filled(grant.leases)))

    async def heartbeat(self, request: Request) -> Response:
        enter(self._house, request)
        beat = await read_value(request, Heartbeat, self._most_b)
        check_caller(request, beat.caller)
        answer, given_up = await self._house.write(lambda: self._beat(beat))
        if given_up:
            # Some are on their queues again, others wait for whoever reaches their scope.
            self._house.waits.notify_all()
            self._house.items_changed(given_up)
        if answer.unlisted:
            answer = replace(answer, unlisted=self._house.grants.filled(answer.unlisted))
        self._house.refusing(beat.caller.agent, beat.standing.refusing)
        return answer_value(answer)

    def _beat(self, beat: Heartbeat) -> tuple[HeartbeatAnswer, Sequence[str]]:
        """Return the answer, and the items that the agent left out once too often."""
        return self._store.heartbeat(beat), self._store.given_up()

    async def abort(self, request: Request) -> Response:
        enter(self._house, request)
        body = await read_value(request, Abort, self._most_b)
        caller = _caller(request, body.epoch)
        self._house.waits.end_claim(caller.agent, body.claim_id)
        self._store.abort_claim(caller, body.claim_id)
        # What the claim had been granted is back on queues that only the store knows.
        self._house.waits.notify_all()
        return Response(status_code=204)

    async def launching(self, request: Request) -> Response:
        entity = enter(self._house, request)
        body = await read_value(request, Launchings, self._most_b)
        caller = _caller(request, body.epoch)
        items = [one.lease.item for one in body.batch]
        self._check_items(entity, items)
        answers = await self._house.write(lambda: self._store.launching(caller, body.batch))
        self._house.items_changed(items)
        return answer_value(Answers(answers=tuple(answers)))

    async def reports(self, request: Request) -> Response:
        entity = enter(self._house, request)
        body = await read_value(request, Reports, self._most_b)
        caller = _caller(request, body.epoch)
        items = [one.lease.item for one in body.batch]
        self._check_items(entity, items)
        answers = await self._house.write(lambda: self._store.report(caller, body.batch))
        ends = [report for report in body.batch if report.fact.state in ENDS]
        for report in ends:
            self._free(report.lease.item)
        if any(report.fact.state is not AttemptState.SUCCEEDED for report in ends):
            self._house.delays.ended_badly()
        spared = [victim.item for report in ends for victim in report.fact.refunds]
        self._house.items_changed(items + spared)
        return answer_value(Answers(answers=tuple(answers)))

    async def reclaim(self, request: Request) -> Response:
        entity = enter(self._house, request)
        reclaim = await read_value(request, Reclaim, self._most_b)
        check_caller(request, reclaim.caller)
        self._check_items(entity, [reclaim.item])
        answer = self._store.reclaim(reclaim)
        self._house.items_changed([reclaim.item])
        return answer_value(answer)

    async def release(self, request: Request) -> Response:
        entity = enter(self._house, request)
        body = await read_value(request, Releases, self._most_b)
        caller = _caller(request, body.epoch)
        items = [one.lease.item for one in body.batch]
        self._check_items(entity, items)
        answers = await self._house.write(lambda: self._store.release(caller, body.batch))
        if any(answer.verdict is Verdict.TAKEN for answer in answers):
            # Some are on their queues again, others wait for whoever reaches their scope.
            self._house.waits.notify_all()
        self._house.items_changed(items)
        return answer_value(Answers(answers=tuple(answers)))

    async def goodbye(self, request: Request) -> Response:
        enter(self._house, request)
        body = await read_value(request, Goodbye, self._most_b)
        caller = _caller(request, body.epoch)
        self._store.goodbye(caller)
        self._house.waits.end_claim(caller.agent)
        self._house.waits.notify_all()
        return Response(status_code=204)

    def _check_known(self, hello: AgentHello) -> None:
        """Refuse to take over an agent of another entity; an unknown id is the store's business."""
        try:
            entity = self._guard.entity_of(hello.agent)
        except StoreError:
            return
        if entity != hello.entity:
            detail = f"agent {hello.agent} belongs to another entity"
            remedy = "give each entity's agent a state folder of its own"
            raise RefusalError(409, "conflict", detail, remedy=remedy)

    def _check_items(self, entity: str, items: Iterable[str]) -> None:
        """Refuse items of other entities; unknown ones are the store's business."""
        for item in items:
            try:
                other, _ = self._guard.place(item)
            except StoreError:
                continue
            if other != entity:
                raise RefusalError(403, "forbidden", f"item {item} is not of {entity}")

    def _free(self, item: str) -> None:
        try:
            self._house.slot_freed(self._guard.place(item))
        except StoreError:
            return


def _check_hello(hello: AgentHello) -> None:
    """Refuse what people could not read in a list of agents."""
    for path in ("name", "hostname", "version"):
        check_text(getattr(hello, path), path)
    if not hello.name:
        raise wrong("name", "must not be empty", "it tells agents apart in lists")


def enter(house: House, request: Request) -> str:
    """Return the entity of the agent in the address, if the key may speak for it."""
    return house.guard.require_agent(request, part(request, "agent"))


def check_caller(request: Request, caller: Caller) -> None:
    """Refuse a body that speaks for another agent than its address."""
    if caller.agent != part(request, "agent"):
        raise wrong("caller.agent", "is not the agent in the address")


def _caller(request: Request, epoch: int) -> Caller:
    return Caller(agent=part(request, "agent"), epoch=epoch)
