"""Group commit: changes that arrive together, and the claims they wake, are durable together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from launchyard.ports.records import StoreError
from launchyard.ports.store import Store

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Change:
    """A call of the store, and who waits for what it returns."""

    call: Callable[[], Any]
    done: asyncio.Future[Any]


class Line(Protocol):
    """Who waits for what a change may bring."""

    def anybody(self) -> bool:
        """Tell whether anybody waits."""
        ...

    def called(self) -> Sequence[Change]:
        """Return the changes of those for whom the latest ones brought something."""
        ...


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a call returned, or raised."""

    value: Any = None
    error: Exception | None = None


class Commits:
    """Collects the changes of one turn of the event loop into one commit.

    While a commit waits for the disk, further requests come in, and all of them are in the next
    one: so the busier the server, the fewer commits a change costs. Those of the *line* for whom
    it has something make their changes in the same commit: an item is there and claimed at once.
    """

    def __init__(self, store: Store, line: Line) -> None:
        self._store, self._line = store, line
        self._waiting: list[Change] = []

    async def run(self, call: Callable[[], _T]) -> _T:
        """Return what *call* returns, once it is durable.

        Calls are made in the order of `run`; from the first to the commit nothing else happens in
        this thread.

        Raises:
            Exception: what *call* raised, and then nothing of it was kept.
            StoreError: UNAVAILABLE: the commit failed.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[_T] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._commit)
        self._waiting.append(Change(call, done))
        return await done

    def _commit(self) -> None:
        changes, self._waiting = self._waiting, []
        for change, outcome in zip(changes, self._outcomes(changes), strict=True):
            if change.done.done():
                continue  # whoever asked is gone
            if outcome.error is not None:
                change.done.set_exception(outcome.error)
            else:
                change.done.set_result(outcome.value)

    def _outcomes(self, changes: list[Change]) -> list[_Outcome]:
        """Make *changes*, and put before them those that the line makes of them.

        An agent has more to do with its answer than who submits.
        """
        if len(changes) == 1 and not self._line.anybody():
            return [_outcome(changes[0])]
        try:
            with self._store.together():
                outcomes = [_outcome(change) for change in changes]
                called = self._line.called()
                changes[:0] = called
                return [_outcome(change) for change in called] + outcomes
        except StoreError as error:
            return [_Outcome(error=error)] * len(changes)


def _outcome(change: Change) -> _Outcome:
    try:
        return _Outcome(change.call())
    except Exception as error:  # noqa: BLE001 - it is raised where the call was asked for
        return _Outcome(error=error)
