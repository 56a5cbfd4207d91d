"""Keeping house while the server works: in small steps, between which claims have their turn."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from launchyard.adapters.http.bodies import answer_value, read_value
from launchyard.adapters.http.endpoint import Endpoint, Needs
from launchyard.adapters.http.house import House
from launchyard.adapters.http.shapes import SweepWish
from launchyard.adapters.http.sweeping_kept import KeptSweeper
from launchyard.ports.blobs import BlobError
from launchyard.ports.housekeeping import DAY_S, Dropped, Gone, Kind, OldItem, OldItems, Sweep
from launchyard.ports.store import Store

_EVERY_S: Final = 3600.0
_PAGE: Final = 200
_TOGETHER: Final = 10
"""Items of one commit; with `_STEP_B` it bounds how long a claim waits for a sweep."""

_STEP_B: Final = 1024 * 1024
_PAUSE_S: Final = 0.005
_BODY_B: Final = 1024
_LOG: Final = logging.getLogger("launchyard.http")
_T = TypeVar("_T")


class Sweeper:
    """Takes away what the retention lets go. Runs in the event loop; searches run beside it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store, self._blobs = house.store, house.services.blobs
        self._kept = KeptSweeper(house)

    async def watch_for_ever(self) -> None:
        """Sweep every hour, for the first time an hour after the start."""
        while not self._house.waits.closed:
            await asyncio.sleep(_EVERY_S)
            try:
                await self.sweep(dry_run=False)
            except Exception:  # noqa: BLE001 - logged, and tried again
                # What stays too long is no reason to stop the server.
                _LOG.exception("housekeeping failed; it is tried again in an hour")

    async def sweep(self, *, dry_run: bool) -> Sweep:
        """Sweep once; tell what went, or with *dry_run* what would go."""
        keep = self._house.settings.retention
        plan = (
            (self._items, keep.items_d),
            (self._archives, keep.archives_d),
            (self._kept.runs, keep.runs_d),
            (self._kept.artifacts, keep.artifacts_d),
            (self._agents, keep.agents_d),
        )
        now = self._house.services.clock.now_ms()
        gone = [
            await one(now - round(days * DAY_S * 1000), dry_run) for one, days in plan if days > 0
        ]
        if not dry_run and any(one.count for one in gone):
            told = ", ".join(f"{one.count} {one.kind} ({one.size_b} bytes)" for one in gone)
            _LOG.info("housekeeping took away %s", told)
        return Sweep(dry_run=dry_run, gone=tuple(gone))

    async def _items(self, before_ms: int, dry_run: bool) -> Gone:  # noqa: FBT001 - see the plan
        gone, after = Gone(kind=Kind.ITEMS), 0
        while True:
            page = await self._house.search(_old_items(before_ms, after))
            for some in _groups(page.items):
                went = some if dry_run else await self._drop_all(some, before_ms)
                gone = gone.plus(len(went), sum(item.size_b for item in went))
            if not page.after:
                return gone
            after = page.after

    async def _drop_all(self, some: Sequence[OldItem], before_ms: int) -> Sequence[OldItem]:
        """Take items away together; return those that went."""
        went = await asyncio.gather(*(self._drop(item, before_ms) for item in some))
        await asyncio.sleep(_PAUSE_S)
        return [item for item, is_gone in zip(some, went, strict=True) if is_gone]

    async def _drop(self, item: OldItem, before_ms: int) -> bool:
        """Take an item away unless it is wanted again, its rows first: nothing names a hole."""
        done = Dropped(over=False)
        while not done.over:
            done = await self._house.write(
                lambda: self._store.drop_item(item.id, before_ms, _STEP_B)
            )
        await self._house.keeper.forget(done.blobs)
        return done.gone

    async def _archives(self, before_ms: int, dry_run: bool) -> Gone:  # noqa: FBT001
        gone = Gone(kind=Kind.ARCHIVES)
        found = await self._house.search(lambda store: store.old_archives(before_ms))
        for sha256, size_b in found.archives.items():
            if dry_run or self._forget(sha256, before_ms, found.seen):
                gone = gone.plus(1, size_b)
            await asyncio.sleep(0)
        return gone

    def _forget(self, sha256: str, before_ms: int, seen: int) -> bool:
        """Take an archive away in one turn of the loop, so that no upload comes in between."""
        if self._house.arriving[sha256]:
            return False
        blob = self._store.drop_archive(sha256, before_ms, seen)
        if not blob:
            return False
        try:
            self._blobs.delete(blob)
        except BlobError as error:
            _LOG.warning("housekeeping: %s", error)
        return True

    async def _agents(self, before_ms: int, dry_run: bool) -> Gone:  # noqa: FBT001
        gone = Gone(kind=Kind.AGENTS)
        found = await self._house.search(lambda store: store.old_agents(before_ms))
        if dry_run:
            return gone.plus(len(found), 0)
        for some in _groups(found):
            gone = gone.plus(self._store.drop_agents(some, before_ms), 0)
            await asyncio.sleep(_PAUSE_S)
        return gone


def _old_items(before_ms: int, after: int) -> Callable[[Store], OldItems]:
    return lambda store: store.old_items(before_ms, after, _PAGE)


def _groups(things: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Give *things* in as many at a time as one commit may have."""
    for first in range(0, len(things), _TOGETHER):
        yield things[first : first + _TOGETHER]


class SweepRoutes:
    """What an administrator may ask of housekeeping."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._sweeper = Sweeper(house)

    def endpoints(self) -> Sequence[Endpoint]:
        """Return this topic's part of the table."""
        return (
            Endpoint(
                method="POST",
                path="/api/v1/gc",
                handler=self.sweep,
                does="Take away what the retention lets go, or count it with `dry_run`",
                needs=Needs.SERVER,
                takes=SweepWish,
                gives=Sweep,
            ),
        )

    async def sweep(self, request: Request) -> Response:
        self._house.guard.require_everywhere(request)
        wish = await read_value(request, SweepWish, _BODY_B)
        return answer_value(await self._sweeper.sweep(dry_run=wish.dry_run))
