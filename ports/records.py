"""What the server's store keeps and tells: the records behind `ports/store.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from launchyard.domain.attempt import AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.exchange import AgentStanding
from launchyard.domain.item import ItemState
from launchyard.domain.priority import DEFAULT, Priority, QueueMode
from launchyard.domain.rights import EntityKind, Role


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
class SecretRecord:
    """A named secret of an entity: *sealed* is what the vault made of its value."""

    entity: str
    name: str
    sealed: str = field(repr=False)
    set_by: str = ""
    created_ms: int = 0
    changed_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSecrets:
    """What an item's holder is to be given: sealed values by variable.

    `names` has, by variable, the name of each secret that is the entity's and not the item's own.
    """

    item: str
    entity: str
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue; `overridable` None means the default paths, `limit` None means none.

    `template_variables` are described as `domain.template_schema` says.
    """

    entity: str
    name: str
    resource: str
    config: Json
    overridable: tuple[str, ...] | None = None
    limit: int | None = None
    paused: bool = False
    mode: QueueMode = QueueMode.FIFO
    template_variables: Json = None
    retry: Json = None
    created_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueChange:
    """Which parts of a queue to set; None leaves a part as it is, `no_limit` removes the limit."""

    config: Json = None
    overridable: tuple[str, ...] | None = None
    limit: int | None = None
    no_limit: bool = False
    paused: bool | None = None
    mode: QueueMode | None = None
    template_variables: Json = None
    retry: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounts:
    """How many items of a queue stand where.

    `waiting` are those that may be claimed, `delayed` those whose moment has not come; `dead`
    are those among the done ones that are dead letters.
    """

    waiting: int = 0
    active: int = 0
    done: int = 0
    delayed: int = 0
    dead: int = 0
    oldest_waiting_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An item to be put on a queue. *body_digest* tells whether a repeat asks for the same.

    `secrets` are the sealed values that came with the launch, by variable.
    """

    id: str
    entity: str
    queue: str
    spec: Json
    name: str
    submitter: str
    run_id: str
    body_digest: str
    idempotency_key: str = ""
    priority: Priority = DEFAULT
    retry: Json = None
    not_before_ms: int | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """An item as people see it. `times_ms` has the first time of every state it was in.

    `waits` is the reason why it waits (`domain.why.WaitReason`), which only lists tell.
    `retries` counts the attempts before this one that its budgets paid for; `not_before_ms` is set
    until that moment; `dead` is the class of the failure that made it a dead letter.
    """

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
    priority: int = DEFAULT.value
    retries: int = 0
    not_before_ms: int | None = None
    dead: str = ""
    retry: Json = None
    waits: str = ""
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
    """What is needed to say why an item waits (`domain.why`); *held*: its agent has its lease."""

    item: ItemView
    queue: Queue
    position: int
    active: int
    agents: Sequence[AgentView]
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentView:
    """An agent as people see it; `online`: its lease holds, `paused`: it gets nothing new.

    A pause holds over restarts, until people end it.
    """

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
    paused: bool = False
    standing: AgentStanding = field(default_factory=AgentStanding)


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
    """What a scan did: queues that have work again, and counts for the metrics.

    All leases got a full term when the wall clock had been set by `clock_set_s`, or when the scan
    came `late_s` after its time; both are 0 else.
    """

    woken: tuple[str, ...] = ()
    requeued: int = 0
    offered: int = 0
    lost: int = 0
    next_s: float = 1.0
    clock_set_s: float = 0.0
    late_s: float = 0.0
