"""Reading a log that grows, without a server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from launchyard.adapters.http.following import LogReader
from launchyard.adapters.http.house import House
from launchyard.adapters.sql.store import open_store
from launchyard.plugins.testkit.store_world import MovableClock, World


def test_a_read_ends_where_it_was_said_to(tmp_path: Path) -> None:
    """What is appended while it is sent is for the next read, which begins there."""
    clock = MovableClock()
    store = open_store(f"sqlite:///{tmp_path / 'server.db'}", clock)
    item = World(store, clock, 45, 600).prepare().put().id
    house = cast("House", SimpleNamespace(store=store))

    async def read(start: int, ends: dict[str, int]) -> bytes:
        log = LogReader(house, item, 1, "job", start)
        return b"".join([piece async for piece in log.until(ends)])

    store.append_log(item, 1, "job", 0, b"one\n")
    ends = LogReader(house, item, 1, "job", 0).ends()
    store.append_log(item, 1, "job", 4, b"two\n")
    store.append_log(item, 1, "other", 0, b"more\n")
    assert asyncio.run(read(0, ends)) == b"one\n"
    now = LogReader(house, item, 1, "job", 4).ends()
    assert asyncio.run(read(ends["job"], now)) == b"two\n"
    store.close()
