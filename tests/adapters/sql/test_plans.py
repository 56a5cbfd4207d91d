"""No statement of the busy paths sorts, or walks a whole table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Select

from launchyard.adapters.sql import (
    again,
    agents,
    beats,
    claims,
    commands,
    items,
    listing,
    modes,
    reports,
    retries,
    scan,
    standings,
)
from launchyard.adapters.sql.store import SqlStore, open_store
from launchyard.plugins.testkit.store_world import MovableClock

BUSY: dict[str, Select[Any]] = {
    "claim": claims.NEXT,
    "limit": items.COUNT_ACTIVE,
    "adopt": claims.ADOPTABLE,
    "caller": agents.AGENT,
    "heartbeat": beats.LEASES,
    "missed": beats.MISSING,
    "commands": commands.CANCELS,
    "report": reports.ITEM,
    "expired": scan.EXPIRED,
    "held": scan.HELD_SOME,
    "host lost": scan.FORGOTTEN,
    "next lease": scan.NEXT_LEASE,
    "next offer": scan.NEXT_OFFER,
    "position": items.POSITION,
    "waiting": items.COUNT_WAITING,
    "delayed": items.COUNT_DELAYED,
    "dead": items.COUNT_DEAD,
    "head": standings.HEAD,
    "done": items.COUNT_DONE,
    "oldest": items.OLDEST,
    "agents of a standing": agents.AGENTS_OF,
    "next delayed": again.NEXT_RIPE,
    "ripe": again.RIPE,
    "dead letters": again.DEAD_PAGE,
    "spent": retries.SPENT,
    "earlier attempt": retries.PAST,
    "list": listing.LIST_ALL,
    "list an entity": listing.LIST_ENTITY,
    "list a queue": listing.LIST_QUEUE,
    "list begun": listing.LIST_BEGUN,
    "list waiting": listing.LIST_WAITING,
    "list delayed": listing.LIST_DELAYED,
    "another priority": modes.WAITING_AT,
    "a delayed priority": modes.DELAYED_AT,
}
INDEX = {
    "claim": "items_waiting (queue_n=?)",
    "limit": "items_begun (queue_n=? AND state=?)",
    "adopt": "items_offered (place_scope=?)",
    "commands": "items_cancelled (holder_n=? AND cancel=?)",
    "heartbeat": "items_held (holder_n=?)",
    "expired": "agents_live",
    "host lost": "items_forgotten",
    "position": "COVERING INDEX items_waiting (queue_n=? AND priority=? AND seq<?)",
    "waiting": "COVERING INDEX items_waiting (queue_n=?)",
    "delayed": "COVERING INDEX items_delayed_queue (state=? AND queue_n=?)",
    "dead": "COVERING INDEX items_dead (queue_n=?)",
    "done": "COVERING INDEX items_begun (queue_n=? AND state=?)",
    "ripe": "items_delayed (not_before_ms",
    "dead letters": "items_dead (queue_n=? AND dead=? AND seq<?)",
    "list begun": "items_begun (queue_n=? AND state=? AND seq<?)",
    "list waiting": "items_waiting (queue_n=? AND priority=?)",
    "list delayed": "items_delayed_queue (state=? AND queue_n=? AND seq<?)",
    "another priority": "items_waiting (queue_n=? AND priority=?)",
    "a delayed priority": "items_delayed_queue (state=? AND queue_n=?)",
}


@pytest.fixture(scope="module", params=[False, True], ids=["unknown sizes", "analysed"])
def store(tmp_path_factory: pytest.TempPathFactory, request: Any) -> Iterator[SqlStore]:
    """Open a store with many waiting rows, with and without statistics for the planner."""
    path = tmp_path_factory.mktemp("plans") / "server.db"
    store = open_store(f"sqlite:///{path}", MovableClock())
    cursor = store._db._cursor
    cursor.execute("INSERT INTO entities (name, kind, created_ms) VALUES ('team', 'team', 0)")
    cursor.execute("INSERT INTO configs (document) VALUES ('{}')")
    cursor.execute(
        "INSERT INTO queues (entity_n, name, resource, config_n, created_ms)"
        " VALUES (1, 'q', 'local', 1, 0)"
    )
    cursor.execute(
        "INSERT INTO items (id, entity_n, queue_n, state, token_epoch, enqueued_ms, spec)"
        " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
        " SELECT 'i' || i, 1, 1, CASE i % 100 WHEN 0 THEN 'done' ELSE 'queued' END, 0, 0, '{}'"
        " FROM n"
    )
    if request.param:
        cursor.execute("ANALYZE")
    yield store
    store.close()


@pytest.mark.parametrize("name", BUSY)
def test_busy_statements_use_their_index(store: SqlStore, name: str) -> None:
    """Whatever the planner knows of the sizes, nothing is sorted and no long table is walked."""
    plan = _plan(store, BUSY[name])
    assert "TEMP B-TREE" not in plan
    assert "SCAN items" not in plan
    assert "SCAN agents" not in plan
    assert INDEX.get(name, "") in plan


def test_no_index_tempts_the_planner_away_from_waiting_rows(store: SqlStore) -> None:
    """An index that begins with queue and state, waiting rows included, costs a sort of them."""
    rows = store._db._cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'index'")
    definitions = [str(row[0]).lower() for row in rows.fetchall() if row[0]]
    begun = [text for text in definitions if "(queue_n, state" in text]
    assert begun
    assert all("state <> 'queued'" in text for text in begun)


def _plan(store: SqlStore, statement: Select[Any]) -> str:
    params = statement.compile().params
    names = [name for name, value in params.items() if value is None]
    rows = store._db.explain(statement, **dict.fromkeys(names, 1))
    return "\n".join(str(row["detail"]) for row in rows)
