"""Looking at 1,000,000 items that wait on 100 queues for 50 agents: `ps`, `why`, list of queues.

Half of all items wait on one queue, in all four priorities, because a queue's size is what a
position costs. Times are the client's, over a connection that is kept: the server's and a little.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from bench.rig import ENTITY, percentile, row, server

QUEUES: Final = 100
ITEMS: Final = 1_000_000
ROUNDS: Final = 20
AGENTS: Final = 50
"""Each serves all queues: `ps` and `why` ask which of them may take an item."""

_FILL: Final = """
INSERT INTO items (id, entity_n, queue_n, priority, state, token_epoch, run_id, name, submitter,
                   enqueued_ms, times, spec)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :items)
SELECT printf('0190%032d', i), :entity, :first + CASE WHEN i % 2 THEN 0 ELSE i / 2 % :queues END,
       i / 2 % 4, 'queued', 0, 'run' || i, 'job ' || i, 'ada', 1700000000000 + i,
       '{"queued":1700000000000}',
       '{"entity":"local","project":"p","overrides":{"entry_point":["true"]}}'
FROM n
"""


def main() -> None:
    """Fill a database, start a server on it, and print what looking costs."""
    with tempfile.TemporaryDirectory() as folder:
        with server(Path(folder)) as on:
            for number in range(QUEUES):
                body = {"name": f"q{number}", "resource": "local-process", "mode": "priority"}
                on.call("POST", f"/entities/{ENTITY}/queues", json=body)
            for number in range(AGENTS):
                on.call("POST", "/agents", json=_hello(number))
        deepest = _fill(Path(folder))
        with server(Path(folder)) as on:
            for name, path in _looks(deepest).items():
                median, worst = _measure(partial(on.call, "GET", path))
                row(f"{name}, p50 / worst", f"{median:.1f} / {worst:.1f} ms", "100 ms")


def _hello(number: int) -> dict[str, object]:
    """Return what an agent of all queues says at its start."""
    return {
        "agent": "",
        "name": f"agent{number}",
        "entity": ENTITY,
        "queues": [f"q{queue}" for queue in range(QUEUES)],
        "scopes": [f"host:{number}"],
        "max_jobs": 4,
        "hostname": "bench",
        "version": "0",
    }


def _looks(deepest: str) -> dict[str, str]:
    return {
        f"`ps` of {ITEMS:,} waiting items": f"/items?entity={ENTITY}&state=queued,claimed&most=50",
        "`ps` of one queue": f"/items?entity={ENTITY}&queue=q0&state=queued,claimed&most=50",
        "`ps --all`, 500 of them": f"/items?entity={ENTITY}&most=500",
        "`why` of the last in a line of 500,000": f"/items/{deepest}/why",
        f"list of {QUEUES} queues": f"/entities/{ENTITY}/queues",
    }


def _fill(folder: Path) -> str:
    """Put the items there; return the id of the one that is claimed last on the largest queue."""
    [path] = (folder / "server").glob("launchyard.db")
    with sqlite3.connect(path) as base:
        base.execute("PRAGMA synchronous = OFF")
        base.execute("PRAGMA cache_size = -400000")
        [(first, entity)] = base.execute(
            "SELECT n, entity_n FROM queues WHERE name = 'q0'"
        ).fetchall()
        values = {"items": ITEMS, "entity": entity, "first": first, "queues": QUEUES}
        base.execute(_FILL, values)
        [(last,)] = base.execute(
            "SELECT id FROM items WHERE queue_n = ? ORDER BY priority DESC, seq DESC LIMIT 1",
            (first,),
        ).fetchall()
    base.close()
    return str(last)


def _measure(call: Callable[[], object]) -> tuple[float, float]:
    """Return the median and the worst time to an answer, in milliseconds."""
    call()
    times: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    return percentile(times, 0.5), max(times)


if __name__ == "__main__":
    main()
