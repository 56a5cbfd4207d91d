"""The server's memory, at the height of its use cases.

A store decides nothing by itself: states, tokens, leases and reports are judged by `domain`;
a store makes each judgement atomic and durable. All times are the store's own clock unless an
argument says otherwise; tests give it a clock that they can move.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

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
from launchyard.domain.priority import Priority
from launchyard.domain.rights import Principal
from launchyard.ports.housekeeping import Housekeeping
from launchyard.ports.records import (
    AgentView,
    Entity,
    Expiry,
    FileRecord,
    ItemFilter,
    ItemView,
    KeyRecord,
    LogChunk,
    NewItem,
    Queue,
    QueueChange,
    QueueCounts,
    SealedSecrets,
    SecretRecord,
    Standing,
)
from launchyard.ports.retries import Retries
from launchyard.ports.tracking import Tracking


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
    def change_queue(self, entity: str, name: str, change: QueueChange) -> Queue:
        """Set parts of a queue.

        CONFLICT: it would become FIFO while items wait in it, or for their moment, with other
        priorities than the default. What is at agents, or has ended, comes back with the default.
        """
        ...

    def put_queue(self, queue: Queue, *, dry_run: bool = False) -> Queue:
        """Make a queue, or give the one of that name exactly these settings; repeats are harmless.

        A dry run changes nothing, and refuses what would be refused.
        CONFLICT: as `change_queue` says, or another target, which a queue keeps for life.
        """
        ...

    def delete_queue(self, entity: str, name: str) -> None:
        """Delete a queue without items that wait or run; else NOT_EMPTY."""
        ...


class Secrets(Protocol):
    """Named secrets of entities. A store holds sealed values and has no way to open one."""

    def set_secret(self, secret: SecretRecord) -> SecretRecord:
        """Keep a value under its name, in place of the one that was there."""
        ...

    def secrets(self, entity: str = "") -> Sequence[SecretRecord]:
        """List an entity's secrets, or all, by name."""
        ...

    def remove_secret(self, entity: str, name: str) -> None:
        """Remove a secret; NOT_FOUND carries near names."""
        ...

    def sealed_secrets(self, item: str) -> SealedSecrets:
        """Return what a claim of the item would carry now."""
        ...


class Items(Protocol):
    """Items, as submitters and readers use them."""

    def enqueue(self, new: NewItem) -> tuple[ItemView, bool]:
        """Put an item on its queue; the flag tells whether it is new.

        The same idempotency key (per entity) with the same body gives the same item; with another
        body it is a CONFLICT.
        """
        ...

    def repeated(self, entity: str, key: str, body_digest: str) -> ItemView | None:
        """Return what `enqueue` put there with this key; with another body it is a CONFLICT."""
        ...

    def item(self, item: str) -> ItemView: ...
    def items(self, wanted: ItemFilter) -> Sequence[ItemView]: ...
    def cancel(self, item: str, by: str) -> ItemView:
        """Ask for an item's end; a waiting one is DONE(cancelled) at once. Repeats are harmless."""
        ...

    def set_priority(self, item: str, priority: Priority) -> ItemView:
        """Move a waiting item; CONFLICT when it waits no more, or its queue serves by age."""
        ...

    def attempts(self, item: str) -> Sequence[ItemView]:
        """Return the item as it stood at the end of each earlier attempt, oldest first."""
        ...

    def standing(self, item: str) -> Standing:
        """Return what `domain.why` needs, with the exact position."""
        ...

    def standings(self, views: Sequence[ItemView]) -> Mapping[str, Standing]:
        """Return the standings of listed items by id, cheaply: a position above 1 is told as 2."""
        ...

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
    def may_take(self, request: ClaimRequest) -> bool:
        """Tell whether a claim that got nothing new could get something later.

        Not while its agent is paused or drains, nor once it was aborted, or had its answer.
        """
        ...

    def abort_claim(self, caller: Caller, claim_id: str) -> None: ...
    def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer: ...
    def given_up(self) -> Sequence[str]:
        """Return, once each, the items that heartbeats of this store took from their holders."""
        ...

    def launching(self, caller: Caller, batch: Sequence[Launching]) -> Sequence[Answer]: ...
    def report(self, caller: Caller, batch: Sequence[Report]) -> Sequence[Answer]: ...
    def reclaim(self, reclaim: Reclaim) -> ReclaimAnswer: ...
    def release(self, caller: Caller, batch: Sequence[Release]) -> Sequence[Answer]: ...
    def goodbye(self, caller: Caller) -> None: ...
    def agents(self, entity: str = "") -> Sequence[AgentView]: ...
    def ask_drain(self, agent: str) -> AgentView:
        """Make the agent's next answer carry a DRAIN command."""
        ...

    def ask_pause(self, agent: str, *, paused: bool) -> AgentView:
        """Let the agent get nothing new, or again; what it has goes on. Outlasts its restarts.

        PAUSE is repeated for as long as that holds, RESUME until the agent says no more that it is
        paused.
        """
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
                used up (a visible mark has then been appended), or for one source of a job's own
                too many.
        """
        ...

    def read_log(
        self, item: str, attempt: int, source: str, start: int, most_b: int
    ) -> LogChunk: ...
    def log_cursors(self, item: str, attempt: int) -> Mapping[str, int]: ...
    def put_output(self, item: str, attempt: int, file: FileRecord) -> str:
        """Note an output, in place of the one with its path; return the blob that this one had.

        Raises:
            StoreError: NOT_FOUND, or PAST_QUOTA for one output too many.
        """
        ...

    def expect_output(self, item: str, attempt: int, path: str) -> None:
        """Raise what `put_output` would, before any bytes come."""
        ...

    def outputs(self, item: str, attempt: int) -> Sequence[FileRecord]: ...
    def put_archive(self, file: FileRecord) -> None: ...
    def archive(self, sha256: str) -> FileRecord | None: ...


class Store(Retries, Directory, Secrets, Items, Work, Files, Housekeeping, Tracking, Protocol):
    """All of it. Calls are short and synchronous; one thread calls at a time, save for `reader`."""

    def together(self) -> AbstractContextManager[None]:
        """Commit all calls of the block at once; one that raises is undone alone.

        Raises:
            StoreError: at its end: nothing of the block was kept, whatever the calls returned.
        """
        ...

    def installation(self) -> str:
        """Return the random id of this server's database."""
        ...

    def reader(self) -> Store:
        """Return a view for long queries that another thread may use beside this store."""
        ...

    def close(self) -> None:
        """Give the database back; repeating is harmless."""
        ...
