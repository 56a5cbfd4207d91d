"""What people ask of a server once a job has ended, or must not begin yet: part of `operator`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from launchyard.domain.documents import Json
from launchyard.domain.reason import FailureClass, Reason
from launchyard.ports.records import ItemView


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """A launch's retry policy, and from when on it may be claimed.

    At most one of `delay_s`, counted by the server, and `not_before_ms`, a moment, is set.
    """

    retry: Json = None
    delay_s: float | None = None
    not_before_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """Which dead letters of a queue: the named ones, or those of classes and reasons, or all."""

    entity: str
    queue: str
    items: tuple[str, ...] = ()
    classes: tuple[FailureClass, ...] = ()
    reasons: tuple[Reason, ...] = ()
    before: str = ""
    most: int = 50


class Again(Protocol):
    """Retries, copies and dead letters. No exception but `OperatorError` leaves."""

    def retry(self, item: str) -> ItemView:
        """Try an ended item again with fresh budgets, or let a delayed one go now."""
        ...

    def duplicate(self, item: str) -> ItemView:
        """Put a new item with the same launch on the same queue."""
        ...

    def dead_letters(self, wanted: Letters) -> Sequence[ItemView]:
        """List items that failed and that nothing but a replay brings back, the newest first."""
        ...

    def replay(self, wanted: Letters) -> Sequence[str]:
        """Try dead letters again, all or none of up to `most`; return their ids."""
        ...
