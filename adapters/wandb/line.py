"""What the parts of the adapter share: the server, the book, and who this agent is there."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from launchyard.adapters.wandb import operations as op
from launchyard.adapters.wandb.book import Book, Held
from launchyard.adapters.wandb.connections import Patience
from launchyard.adapters.wandb.files import LocalTails
from launchyard.adapters.wandb.graphql import GraphQL, Operation, Reply
from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import ItemGrant
from launchyard.domain.item import ItemState
from launchyard.domain.submission import WANDB_KEY, WANDB_URL
from launchyard.domain.wandb_polling import STATUS_ALONE_S, STATUS_S
from launchyard.ports.launch_server import ServerError

NO_KEY: Final = "the-key-of-the-submitter-was-lost"
"""What a job is given in place of a submitter's key that was lost; W&B's client refuses it."""

_PASSING: Final = ("internal", "timeout", "timed out", "unavailable", "temporar", "try again")


@dataclass(frozen=True, slots=True, kw_only=True)
class WandbSettings:
    """Where the server is, and what the agent's configuration says of its jobs.

    `key` gives the key as it is now. `stop_after_s` is how long a run that was told to stop has
    for it before its job is cancelled. `max_schedulers` is -1 for no limit. `job_read_s` is how
    long it may take to read what a job says: much less than the minute that an item is ours.
    """

    base_url: str
    key: Callable[[], str] = field(repr=False)
    folder: str
    max_schedulers: int = 1
    stop_after_s: float = 60.0
    job_read_s: float = 25.0
    patience: Patience = field(default_factory=Patience)


class Status:
    """Which status the server was told last, and when; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._word, self._at = "", 0.0
        self._on_the_way = 0
        self.over = False
        """Whether the last word was said; nothing is to overwrite it."""

    @contextlib.contextmanager
    def saying(self, word: str, *, alone: bool) -> Iterator[str]:
        """Give *word* if it is to be said, along with something else or alone; else give "".

        It is on its way to the server until the block ends.
        """
        with self._lock:
            said = word if self._due(word, alone=alone) else ""
            self._on_the_way += bool(said)
        try:
            yield said
        finally:
            with self._lock:
                self._on_the_way -= bool(said)

    def told(self, word: str) -> None:
        """Note that the server knows *word*."""
        with self._lock:
            self._word, self._at = word, time.monotonic()

    def end(self) -> bool:
        """Let nothing more be said; tell whether nothing is on its way, either."""
        with self._lock:
            self.over = True
            return not self._on_the_way

    def _due(self, word: str, *, alone: bool) -> bool:
        silent_s = time.monotonic() - self._at
        late = silent_s >= (STATUS_ALONE_S if alone else STATUS_S)
        return not self.over and (word != self._word or late)


@dataclass(slots=True)
class Line:
    """The line to one server; `agent` and what follows is known once the agent is registered."""

    settings: WandbSettings
    graphql: GraphQL
    book: Book
    tails: LocalTails
    agent: str = ""
    name: str = ""
    entity: str = ""
    keys: dict[str, str] = field(default_factory=dict, repr=False)
    given: set[str] = field(default_factory=set, repr=False)
    closed: threading.Event = field(default_factory=threading.Event)
    status: Status = field(default_factory=Status)

    def ask(self, operation: Operation) -> Reply:
        """Make one call; whatever is wrong may pass, as an agent outlives its server's troubles.

        Raises:
            ServerError: it failed.
        """
        try:
            return self.graphql.ask(operation)
        except ServerError as e:
            raise ServerError(str(e), retry=True, remedy=e.remedy) from None

    def live(self) -> tuple[Held, ...]:
        """Return the items that the agent has."""
        return tuple(held for held in self.book.all() if not held.shelved)

    def _own_key(self) -> str:
        """Return the agent's key for a job; it is taken out of logs also when it was replaced."""
        key = self.settings.key()
        if key not in self.given:
            self.given = {*self.given, key}
        return key

    def keyless(self, held: Held) -> bool:
        """Tell whether the key of an item's submitter was lost: it is in no file, and has no other.

        Nothing is to be done in such an item's name with the agent's key.
        """
        return held.own_key and held.item not in self.keys

    def word(self) -> str:
        """Return the agent's status in W&B's words."""
        return "RUNNING" if self.live() else "POLLING"

    def grant_of(self, held: Held) -> ItemGrant:
        """Return an item as the agent gets it, or gets it again."""
        where, launched = ItemState.CLAIMED, AttemptState.CLAIMED
        if held.place is not None:
            where = ItemState.LAUNCHED if held.place.uid else ItemState.LAUNCHING
            launched = AttemptState.SUBMITTING
        key = self.keys.get(held.item) or self._own_key()
        if self.keyless(held):
            # It runs by now, or a crash came right before its submit: then it must not run as us.
            key = NO_KEY
        return ItemGrant(
            item=held.item,
            attempt=1,
            token=held.token,
            entity=self.entity,
            queue=held.queue,
            resource=held.resource,
            spec=dict(held.spec),
            queue_config=held.config,
            submitter=held.author,
            run_id=held.run_id,
            enqueued_at_ms=held.popped_ms,
            state=where,
            attempt_state=launched,
            place=held.place,
            secrets=job_secrets(self.settings.base_url, key),
        )


def job_secrets(base_url: str, key: str) -> dict[str, str]:
    """Return what a job needs to report to the server, which no journal keeps."""
    return {WANDB_URL: base_url, WANDB_KEY: key}


def now_ms() -> int:
    """Return the wall clock."""
    return time.time_ns() // 1_000_000


def field_of(reply: Reply, number: int) -> object:
    """Return what the answer says of the given number."""
    return reply.data.get(op.alias(number))


def inner(value: object, *steps: str) -> object:
    """Return what is at the end of *steps* in nested objects, or None."""
    for step in steps:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def checked(reply: Reply, count: int) -> Reply:
    """Return *reply* if it says something of each of *count* things, "there is none" included.

    Raises:
        ServerError: of one it could not tell for now; that is not the same as none.
    """
    for number in range(count):
        trouble = reply.errors.get(op.alias(number), "")
        if is_passing(trouble):
            raise ServerError(trouble, retry=True)
    return reply


def is_passing(refusal: str) -> bool:
    """Tell whether a server that refuses in these words may only be unwell."""
    return any(word in refusal.lower() for word in _PASSING)
