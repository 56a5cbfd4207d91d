"""What agent and server say to each other about work; PROTOCOL sections 3, 4 and 11 in values.

Both sides use these, so each rule is written once. Times are `_ms` since 1970, durations `_s`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from launchyard.domain.attempt import AttemptState
from launchyard.domain.circuit import Victim
from launchyard.domain.documents import Json
from launchyard.domain.item import ItemState
from launchyard.domain.lease import Token
from launchyard.domain.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an attempt is, or is about to be, on a target; `uid` is empty before its handle."""

    scope: str
    name: str
    uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRef:
    """One lease, as its holder names it."""

    item: str
    attempt: int
    token: Token


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentHello:
    """An agent's start. `agent` is the id it kept from an earlier start, or empty.

    `name` is stable and chosen by people; `scopes` are the places it can reach; `queues` are in
    its order; `max_jobs` is -1 for no limit.
    """

    agent: str
    name: str
    entity: str
    queues: tuple[str, ...]
    scopes: tuple[str, ...]
    max_jobs: int
    hostname: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemGrant:
    """A lease with all that its holder needs to work on the item, or to take it up again."""

    item: str
    attempt: int
    token: Token
    entity: str
    queue: str
    resource: str
    spec: Json
    queue_config: Json
    submitter: str
    run_id: str
    enqueued_at_ms: int
    state: ItemState
    attempt_state: AttemptState
    place: Place | None = None
    seq: int = 0
    cancel: bool = False
    log_cursors: Mapping[str, int] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentGrant:
    """The answer to a hello: who the agent is now, and the leases it still holds."""

    agent: str
    epoch: int
    ttl_s: float
    installation: str
    leases: tuple[ItemGrant, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Which start of which agent speaks; an older epoch is refused."""

    agent: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """A wish for work: at most *free* items, asked of *queues* in this order of preference.

    `free` may be 0: the call then only waits for commands. A new `claim_id` ends a waiting older
    claim of the same agent; repeating one gives the same items.
    """

    caller: Caller
    claim_id: str
    queues: tuple[str, ...]
    free: int
    wait_s: float = 0.0


class CommandKind(StrEnum):
    """What a server may ask of an agent."""

    CANCEL = "cancel"
    DRAIN = "drain"
    PAUSE = "pause"
    RESUME = "resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One wish of the server's; `item` and `attempt` only for CANCEL. Repeats are harmless."""

    kind: CommandKind
    item: str = ""
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAnswer:
    """Items claimed, items offered for resolution (PROTOCOL 3.4), and commands."""

    items: tuple[ItemGrant, ...] = ()
    resolve: tuple[ItemGrant, ...] = ()
    commands: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an agent takes nothing for a target now, or at most so many items.

    `reason` is a `domain.why.WaitReason`'s text, such as `circuit_open`; `detail` is for people.
    """

    reason: str
    detail: str = ""
    most: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStanding:
    """What a server must know of an agent to say why items wait; one that is empty says nothing.

    `refusing` is by target: the server gives nothing of such queues. `suspended` counts attempts
    without a slot; others wait there for a build or a launch. `max_jobs` outweighs the hello's.
    """

    refusing: Mapping[str, Refusal] = field(default_factory=dict)
    suspended: int = 0
    waiting_builds: int = 0
    waiting_launches: int = 0
    max_jobs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The list of every lease that the agent knows, or in its place the digest of the list.

    A server whose own leases of this agent have another digest asks for the list (`relist`).
    """

    caller: Caller
    leases: tuple[LeaseRef, ...]
    status: str = "polling"
    digest: str = ""
    standing: AgentStanding = field(default_factory=AgentStanding)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatAnswer:
    """How long the leases hold from the moment the heartbeat was sent.

    `unlisted` are leases the server holds for this agent that it did not list; `stale` those it
    listed and no longer holds: for them it stops side effects and calls `reclaim`.
    """

    ttl_s: float
    commands: tuple[Command, ...] = ()
    unlisted: tuple[ItemGrant, ...] = ()
    stale: tuple[LeaseRef, ...] = ()
    relist: bool = False


class Verdict(StrEnum):
    """How one element of a batch was taken; the number is the HTTP status of PROTOCOL 4."""

    TAKEN = "taken"
    STALE = "stale"
    GAP = "gap"
    CANCELLED = "cancelled"
    REFUSED = "refused"

    @property
    def status(self) -> int:
        """The HTTP status that says the same."""
        return {"taken": 200, "stale": 409, "gap": 422, "cancelled": 409, "refused": 400}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Launching:
    """The fenced write before the first side effect: this attempt goes there, under this name."""

    lease: LeaseRef
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What became known of an attempt. No `state` means a note, such as logs being complete.

    `suspended` is for the agent's own slots; a server keeps nothing of it, for whoever adopts the
    attempt asks the target, and heartbeats say how many there are.
    `circuit` says of an end that the agent's breaker takes the blame, and `refunds` of which
    earlier ends of this agent's it takes the blame, too (`domain.circuit`).
    """

    at_ms: int
    state: AttemptState | None = None
    place: Place | None = None
    reason: Reason | None = None
    detail: str = ""
    exit_code: int | None = None
    suspended: bool = False
    logs_complete: bool = False
    circuit: bool = False
    refunds: tuple[Victim, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One fact with its place in the item's order; `seq` starts at 1 and grows by one per item."""

    lease: LeaseRef
    seq: int
    fact: Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How one element was taken; for GAP `seq` is the last one the server has."""

    verdict: Verdict
    seq: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reclaim:
    """A holder with a stale token asks for its attempt back, showing what it has."""

    caller: Caller
    item: str
    attempt: int
    place: Place | None
    token: Token | None = None


class ReclaimVerdict(StrEnum):
    """GRANTED: go on under the new token. SUPERSEDED: another has it. OVER: it has ended."""

    GRANTED = "granted"
    SUPERSEDED = "superseded"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReclaimAnswer:
    """The verdict, with the new token and the last known report when granted."""

    verdict: ReclaimVerdict
    token: Token | None = None
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A holder gives an attempt back.

    Before LAUNCHING the item returns to its place in the queue; after it, it waits for an agent
    that reaches its scope, without expiry, and keeps its slot in the queue's limit. `log_cursors`
    say how far the holder came; a server gives the next one its own, committed with the bytes.
    """

    lease: LeaseRef
    state: AttemptState
    place: Place | None = None
    log_cursors: Mapping[str, int] = field(default_factory=dict)
