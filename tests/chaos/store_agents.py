"""Agents as the stateful test drives them, and the things they start on their targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import (
    AgentGrant,
    AgentHello,
    Answer,
    Caller,
    ClaimRequest,
    Fact,
    Heartbeat,
    ItemGrant,
    Launching,
    LeaseRef,
    Place,
    Reclaim,
    ReclaimVerdict,
    Release,
    Report,
    Verdict,
)
from launchyard.domain.lease import Token
from launchyard.ports.records import StoreError, Trouble
from launchyard.ports.store import Store


class ViolationError(AssertionError):
    """A promise was broken."""


@dataclass
class Truth:
    """What must hold of all agents together."""

    granted: dict[str, Token] = field(default_factory=dict)
    """The highest token that anybody was ever given for an item."""

    holds: dict[tuple[str, int], Token] = field(default_factory=dict)
    """The highest token of each attempt."""

    things: dict[tuple[str, int], set[tuple[str, str]]] = field(default_factory=dict)
    """Where each attempt was started, and under which names."""

    def grant(self, item: str, attempt: int, token: Token) -> None:
        """Note a token that the store gave; it only grows."""
        if token < self.granted.get(item, token):
            raise ViolationError(f"the token of {item} shrank to {token}")
        self.granted[item] = self.holds[item, attempt] = token

    def taken(self, lease: LeaseRef) -> None:
        """Note a write that the store took; an earlier attempt has only its own past to write."""
        if lease.token < self.holds[lease.item, lease.attempt]:
            raise ViolationError(f"{lease.item}: a write with the old token {lease.token} counts")

    def start(self, item: str, attempt: int, place: Place) -> None:
        """Create an attempt's thing on its target, or find it there under its name."""
        found = self.things.setdefault((item, attempt), set())
        found.add((place.scope, place.name))
        if len(found) > 1:
            raise ViolationError(f"{item} runs twice: {sorted(found)}")


@dataclass
class Lease:
    """What an agent believes of one of its items."""

    item: str
    attempt: int
    token: Token
    seq: int
    place: Place | None = None
    started: bool = False
    pending: Report | None = None

    @property
    def ref(self) -> LeaseRef:
        """Return how the lease is named to the server."""
        return LeaseRef(item=self.item, attempt=self.attempt, token=self.token)


class Agent:
    """One agent; every answer may be *lost* on its way back to it."""

    def __init__(self, store: Callable[[], Store], truth: Truth, scopes: tuple[str, ...]) -> None:
        self._store, self._truth, self._scopes = store, truth, scopes
        self.leases: dict[str, Lease] = {}
        self.sent: list[Callable[[], object]] = []
        self.claims = 0
        self.id = ""
        self.hello()

    def hello(self, *, forget: bool = False) -> None:
        """Start, or start again; with *forget* as a new agent on the same host."""
        before = self.leases
        grant = self._say_hello("" if forget else self.id)
        self.id, self.epoch, self.leases = grant.agent, grant.epoch, {}
        for lease in grant.leases:
            self._take_up(lease, before.get(lease.item))

    def _say_hello(self, agent: str) -> AgentGrant:
        return self._store().hello(
            AgentHello(
                agent=agent,
                name="a",
                entity="team",
                queues=("q",),
                scopes=self._scopes,
                max_jobs=-1,
                hostname="h",
                version="1",
            )
        )

    @property
    def caller(self) -> Caller:
        """Return who speaks."""
        return Caller(agent=self.id, epoch=self.epoch)

    def _take_up(self, grant: ItemGrant, known: Lease | None = None) -> None:
        """Hold what was granted; the journal still knows a report that was not answered."""
        lease = Lease(grant.item, grant.attempt, grant.token, grant.seq, grant.place)
        if known and known.pending and known.pending.seq == grant.seq + 1:
            lease.pending = replace(known.pending, lease=lease.ref)
        if grant.place:  # look the name up, adopt it or create it: the same thing either way
            self._truth.start(grant.item, grant.attempt, grant.place)
            lease.started = True
        self.leases[grant.item] = lease

    def claim(self, free: int, *, lost: bool = False, again: bool = False) -> None:
        """Ask for work; *again* repeats the last claim id, as after a lost answer."""
        self.claims += not again
        request = ClaimRequest(
            caller=self.caller, claim_id=f"{self.epoch}.{self.claims}", queues=("q",), free=free
        )
        self.sent.append(lambda: self._grants_of(request))
        for grant in self._grants_of(request):
            known = self.leases.get(grant.item)
            if not lost and (known is None or known.token < grant.token):
                self._take_up(grant)

    def _grants_of(self, request: ClaimRequest) -> Sequence[ItemGrant]:
        answer = self._store().claim(request)
        for grant in (*answer.items, *answer.resolve):
            self._truth.grant(grant.item, grant.attempt, grant.token)
        return (*answer.items, *answer.resolve)

    def beat(self, *, lost: bool = False) -> None:
        """List all leases; take up what was not listed, reclaim what is stale."""
        refs = tuple(lease.ref for lease in self.leases.values())
        answer = self._store().heartbeat(Heartbeat(caller=self.caller, leases=refs))
        if lost:
            return
        for grant in answer.unlisted:
            self._take_up(grant)
        for ref in answer.stale:
            self.reclaim(ref.item)

    def launch(self, item: str, scope: str, *, lost: bool = False) -> None:
        """Make the fenced write, and the side effect once it is answered."""
        lease = self.leases[item]
        place = lease.place or Place(scope=scope, name=f"ly-{item}-a{lease.attempt}")
        caller, write = self.caller, Launching(lease=lease.ref, place=place)
        answer = self._write(write.lease, lambda: self._store().launching(caller, [write]))
        if lost:
            return
        if answer.verdict is Verdict.TAKEN:
            lease.place, lease.started = place, True
            self._truth.start(item, lease.attempt, place)
        elif answer.verdict is Verdict.STALE and not lease.started:
            self.reclaim(item)

    def report(self, item: str, fact: Fact, *, lost: bool = False) -> None:
        """Send the report that waits, or *fact* as the next one."""
        lease = self.leases[item]
        report = lease.pending or Report(lease=lease.ref, seq=lease.seq + 1, fact=fact)
        lease.pending = report
        caller = self.caller
        answer = self._write(report.lease, lambda: self._store().report(caller, [report]))
        if lost:
            return
        if answer.verdict is Verdict.TAKEN:
            lease.seq, lease.pending = report.seq, None
        elif answer.verdict is Verdict.STALE:
            self.reclaim(item)
        else:
            raise ViolationError(f"an honest report was answered {answer}")

    def release(self, item: str, *, lost: bool = False) -> None:
        """Give an item back; with the answer lost, it is still listed until it is stale."""
        lease, caller = self.leases[item], self.caller
        release = Release(lease=lease.ref, state=_stands(lease), place=lease.place)
        self._write(release.lease, lambda: self._store().release(caller, [release]))
        if not lost:
            self.leases.pop(item)

    def reclaim(self, item: str) -> None:
        """Ask for an item back under a new token, or let it go."""
        lease = self.leases[item]
        answer = self._store().reclaim(
            Reclaim(caller=self.caller, item=item, attempt=lease.attempt, place=lease.place)
        )
        if answer.verdict is not ReclaimVerdict.GRANTED or answer.token is None:
            self.leases.pop(item)
            return
        self._truth.grant(item, lease.attempt, answer.token)
        lease.token = answer.token
        waits = lease.pending
        lease.pending = None
        if waits and waits.seq == answer.seq + 1:
            lease.pending = replace(waits, lease=lease.ref)
        lease.seq = answer.seq

    def _write(self, lease: LeaseRef, write: Callable[[], Sequence[Answer]]) -> Answer:
        """Send a fenced write, and keep it as one that the network may deliver again."""

        def send() -> Answer:
            [answer] = write()
            if answer.verdict is Verdict.TAKEN:
                self._truth.taken(lease)
            return answer

        self.sent.append(send)
        return send()


def deliver(message: Callable[[], object]) -> None:
    """Deliver a message late or twice; only that its sender is of the past may be answered."""
    try:
        message()
    except StoreError as e:
        if e.trouble is not Trouble.STALE_AGENT:
            raise


def _stands(lease: Lease) -> AttemptState:
    return AttemptState.RUNNING if lease.started else AttemptState.CLAIMED
