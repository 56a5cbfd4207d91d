"""A small world around a store: a clock that can be moved, a team, and agents that speak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import (
    AgentHello,
    AgentStanding,
    Answer,
    Caller,
    ClaimAnswer,
    ClaimRequest,
    Fact,
    Heartbeat,
    HeartbeatAnswer,
    ItemGrant,
    Launching,
    LeaseRef,
    Place,
    Reclaim,
    ReclaimAnswer,
    Refusal,
    Release,
    Report,
)
from launchyard.domain.lease import digest_of, mark
from launchyard.domain.reason import Reason
from launchyard.domain.rights import EntityKind
from launchyard.ports.records import Entity, Expiry, ItemView, NewItem, Queue
from launchyard.ports.store import Store

STEP_S = 1.0


@dataclass
class MovableClock:
    """A `Clock` that stands still until it is moved."""

    wall_ms: int = 1_800_000_000_000
    boot_s: float = 1000.0

    def now_ms(self) -> int:
        """Return the wall clock."""
        return self.wall_ms

    def boottime(self) -> float:
        """Return the clock that never jumps."""
        return self.boot_s

    def pass_s(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.wall_ms += round(seconds * 1000)
        self.boot_s += seconds


@dataclass
class Worker:
    """An agent that remembers what it was told."""

    store: Store
    caller: Caller
    scope: str
    queues: tuple[str, ...]
    claims: int = 0
    seqs: dict[str, int] = field(default_factory=dict)

    def claim(self, free: int = 1, claim_id: str = "") -> ClaimAnswer:
        """Claim under a new id, or repeat one."""
        self.claims += 1
        request = ClaimRequest(
            caller=self.caller,
            claim_id=claim_id or f"{self.caller.agent}-{self.caller.epoch}-{self.claims}",
            queues=self.queues,
            free=free,
        )
        return self.store.claim(request)

    def one(self) -> ItemGrant:
        """Claim exactly one item."""
        [grant] = self.claim().items
        return grant

    def beat(self, *grants: ItemGrant) -> HeartbeatAnswer:
        """Send a heartbeat that lists the leases of *grants*."""
        leases = tuple(ref(grant) for grant in grants)
        return self.store.heartbeat(Heartbeat(caller=self.caller, leases=leases))

    def refuse(self, *targets: str) -> HeartbeatAnswer:
        """Send a heartbeat that refuses these targets and none else."""
        refusing = {one: Refusal(reason="circuit_open", detail="5 failures") for one in targets}
        standing = AgentStanding(refusing=refusing)
        return self.store.heartbeat(Heartbeat(caller=self.caller, leases=(), standing=standing))

    def beat_digest(self, *grants: ItemGrant) -> HeartbeatAnswer:
        """Send a heartbeat with the digest of the leases of *grants* in place of their list."""
        marks = [mark(one.item, one.attempt, one.token) for one in grants]
        beat = Heartbeat(caller=self.caller, leases=(), digest=digest_of(marks))
        return self.store.heartbeat(beat)

    def launch(self, grant: ItemGrant, name: str = "ly-x-a1", scope: str = "") -> Answer:
        """Make the fenced write."""
        there = Place(scope=scope or self.scope, name=name)
        [answer] = self.store.launching(self.caller, [Launching(lease=ref(grant), place=there)])
        return answer

    def tell(self, grant: ItemGrant, fact: Fact, seq: int = 0) -> Answer:
        """Report a fact, as the next one unless *seq* says otherwise."""
        self.seqs[grant.item] = self.seqs.get(grant.item, grant.seq) + 1
        report = Report(lease=ref(grant), seq=seq or self.seqs[grant.item], fact=fact)
        [answer] = self.store.report(self.caller, [report])
        return answer

    def run(self, grant: ItemGrant, name: str = "ly-x-a1", uid: str = "42") -> ItemGrant:
        """Bring an item to LAUNCHED."""
        self.launch(grant, name)
        self.tell(grant, running(self.scope, name, uid))
        return grant

    def reclaim(self, grant: ItemGrant, place: Place | None = None) -> ReclaimAnswer:
        """Ask for an attempt back."""
        return self.store.reclaim(
            Reclaim(caller=self.caller, item=grant.item, attempt=grant.attempt, place=place)
        )

    def release(
        self, grant: ItemGrant, state: AttemptState = AttemptState.CLAIMED, uid: str = ""
    ) -> Answer:
        """Give an attempt back."""
        place = Place(scope=self.scope, name="ly-x-a1", uid=uid) if uid else None
        [answer] = self.store.release(
            self.caller, [Release(lease=ref(grant), state=state, place=place)]
        )
        return answer


def ref(grant: ItemGrant) -> LeaseRef:
    """Return how a holder names its lease."""
    return LeaseRef(item=grant.item, attempt=grant.attempt, token=grant.token)


def running(scope: str, name: str = "ly-x-a1", uid: str = "42") -> Fact:
    """Return the fact that an attempt runs, with its handle."""
    there = Place(scope=scope, name=name, uid=uid)
    return Fact(at_ms=1, state=AttemptState.RUNNING, place=there)


def succeeded(place: Place | None = None) -> Fact:
    """Return a good end."""
    return Fact(
        at_ms=2,
        state=AttemptState.SUCCEEDED,
        reason=Reason.COMPLETED,
        exit_code=0,
        place=place,
    )


@dataclass
class World:
    """The store under test with its clock; entity `team` and queue `q` are there."""

    store: Store
    clock: MovableClock
    ttl_s: float
    host_lost_s: float
    made: int = 0

    def prepare(self) -> World:
        """Make the entity and the queue, and let the first scan be over."""
        self.store.add_entity(Entity(name="team", kind=EntityKind.TEAM))
        self.queue("q")
        self.store.expire()
        return self

    def queue(self, name: str, limit: int | None = None) -> Queue:
        """Make a queue."""
        return self.store.add_queue(
            Queue(entity="team", name=name, resource="local", config={"a": 1}, limit=limit)
        )

    def put(self, queue: str = "q", key: str = "", body: str = "b", **more: Any) -> ItemView:
        """Put an item on a queue; *more* are further parts of a `NewItem`."""
        self.made += 1
        new = NewItem(
            id=f"item-{self.made:05}",
            entity="team",
            queue=queue,
            spec={"n": self.made},
            name=f"job {self.made}",
            submitter="ann",
            run_id=f"run-{self.made}",
            body_digest=body,
            idempotency_key=key,
            secrets={"TOKEN": "s3cret"},
            **more,
        )
        return self.store.enqueue(new)[0]

    def worker(
        self, scope: str = "host:1", queues: Sequence[str] = ("q",), agent: str = ""
    ) -> Worker:
        """Let an agent say hello; with *agent*, one that was here before."""
        grant = self.store.hello(self.hello(scope, queues, agent))
        caller = Caller(agent=grant.agent, epoch=grant.epoch)
        return Worker(self.store, caller, scope, tuple(queues))

    @staticmethod
    def hello(scope: str = "host:1", queues: Sequence[str] = ("q",), agent: str = "") -> AgentHello:
        """Return what an agent says at its start."""
        return AgentHello(
            agent=agent,
            name=f"agent on {scope}",
            entity="team",
            queues=tuple(queues),
            scopes=(scope,),
            max_jobs=4,
            hostname="h",
            version="1",
        )

    def wait(self, seconds: float, *awake: tuple[Worker, Sequence[ItemGrant]]) -> Expiry:
        """Let time pass with a scan every second; *awake* agents beat all the while."""
        total = Expiry()
        left = seconds
        while left > 0:
            self.clock.pass_s(min(STEP_S, left))
            left -= STEP_S
            for worker, grants in awake:
                worker.beat(*grants)
            done = self.store.expire()
            total = Expiry(
                woken=tuple({*total.woken, *done.woken}),
                requeued=total.requeued + done.requeued,
                offered=total.offered + done.offered,
                lost=total.lost + done.lost,
                next_s=done.next_s,
            )
        return total
