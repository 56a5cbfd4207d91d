"""What goes over REST and is no value of `domain` or `ports`: small bodies and lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from launchyard.domain.documents import Json
from launchyard.domain.exchange import Answer, Launching, Release, Report
from launchyard.domain.priority import QueueMode
from launchyard.domain.rights import EntityKind, Role
from launchyard.ports.records import AgentView, Entity, ItemView, Queue, QueueCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """Which server this is."""

    name: str
    version: str
    installation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who the key speaks for."""

    user: str
    roles: Mapping[str, Role]
    everywhere: Role | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntity:
    """A team or a person to be made."""

    name: str
    kind: EntityKind = EntityKind.TEAM


@dataclass(frozen=True, slots=True, kw_only=True)
class Entities:
    """A list."""

    entities: tuple[Entity, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key to be made; no entity means everywhere."""

    user: str
    entity: str
    role: Role
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyShown:
    """A key without its text."""

    id: str
    user: str
    entity: str
    role: Role
    label: str
    created_ms: int
    revoked_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMade:
    """A new key; its text is told this once."""

    id: str
    user: str
    entity: str
    role: Role
    label: str
    created_ms: int
    revoked_ms: int | None
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """A list."""

    keys: tuple[KeyShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """The value of a secret; no answer ever has it."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretShown:
    """A secret without its value."""

    name: str
    set_by: str
    created_ms: int
    changed_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """A list."""

    secrets: tuple[SecretShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewQueue:
    """A queue to be made; `config` is an object, or a text in YAML or JSON.

    Without `paused` a queue that is there stays as it is, and a new one is open.
    """

    name: str
    resource: str
    config: Json = None
    overridable: tuple[str, ...] | None = None
    limit: int | None = None
    mode: QueueMode = QueueMode.FIFO
    template_variables: Json = None
    paused: bool | None = None
    retry: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueShown:
    """A queue with how many of its items stand where."""

    entity: str
    name: str
    resource: str
    config: Json
    overridable: tuple[str, ...] | None
    limit: int | None
    paused: bool
    mode: QueueMode
    template_variables: Json
    retry: Json
    created_ms: int
    counts: QueueCounts

    @classmethod
    def of(cls, queue: Queue, counts: QueueCounts) -> QueueShown:
        """Put the two together."""
        known = {field.name: getattr(queue, field.name) for field in fields(queue)}
        return cls(**known, counts=counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """A list."""

    queues: tuple[QueueShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLaunch:
    """A launch for a queue: to be claimed `delay_s` from now on, or from `not_before_ms` on."""

    spec: Json
    name: str = ""
    priority: Json = None
    retry: Json = None
    not_before_ms: int | None = None
    delay_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A warning about a launch that is taken all the same."""

    path: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What would be put on the queue; `request` is what its target would be asked for.

    There is none where only an agent can tell, or where a finding says what is in the way.
    """

    entity: str
    queue: str
    resource: str
    spec: Json
    config: Json
    priority: str
    request: Json = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list, the newest first."""

    items: tuple[ItemView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """A list."""

    agents: tuple[AgentView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputShown:
    """A file that an attempt left, or a code archive."""

    path: str
    size_b: int
    sha256: str
    created_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """A list."""

    outputs: tuple[OutputShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a log's next chunk begins."""

    cursor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Abort:
    """Ends a waiting claim."""

    epoch: int
    claim_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """Says that an agent stops."""

    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Launchings:
    """A batch."""

    epoch: int
    batch: tuple[Launching, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """A batch."""

    epoch: int
    batch: tuple[Report, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Releases:
    """A batch."""

    epoch: int
    batch: tuple[Release, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How each element of a batch was taken, in its order."""

    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepWish:
    """Whether a sweep only counts."""

    dry_run: bool = False
