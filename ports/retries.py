"""What a store knows of retries, delays and dead letters; a part of `ports/store.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from launchyard.domain.reason import FailureClass, Reason
from launchyard.ports.records import ItemView, NewItem


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadFilter:
    """Which dead letters of a queue, newest first.

    `items` names them one by one; `classes` and `reasons` narrow what is left, each when it is
    not empty. `before` is the id of the last one already seen.
    """

    entity: str
    queue: str
    items: tuple[str, ...] = ()
    classes: tuple[FailureClass, ...] = ()
    reasons: tuple[Reason, ...] = ()
    before: str = ""
    most: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Ripe:
    """What became claimable: how many items of which queue, and when the next ones will."""

    ready: Sequence[tuple[str, str, int]] = ()
    next_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BadEnd:
    """An attempt ended badly: with `retried` its item was put back, else it is a dead letter."""

    entity: str
    queue: str
    failure: FailureClass
    retried: bool


class Retries(Protocol):
    """Attempts after the first, and waiting for a moment.

    An attempt's end and what follows from it are one transaction; a retried item keeps its enqueue
    time and its place in line.
    """

    def retry(self, item: str, by: str) -> ItemView:
        """Put an item that has ended back for its next attempt, with fresh budgets.

        One that only waits for its moment may be claimed at once. CONFLICT: it is worked on, its
        queue is gone, or secrets that came with it were forgotten at its end.
        """
        ...

    def duplicate(self, of: str, new: NewItem) -> ItemView:
        """Put *new*, a copy of the item *of*, on its queue, with the secrets that came with *of*.

        CONFLICT: those were forgotten at its end, or are another submitter's.
        """
        ...

    def dead_letters(self, wanted: DeadFilter) -> Sequence[ItemView]:
        """List items that failed and that nothing but a replay will bring back."""
        ...

    def replay(self, wanted: DeadFilter, by: str) -> Sequence[str]:
        """Retry dead letters, all or none of up to `most`; return their ids.

        What cannot be retried is left out, unless it was named: then it is a CONFLICT.
        """
        ...

    def ripen(self) -> Ripe:
        """Make what was delayed until now claimable, at its place in line."""
        ...

    def bad_ends(self) -> Sequence[BadEnd]:
        """Return, once each, the bad ends that this store took since the last call."""
        ...
