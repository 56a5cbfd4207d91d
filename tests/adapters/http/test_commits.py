"""Group commits with a real store: what is woken by a change is in that change's commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from launchyard.adapters.http.commits import Change, Commits
from launchyard.adapters.sql.settings import StoreSettings
from launchyard.adapters.sql.store import open_store
from launchyard.adapters.system.clock import SystemClock
from launchyard.domain.rights import EntityKind
from launchyard.ports.records import Entity, StoreError
from launchyard.ports.store import Store


@dataclass
class Line:
    """Those who wait: each is called once, as soon as there is a change."""

    calls: list[Callable[[], object]] = field(default_factory=list)
    answers: list[asyncio.Future[object]] = field(default_factory=list)

    def anybody(self) -> bool:
        """Tell whether anybody waits."""
        return bool(self.calls)

    def called(self) -> Sequence[Change]:
        """Return the changes of all."""
        calls, self.calls = self.calls, []
        self.answers = [asyncio.get_running_loop().create_future() for _ in calls]
        return [Change(call, done) for call, done in zip(calls, self.answers, strict=True)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return a store in a file."""
    opened = open_store(f"sqlite:///{tmp_path / 'server.db'}", SystemClock(), StoreSettings())
    yield opened
    opened.close()


def add(store: Store, name: str) -> Callable[[], Entity]:
    """Return a change."""
    return lambda: store.add_entity(Entity(name=name, kind=EntityKind.TEAM))


def names(store: Store) -> set[str]:
    """Return the entities that a connection of its own sees."""
    reader = store.reader()
    try:
        return {one.name for one in reader.entities()}
    finally:
        reader.close()


def test_who_is_woken_is_in_the_same_commit(store: Store) -> None:
    """Others see nothing of the first change before the second is there, too."""

    async def run() -> None:
        seen: list[set[str]] = []

        def woken() -> str:
            seen.append(names(store))
            add(store, "second")()
            return "mine"

        line = Line([woken])
        await Commits(store, line).run(add(store, "first"))
        assert seen == [set()]
        assert names(store) == {"first", "second"}
        assert await line.answers[0] == "mine"

    asyncio.run(run())


def test_one_that_fails_fails_alone(store: Store) -> None:
    """Whoever woke it gets its answer all the same, and the other its error."""

    async def run() -> None:
        line = Line([add(store, "first")])
        made = await Commits(store, line).run(add(store, "first"))
        assert made.name == "first"
        with pytest.raises(StoreError, match="first"):
            await line.answers[0]
        assert names(store) == {"first"}

    asyncio.run(run())


def test_nobody_is_called_where_nobody_waits(store: Store) -> None:
    """A change alone is a commit of its own."""

    async def run() -> None:
        line = Line()
        await Commits(store, line).run(add(store, "first"))
        assert line.answers == []
        assert names(store) == {"first"}

    asyncio.run(run())
