"""What a page of standings costs the database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from launchyard.adapters.sql.store import open_store
from launchyard.plugins.testkit.store_world import MovableClock, World
from launchyard.ports.records import ItemFilter


def test_a_page_reads_the_agents_once(tmp_path: Path) -> None:
    """However many queues it shows, each with those agents that serve it."""
    clock = MovableClock()
    store = open_store(f"sqlite:///{tmp_path / 'server.db'}", clock)
    world = World(store, clock, 45, 600).prepare()
    world.queue("second")
    world.queue("third")
    both, one = world.worker(queues=("q", "second")), world.worker("host:2", queues=("q",))
    ids = [world.put(name).id for name in ("q", "second", "third")]
    page = store.items(ItemFilter(entity="team"))
    said: list[str] = []
    connection = store._db.connection.connection.dbapi_connection
    assert isinstance(connection, sqlite3.Connection)
    connection.set_trace_callback(said.append)
    standings = store.standings(page)
    connection.set_trace_callback(None)
    serving = [{agent.id for agent in standings[item].agents} for item in ids]
    assert serving == [{both.caller.agent, one.caller.agent}, {both.caller.agent}, set()]
    assert len([text for text in said if "FROM agents" in text]) == 1
    store.close()
