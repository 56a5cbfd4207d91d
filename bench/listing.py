"""Looking at 1,000,000 waiting items on 100 queues: `ps`, `why` and the list of queues.

Half of all items wait on one queue, in all four priorities, because a queue's size is what a
position costs. The server's own time is read from its metrics; the worst answer is the client's.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.rig import ENTITY, Server, row, server

QUEUES: Final = 100
ITEMS: Final = 1_000_000
ROUNDS: Final = 20
_FAMILY: Final = "launchyard_http_request_duration_seconds"
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
        deepest = _fill(Path(folder))
        with server(Path(folder)) as on:
            for name, path in _looks(deepest).items():
                mean_ms, worst_ms = _measure(on, lambda path=path: on.call("GET", path))
                row(f"{name}, mean / worst", f"{mean_ms:.1f} / {worst_ms:.1f} ms", "100 ms")


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


def _measure(on: Server, call: Callable[[], object]) -> tuple[float, float]:
    """Return the server's mean time and the client's worst, in milliseconds."""
    call()
    before, worst = _spent(on), 0.0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        call()
        worst = max(worst, time.perf_counter() - began)
    return (_spent(on) - before) / ROUNDS * 1000, worst * 1000


def _spent(on: Server) -> float:
    """Return the seconds that all answers under `/api/v1` took together."""
    text = on.session.get(f"{on.url}/metrics", timeout=60).text
    lines = (line for line in text.splitlines() if line.startswith(f"{_FAMILY}_sum"))
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if "/api/v1" in line)


if __name__ == "__main__":
    main()
