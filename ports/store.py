"""The server's memory, at the height of its use cases.

A store decides nothing by itself: states, tokens, leases and reports are judged by `domain`;
a store makes each judgement atomic and durable. All times are the store's own clock unless an
argument says otherwise; tests give it a clock that they can move.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from launchyard.domain.attempt import AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.exchange import (
    AgentGrant,
    AgentHello,
    Answer,
    Caller,
    ClaimAnswer,
    ClaimRequest,
    Heartbeat,
    HeartbeatAnswer,
    Launching,
    Reclaim,
    ReclaimAnswer,
    Release,
    Report,
)
from launchyard.domain.item import ItemState
from launchyard.domain.rights import EntityKind, Principal, Role


class Trouble(StrEnum):
    """Why a store refused; each has its HTTP status in `adapters/http`."""

    NOT_FOUND = "not_found"
    EXISTS = "exists"
    CONFLICT = "conflict"
    STALE_AGENT = "stale_agent"
    NOT_EMPTY = "not_empty"
    PAST_QUOTA = "past_quota"
    CURSOR = "cursor"
    UNAVAILABLE = "unavailable"


class StoreError(Exception):
    """A store's refusal; `known` are near names for a "did you mean", `cursor` for CURSOR."""

    def __init__(
        self, message: str, trouble: Trouble, *, known: Sequence[str] = (), cursor: int = 0
    ) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.known = known
        self.cursor = cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A team or a person; owns queues."""

    name: str
    kind: EntityKind
    created_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """A key without its text: *digest* is its SHA-256 in hexadecimal digits.

    `entity` is empty for a role everywhere.
    """

    id: str
    user: str
    entity: str
    role: Role
    label: str
    digest: str = field(repr=False)
    created_ms: int = 0
    revoked_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue; `overridable` None means the default paths, `limit` None means none."""

    entity: str
    name: str
    resource: str
    config: Json
    overridable: tuple[str, ...] | None = None
    limit: int | None = None
    paused: bool = False
    created_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueChange:
    """Which parts of a queue to set; None leaves a part as it is, `no_limit` removes the limit."""

    config: Json = None
    overridable: tuple[str, ...] | None = None
    limit: int | None = None
    no_limit: bool = False
    paused: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounts:
    """How many items of a queue stand where."""

    waiting: int = 0
    active: int = 0
    done: int = 0
    oldest_waiting_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An item to be put on a queue. *body_digest* tells whether a repeat asks for the same."""

    id: str
    entity: str
    queue: str
    spec: Json
    name: str
    submitter: str
    run_id: str
    body_digest: str
    idempotency_key: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """An item as people see it. `times_ms` has the first time of every state it was in."""

    id: str
    entity: str
    queue: str
    resource: str
    name: str
    submitter: str
    run_id: str
    state: ItemState
    attempt: int
    attempt_state: AttemptState | None
    enqueued_ms: int
    agent: str = ""
    agent_name: str = ""
    place_scope: str = ""
    place_name: str = ""
    place_uid: str = ""
    reason: str = ""
    detail: str = ""
    exit_code: int | None = None
    cancel: bool = False
    logs_complete: bool = False
    times_ms: Mapping[str, int] = field(default_factory=dict)
    spec: Json = None
    queue_config: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFilter:
    """Which items to list, newest first; `before` is the id of the last one already seen."""

    entity: str = ""
    queue: str = ""
    states: tuple[ItemState, ...] = ()
    before: str = ""
    most: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is needed to say why an item waits (`domain.why`)."""

    item: ItemView
    queue: Queue
    position: int
    active: int
    agents: Sequence[AgentView]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentView:
    """An agent as people see it; `online` means that its lease holds."""

    id: str
    name: str
    entity: str
    hostname: str
    version: str
    epoch: int
    queues: tuple[str, ...]
    scopes: tuple[str, ...]
    max_jobs: int
    status: str
    online: bool
    draining: bool
    active: int
    started_ms: int
    seen_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChunk:
    """Bytes of one log source of one attempt; `to` is where the next read begins."""

    source: str
    start: int
    to: int
    data: bytes
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """An output or an archive: its bytes are in the blob store under `blob`."""

    path: str
    size_b: int
    sha256: str
    blob: str
    created_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """What a scan did: queues that have work again, and counts for the metrics."""

    woken: tuple[str, ...] = ()
    requeued: int = 0
    offered: int = 0
    lost: int = 0
    next_s: float = 1.0


class Directory(Protocol):
    """Entities, keys and queues."""

    def add_entity(self, entity: Entity) -> Entity: ...
    def entities(self) -> Sequence[Entity]: ...
    def add_key(self, key: KeyRecord) -> KeyRecord: ...
    def keys(self, user: str = "") -> Sequence[KeyRecord]: ...
    def revoke_key(self, key_id: str) -> None: ...
    def principal(self, digest: str) -> Principal | None:
        """Return who the key with this digest speaks for; None when unknown or revoked."""
        ...

    def add_queue(self, queue: Queue) -> Queue: ...
    def queue(self, entity: str, name: str) -> Queue:
        """Return a queue; NOT_FOUND carries near names in `known`."""
        ...

    def queues(self, entity: str = "") -> Sequence[Queue]: ...
    def change_queue(self, entity: str, name: str, change: QueueChange) -> Queue: ...
    def delete_queue(self, entity: str, name: str) -> None:
        """Delete a queue without items that wait or run; else NOT_EMPTY."""
        ...


class Items(Protocol):
    """Items, as submitters and readers use them."""

    def enqueue(self, new: NewItem) -> tuple[ItemView, bool]:
        """Put an item on its queue; the flag tells whether it is new.

        The same idempotency key (per entity) with the same body gives the same item; with another
        body it is a CONFLICT.
        """
        ...

    def item(self, item: str) -> ItemView: ...
    def items(self, wanted: ItemFilter) -> Sequence[ItemView]: ...
    def cancel(self, item: str, by: str) -> ItemView:
        """Ask for an item's end; a waiting one is DONE(cancelled) at once. Repeats are harmless."""
        ...

    def attempts(self, item: str) -> Sequence[ItemView]:
        """Return the item as it stood at the end of each earlier attempt, oldest first."""
        ...

    def standing(self, item: str) -> Standing: ...
    def counts(self, entity: str, queue: str) -> QueueCounts: ...


class Work(Protocol):
    """PROTOCOL sections 3, 4 and 11, each call one transaction.

    A caller with an old epoch gets STALE_AGENT. `claim` never waits: waiting is the server's
    business; it grants up to `free` items over the queues in their order, one after another,
    keeps queue limits whatever the number of claimers, and repeats its answer for a repeated
    `claim_id`.
    """

    def hello(self, hello: AgentHello) -> AgentGrant: ...
    def claim(self, request: ClaimRequest) -> ClaimAnswer: ...
    def abort_claim(self, caller: Caller, claim_id: str) -> None: ...
    def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer: ...
    def launching(self, caller: Caller, batch: Sequence[Launching]) -> Sequence[Answer]: ...
    def report(self, caller: Caller, batch: Sequence[Report]) -> Sequence[Answer]: ...
    def reclaim(self, reclaim: Reclaim) -> ReclaimAnswer: ...
    def release(self, caller: Caller, batch: Sequence[Release]) -> Sequence[Answer]: ...
    def goodbye(self, caller: Caller) -> None: ...
    def agents(self, entity: str = "") -> Sequence[AgentView]: ...
    def ask_drain(self, agent: str) -> AgentView:
        """Make the agent's next answer carry a DRAIN command."""
        ...

    def expire(self) -> Expiry:
        """Scan the leases by the store's clock.

        After a start, a clock jump or a stall every live lease first gets one full term.
        """
        ...


class Files(Protocol):
    """Logs, outputs and archives; cursor and bytes of a log are committed together."""

    def append_log(  # the five parts of a chunk's address, in its order
        self, item: str, attempt: int, source: str, start: int, data: bytes
    ) -> int:
        """Append and return the new cursor.

        Raises:
            StoreError: CURSOR with the stored cursor, or PAST_QUOTA once the attempt's quota is
                used up (a visible mark has then been appended).
        """
        ...

    def read_log(
        self, item: str, attempt: int, source: str, start: int, most_b: int
    ) -> LogChunk: ...
    def log_cursors(self, item: str, attempt: int) -> Mapping[str, int]: ...
    def put_output(self, item: str, attempt: int, file: FileRecord) -> None: ...
    def outputs(self, item: str, attempt: int) -> Sequence[FileRecord]: ...
    def put_archive(self, file: FileRecord) -> None: ...
    def archive(self, sha256: str) -> FileRecord | None: ...


class Store(Directory, Items, Work, Files, Protocol):
    """All of it. Calls are short and synchronous; one thread calls at a time, save for `reader`."""

    def installation(self) -> str:
        """Return the random id of this server's database."""
        ...

    def reader(self) -> Store:
        """Return a view for long queries that another thread may use beside this store."""
        ...

    def close(self) -> None:
        """Give the database back; repeating is harmless."""
        ...
