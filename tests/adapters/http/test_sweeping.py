"""Housekeeping beside a working server: nothing that is wanted goes, and no bad blob stops it."""

from __future__ import annotations

import asyncio
import io
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from launchyard.adapters.http.house import House
from launchyard.adapters.http.sweeping import Sweeper
from launchyard.adapters.local.blobs import FolderBlobs
from launchyard.adapters.sql.store import SqlStore, open_store
from launchyard.plugins.testkit.store_world import MovableClock, World
from launchyard.ports.blobs import BlobError
from launchyard.ports.housekeeping import Gone, Kind, OldArchives, Sweep
from launchyard.ports.records import FileRecord, NewItem
from tests.adapters.http.table import table

_LIMIT_S = 60


class _Blobs(FolderBlobs):
    """Files below a folder, of which one cannot be deleted; tells of each delete before it."""

    bad = ""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.before: Callable[[], None] | None = None

    def delete(self, name: str) -> None:
        """Refuse, or delete."""
        if self.before is not None:
            self.before()
        if name == self.bad:
            raise BlobError(f"cannot delete {name}: it is stuck")
        super().delete(name)


def _seen(hooks: list[Callable[[], object]]) -> type[SqlStore]:
    """Return a kind of store that calls *hooks* when a search for archives begins."""

    class Seen(SqlStore):
        def old_archives(self, before_ms: int) -> OldArchives:
            for hook in hooks:
                hook()
            return super().old_archives(before_ms)

    return Seen


@dataclass
class Yard:
    """A house with a store, and a clock that stands still."""

    house: House
    world: World
    blobs: _Blobs
    hooks: list[Callable[[], object]]
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def ended(self) -> str:
        """Return an item that ended with an output."""
        item = f"item-{next(self.numbers)}"
        new = NewItem(
            id=item,
            entity="team",
            queue="q",
            spec={},
            name="",
            submitter="ann",
            run_id="",
            body_digest=item,
        )
        self.world.store.enqueue(new)
        self.blobs.put(f"outputs/{item}", io.BytesIO(b"12345"))
        output = FileRecord(path="a", size_b=5, sha256="s", blob=f"outputs/{item}")
        self.world.store.put_output(item, 1, output)
        self.world.store.cancel(item, "ann")
        return item

    def sweep(self) -> Sweep:
        """Sweep, a year later."""
        self.world.clock.pass_s(365 * 86400.0)
        return asyncio.run(asyncio.wait_for(Sweeper(self.house).sweep(dry_run=False), _LIMIT_S))

    def left(self) -> set[str]:
        """Return the items whose outputs are still there."""
        return {name.partition("/")[2] for name in self.blobs.names("outputs/")}


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """Give a yard."""
    clock, blobs = MovableClock(), _Blobs(tmp_path / "blobs")
    hooks: list[Callable[[], object]] = []
    with ExitStack() as stack:
        store = open_store(f"sqlite:///{tmp_path / 'server.db'}", clock, kind=_seen(hooks))
        stack.callback(store.close)
        services = replace(table().services, store=store, clock=clock, blobs=blobs)
        house = House(services)
        stack.callback(house.stop_reading)
        yield Yard(house, World(store, clock, 45, 600).prepare(), blobs, hooks)


def _items(sweep: Sweep) -> Gone:
    return next(one for one in sweep.gone if one.kind is Kind.ITEMS)


def test_an_item_that_is_tried_again_meanwhile_keeps_its_outputs(yard: Yard) -> None:
    """It was found with others of its page; what counts is what it is when its turn comes."""
    items = [yard.ended() for _ in range(15)]

    async def sweep() -> Sweep:
        loop, done = asyncio.get_running_loop(), threading.Event()

        def in_loop() -> None:
            yard.world.store.retry(items[-1], "ann")
            done.set()

        def retry() -> None:
            yard.blobs.before = None
            loop.call_soon_threadsafe(in_loop)
            assert done.wait(_LIMIT_S)

        yard.blobs.before = retry
        return await Sweeper(yard.house).sweep(dry_run=False)

    yard.world.clock.pass_s(365 * 86400.0)
    swept = asyncio.run(asyncio.wait_for(sweep(), _LIMIT_S))
    assert _items(swept) == Gone(kind=Kind.ITEMS, count=14, size_b=70)
    assert yard.left() == {items[-1]}
    assert [file.path for file in yard.world.store.outputs(items[-1], 1)] == ["a"]


def test_a_blob_that_cannot_be_deleted_stops_nothing(
    yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names it; all other items go, and so do archives, in this sweep."""
    items = [yard.ended() for _ in range(3)]
    yard.blobs.bad = f"outputs/{items[0]}"
    yard.blobs.put("archives/x", io.BytesIO(b"1234567"))
    archive = FileRecord(path="x", size_b=7, sha256="ab" * 32, blob="archives/x")
    yard.world.store.put_archive(archive)
    swept = yard.sweep()
    assert [(one.kind, one.count) for one in swept.gone[:2]] == [
        (Kind.ITEMS, 3),
        (Kind.ARCHIVES, 1),
    ]
    assert yard.left() == {items[0]}
    assert yard.blobs.names("archives/") == []
    assert f"cannot delete outputs/{items[0]}: it is stuck" in caplog.text


def test_a_search_of_housekeeping_keeps_nobody_waiting(yard: Yard) -> None:
    """Whoever asks for a long answer meanwhile gets it from another thread."""
    began, go_on = threading.Event(), threading.Event()

    def search() -> None:
        began.set()
        assert go_on.wait(_LIMIT_S)

    async def both() -> int:
        sweep = asyncio.create_task(Sweeper(yard.house).sweep(dry_run=True))
        try:
            assert await asyncio.to_thread(began.wait, _LIMIT_S)
            counts = await asyncio.wait_for(
                yard.house.read(lambda store: store.counts("team", "q")), _LIMIT_S
            )
        finally:
            go_on.set()
            await sweep
        return counts.waiting

    yard.hooks.append(search)
    yard.world.put()
    assert asyncio.run(asyncio.wait_for(both(), 2 * _LIMIT_S)) == 1
