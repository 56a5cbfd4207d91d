"""A mailbox that is emptied in one go, so that one commit covers all that was waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

import pykka

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Drain:
    """Something is in the mailbox."""


class Mailbox(Generic[T]):
    """Takes letters from any thread; tells its actor once, however many there are.

    Letters outlive the actor: what a dead one left is there for the one that replaces it.
    """

    def __init__(self) -> None:
        self._letters: SimpleQueue[T] = SimpleQueue()
        self._lock = threading.Lock()
        self._told = False
        self._ref: pykka.ActorRef[Any] | None = None
        self.doing = ""
        """What the actor is busy with, in a few words for people."""
        self.held = 0
        """How many letters its actor has taken and not worked off, where it keeps count."""
        self.on_death: Callable[[], None] = _nothing
        self.now: Callable[[], float] = _never
        self.since: float | None = None
        """Since when its actor works on what it has taken, by the clock `now`."""

    def put(self, letter: T) -> None:
        """Add *letter* and see to it that the actor looks."""
        self._letters.put(letter)
        self._nudge()

    def bind(self, ref: pykka.ActorRef[Any]) -> None:
        """Make *ref* the actor that is told."""
        with self._lock:
            self._ref, self._told, self.held = ref, False, 0
        if not self._letters.empty():
            self._nudge()

    def take_all(self) -> list[T]:
        """Return every letter that waits; only the actor calls this."""
        with self._lock:
            self._told = False
        taken: list[T] = []
        with suppress(Empty):
            while True:
                taken.append(self._letters.get_nowait())
        return taken

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count the time from now on as work on the letters that were taken."""
        self.since = self.now()
        try:
            yield
        finally:
            self.since = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Do not count the time: it is not the actor's fault, and a restart would not help."""
        worked, self.since = self.since is not None, None
        try:
            yield
        finally:
            self.since = self.now() if worked else None

    def __len__(self) -> int:
        return self._letters.qsize()

    def _nudge(self) -> None:
        with self._lock:
            if self._told or self._ref is None:
                return
            self._told, ref = True, self._ref
        with suppress(pykka.ActorDeadError):
            ref.tell(Drain())


def _nothing() -> None:
    """Do nothing."""


def _never() -> float:
    """Count no time: nobody has said by which clock."""
    return 0.0
