"""What people ask of a server: the inbound port that the command line calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import BinaryIO, Protocol

from launchyard.domain.documents import Json
from launchyard.domain.rights import EntityKind, Role
from launchyard.ports.again import Again, Timing
from launchyard.ports.housekeeping import Upkeep
from launchyard.ports.launch_server import ServerError
from launchyard.ports.named_secrets import NamedSecrets
from launchyard.ports.ordering import Ordering
from launchyard.ports.records import (
    AgentView,
    Entity,
    ItemFilter,
    ItemView,
    Queue,
    QueueChange,
    QueueCounts,
)


class Failure(StrEnum):
    """What kind of refusal it was; the command line has an exit code for each."""

    AUTH = "auth"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    INVALID = "invalid"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is known of a refused call besides its message.

    `problems` are `(path, message, hint)` of a refused document; `known` are near names.
    """

    failure: Failure = Failure.OTHER
    where: str = ""
    known: tuple[str, ...] = ()
    problems: tuple[tuple[str, str, str], ...] = ()
    cursor: int = 0


class OperatorError(ServerError):
    """The server did not do it: the message says what, `refusal` why, `remedy` what helps."""

    def __init__(
        self,
        message: str,
        refusal: Refusal | None = None,
        *,
        retry: bool = False,
        status: int = 0,
        remedy: str = "",
    ) -> None:
        super().__init__(message, retry=retry, status=status, remedy=remedy)
        self.refusal = refusal or Refusal()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """Which server answers; needs no key."""

    name: str = ""
    version: str = ""
    installation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who the key speaks for."""

    user: str
    roles: Mapping[str, Role] = field(default_factory=dict)
    everywhere: Role | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyInfo:
    """A key without its text."""

    id: str
    user: str
    entity: str = ""
    role: Role
    label: str = ""
    created_ms: int = 0
    revoked_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A wish for a key; no entity means everywhere."""

    user: str
    entity: str
    role: Role
    label: str = ""


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key: its text is given this once."""

    info: KeyInfo
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue, with its counts where the server gave them."""

    queue: Queue
    counts: QueueCounts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A launch request for a queue; repeating one with its *idempotency_key* gives its item."""

    entity: str
    queue: str
    spec: Json
    name: str = ""
    idempotency_key: str = ""
    priority: str = ""
    timing: Timing = field(default_factory=Timing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why an item stands where it stands; `position` counts from 1, 0 when it waits no more."""

    reason: str
    text: str
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAddress:
    """Which log; attempt 0 is the latest, an empty source all of them."""

    item: str
    attempt: int = 0
    source: str = ""
    start: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogText:
    """Text of one log source; `to` is where its next text begins, in bytes."""

    source: str
    start: int
    to: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputView:
    """A file that a job left."""

    path: str
    size_b: int
    sha256: str


class Operator(Again, NamedSecrets, Ordering, Upkeep, Protocol):
    """What people ask of a server. No exception but `OperatorError` leaves.

    Iterators may be dropped at any time. Those that follow something find their way back to a
    server that was away for a while, and give nothing twice.
    """

    @property
    def url(self) -> str:
        """The server's address, for messages."""
        ...

    def info(self) -> ServerInfo:
        """Say which server answers."""
        ...

    def me(self) -> Me:
        """Say who the key speaks for."""
        ...

    def entities(self) -> Sequence[Entity]:
        """List the entities that the key may see."""
        ...

    def add_entity(self, name: str, kind: EntityKind) -> None:
        """Make an entity."""
        ...

    def keys(self) -> Sequence[KeyInfo]:
        """List the keys, without their texts."""
        ...

    def add_key(self, wish: NewKey) -> MadeKey:
        """Make a key."""
        ...

    def revoke_key(self, key_id: str) -> None:
        """End a key."""
        ...

    def queues(self, entity: str) -> Sequence[QueueView]:
        """List an entity's queues."""
        ...

    def queue(self, entity: str, name: str) -> QueueView:
        """Give one queue with its counts."""
        ...

    def add_queue(self, queue: Queue) -> QueueView:
        """Make a queue; its configuration may be an object, or a text in YAML or JSON."""
        ...

    def change_queue(self, entity: str, name: str, change: QueueChange) -> QueueView:
        """Set parts of a queue."""
        ...

    def delete_queue(self, entity: str, name: str) -> None:
        """Delete a queue on which nothing waits or runs."""
        ...

    def submit(self, launch: Launch) -> tuple[ItemView, bool]:
        """Put a launch on its queue; the flag tells whether the item is new."""
        ...

    def plan(self, launch: Launch) -> Json:
        """Give what would be put on the queue; changes nothing."""
        ...

    def items(self, wanted: ItemFilter) -> Sequence[ItemView]:
        """List items, the newest first."""
        ...

    def item(self, item: str) -> tuple[ItemView, Sequence[ItemView]]:
        """Give an item and its earlier attempts."""
        ...

    def cancel(self, item: str) -> ItemView:
        """Ask for an item's end."""
        ...

    def why(self, item: str) -> Why:
        """Say why an item stands where it stands."""
        ...

    def events(self, item: str) -> Iterator[ItemView]:
        """Give the item as it is now, then whenever it changes; ends after its logs are whole."""
        ...

    def logs(self, address: LogAddress) -> Iterator[bytes]:
        """Give a log as far as it is there."""
        ...

    def follow_logs(self, address: LogAddress) -> Iterator[LogText]:
        """Give a log as it comes; ends when it is whole."""
        ...

    def outputs(self, item: str, attempt: int = 0) -> Sequence[OutputView]:
        """List the files that an attempt left; attempt 0 is the latest."""
        ...

    def read_output(self, item: str, path: str, attempt: int = 0) -> Iterator[bytes]:
        """Give the bytes of one output."""
        ...

    def put_archive(self, sha256: str, file: BinaryIO) -> bool:
        """Upload a code archive unless the server has it; the flag tells whether it was sent."""
        ...

    def agents(self, entity: str = "") -> Sequence[AgentView]:
        """List agents."""
        ...

    def drain(self, agent: str) -> AgentView:
        """Ask an agent to take no more work, hand over what it has, and stop."""
        ...

    def pause(self, agent: str, *, paused: bool) -> AgentView:
        """Let an agent take nothing new, or again; what it has goes on."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...
