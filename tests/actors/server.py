"""A launch server in memory, judged by the domain, that loses answers and goes away on demand."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from launchyard.domain.attempt import AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.exchange import (
    AgentGrant,
    AgentHello,
    Answer,
    Caller,
    ClaimAnswer,
    ClaimRequest,
    Command,
    CommandKind,
    Fact,
    Heartbeat,
    HeartbeatAnswer,
    ItemGrant,
    Launching,
    LeaseRef,
    Reclaim,
    ReclaimAnswer,
    ReclaimVerdict,
    Refusal,
    Release,
    Report,
    Verdict,
)
from launchyard.domain.item import ItemState, after_fact
from launchyard.domain.lease import Token
from launchyard.domain.reports import (
    furthest,
    is_evidence,
    judge_launching,
    judge_reclaim,
    judge_report,
)
from launchyard.ports.launch_server import ServerError, StaleAgentError
from tests.actors.items import Item

T = TypeVar("T")
LIMIT_S = 120.0


class ScriptedServer:
    """A `LaunchServer`; tests enqueue, cancel, expire, and wait for what they want to see.

    `lose` holds names of calls whose next answer is lost after the call was carried out; while
    `away` is set every call fails. `refuse` holds items whose reports are refused.
    """

    def __init__(self, ttl_s: float = 45.0) -> None:
        self.changed = threading.Condition()
        self.items: dict[str, Item] = {}
        self.ttl_s = ttl_s
        self.lose: list[str] = []
        self.lost: list[str] = []
        self.away = False
        self.refuse: set[str] = set()
        self.fail: dict[str, ServerError] = {}
        self.epoch, self.gone = 0, False
        self.calls: list[str] = []
        self.installation = f"tests-{uuid.uuid4().hex[:8]}"
        self.most_active = 0
        self.commands: list[Command] = []
        self._answers: dict[str, ClaimAnswer] = {}
        self._latest = ""
        self.hold: set[str] = set()
        self.refusing: Mapping[str, Refusal] = {}

    def enqueue(self, item: str, *argv: str, **more: Json) -> None:
        """Put a command on the queue."""
        command: Json = {"entry_point": [*argv]}
        grant = ItemGrant(
            item=item,
            attempt=1,
            token=Token(0, 0),
            entity="team",
            queue="q",
            spec={"project": "p", **more, "overrides": command},
            resource=str(more.pop("resource", "local-process")),
            queue_config={},
            submitter="me",
            run_id=f"run-{item}",
            enqueued_at_ms=1,
            state=ItemState.QUEUED,
            attempt_state=AttemptState.CLAIMED,
        )
        with self._change():
            self.items[item] = Item(grant)

    def cancel(self, item: str) -> None:
        """Ask for an item's end."""
        with self._change():
            self.items[item].cancel = True
            grant = self.items[item].grant
            self.commands.append(Command(kind=CommandKind.CANCEL, item=item, attempt=grant.attempt))

    def expire(self, item: str, holder: str = "") -> None:
        """Let the lease run out; with a *holder*, another agent has taken it up."""
        with self._change():
            one = self.items[item]
            one.holder = holder
            one.grant = replace(one.grant, token=one.grant.token.following(0))

    def wait(self, ready: Callable[[], T], what: str, limit_s: float = LIMIT_S) -> T:
        """Wait until *ready* is true after some call; return its value."""
        with self.changed:
            assert self.changed.wait_for(ready, limit_s), f"{what}: {self.items}"
            return ready()

    def wait_end(self, item: str, limit_s: float = LIMIT_S) -> Fact:
        """Wait for an item's end."""
        return self.wait(lambda: self.items[item].ends[:1], f"end of {item}", limit_s)[0]

    def wait_state(self, item: str, *states: AttemptState) -> None:
        """Wait until the item is known to be in one of *states*."""
        self.wait(lambda: self.items[item].grant.attempt_state in states, f"{item} in {states}")

    # What the agent asks for

    def hello(self, hello: AgentHello) -> AgentGrant:
        with self._call("hello"):
            self.epoch += 1
            leases = [one.lease() for one in self.items.values() if self._holds(one, "agent-1")]
            return AgentGrant(
                agent=hello.agent or "agent-1",
                epoch=self.epoch,
                ttl_s=self.ttl_s,
                installation=self.installation,
                leases=tuple(leases),
            )

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        with self.changed:
            self._latest = request.claim_id
            self.changed.notify_all()
            self.changed.wait_for(lambda: self._claimable(request), min(request.wait_s, 20))
        with self._call("claim", request.caller):
            return self._claim(request)

    def abort_claim(self, caller: Caller, claim_id: str) -> None:
        with self._call("abort", caller):
            if self._latest == claim_id:
                self._latest = ""

    def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer:
        with self._call("heartbeat", beat.caller):
            refusing = beat.standing.refusing
            self.refusing = {name: r for name, r in refusing.items() if not r.most}
            listed = {lease.item: lease for lease in beat.leases}
            held = {n: one for n, one in self.items.items() if self._holds(one, beat.caller.agent)}
            return HeartbeatAnswer(
                ttl_s=self.ttl_s,
                unlisted=tuple(one.lease() for n, one in held.items() if n not in listed),
                stale=tuple(r for n, r in listed.items() if not self._is_current(n, r)),
                commands=tuple(self.commands),
            )

    def launching(self, caller: Caller, batch: Sequence[Launching]) -> Sequence[Answer]:
        with self.changed:
            self.changed.wait_for(lambda: "launching" not in self.hold, LIMIT_S)
        with self._call("launching", caller):
            return [self._launching(one) for one in batch]

    def report(self, caller: Caller, batch: Sequence[Report]) -> Sequence[Answer]:
        with self._call("report", caller):
            return [self._report(one) for one in batch]

    def reclaim(self, reclaim: Reclaim) -> ReclaimAnswer:
        with self._call("reclaim", reclaim.caller):
            one = self.items.get(reclaim.item)
            if one is None:
                raise ServerError("there is no such item", retry=False, status=404)
            verdict = judge_reclaim(one.record(), reclaim)
            if verdict is not ReclaimVerdict.GRANTED:
                return ReclaimAnswer(verdict=verdict)
            token = one.grant.token.following(0)
            one.grant, one.holder = replace(one.grant, token=token), reclaim.caller.agent
            one.place = one.place or reclaim.place
            return ReclaimAnswer(verdict=verdict, token=token, seq=one.seq)

    def release(self, caller: Caller, batch: Sequence[Release]) -> Sequence[Answer]:
        with self._call("release", caller):
            return [self._release(one) for one in batch]

    def goodbye(self, caller: Caller) -> None:
        with self._call("goodbye", caller):
            self.gone = True

    # How it decides

    @contextmanager
    def _change(self) -> Iterator[None]:
        with self.changed:
            try:
                yield
            finally:
                self.changed.notify_all()

    @contextmanager
    def _call(self, name: str, caller: Caller | None = None) -> Iterator[None]:
        with self._change():
            self.calls.append(name)
            if self.away:
                raise ServerError("the server is away", retry=True)
            if name in self.fail:
                raise self.fail[name]
            if caller is not None and caller.epoch != self.epoch:
                raise StaleAgentError("a newer start of this agent has registered", retry=False)
            yield
            if name in self.lose:
                self.lose.remove(name)
                self.lost.append(name)
                raise ServerError(f"the answer to {name} was lost", retry=True)

    def _claimable(self, request: ClaimRequest) -> bool:
        superseded = self._latest != request.claim_id or request.claim_id in self._answers
        return bool(superseded or self.away or self.commands or (request.free and self._waiting()))

    def _waiting(self) -> list[str]:
        grants = {n: i.grant for n, i in self.items.items() if i.grant.state is ItemState.QUEUED}
        return [name for name, grant in grants.items() if grant.resource not in self.refusing]

    def _claim(self, request: ClaimRequest) -> ClaimAnswer:
        if request.claim_id in self._answers:
            return self._answers[request.claim_id]
        commands, self.commands = tuple(self.commands), []
        if self._latest != request.claim_id:
            return ClaimAnswer(commands=commands)
        found = self._waiting()
        for name in found[: request.free]:
            one = self.items[name]
            token = one.grant.token.following(0)
            one.grant = replace(one.grant, token=token, state=ItemState.CLAIMED)
            one.holder, one.claims = request.caller.agent, one.claims + 1
        items = tuple(self.items[n].lease() for n in found[: request.free])
        active = sum(one.grant.state not in _IDLE for one in self.items.values())
        self.most_active = max(self.most_active, active)
        answer = self._answers[request.claim_id] = ClaimAnswer(items=items, commands=commands)
        return answer

    def _launching(self, wish: Launching) -> Answer:
        one = self.items[wish.lease.item]
        verdict = judge_launching(one.record(), wish.lease.attempt, wish.lease.token)
        if verdict is Verdict.TAKEN:
            one.place = wish.place
            submitting = AttemptState.SUBMITTING
            one.grant = replace(one.grant, state=ItemState.LAUNCHING, attempt_state=submitting)
        return Answer(verdict=verdict)

    def _report(self, report: Report) -> Answer:
        one = self.items[report.lease.item]
        if report.lease.item in self.refuse:
            return Answer(verdict=Verdict.REFUSED, detail="not this one")
        answer = judge_report(one.record(), report)
        if answer.verdict is Verdict.TAKEN and report.seq > one.seq:
            self._take(one, report)
        elif answer.verdict is Verdict.STALE and is_evidence(one.record(), report):
            self._take(one, report)
            return Answer(verdict=Verdict.TAKEN, seq=one.seq)
        return answer

    def _take(self, one: Item, report: Report) -> None:
        fact = report.fact
        one.facts.append(fact)
        one.place = fact.place or one.place
        state = furthest(one.record(), report)
        has_handle = one.place is not None and bool(one.place.uid)
        item_state = after_fact(one.grant.state, state, has_handle=has_handle)
        one.grant = replace(one.grant, attempt_state=state, state=item_state)
        one.seq = max(one.seq, report.seq)

    def _release(self, given: Release) -> Answer:
        one = self.items[given.lease.item]
        if not self._is_current(given.lease.item, given.lease):
            return Answer(verdict=Verdict.STALE)
        one.holder = ""
        if one.grant.state is ItemState.CLAIMED:
            one.grant = replace(one.grant, state=ItemState.QUEUED)
        return Answer(verdict=Verdict.TAKEN)

    def _is_current(self, name: str, lease: LeaseRef) -> bool:
        one = self.items.get(name)
        return one is not None and self._holds(one, one.holder) and one.grant.token == lease.token

    @staticmethod
    def _holds(one: Item, agent: str) -> bool:
        return bool(agent) and one.holder == agent and one.grant.state is not ItemState.DONE


_IDLE = {ItemState.QUEUED, ItemState.DONE}
