"""Claims over HTTP, one item a call, 8 client processes; alone and with 1,000,000 waiting items.

Also what a heartbeat costs the server when its agent has 10,000 running attempts.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import sqlite3
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.rig import ENTITY, QUEUE, Server, percentile, row, server
from bench.stalls import Clock, machine
from launchyard.domain.lease import Token, digest_of, mark

CLIENTS = 8
CLAIMS_EACH = 400
MANY = 1_000_000
RUNNING = 10_000


class Caller:
    """One agent at the wire, with as little of a client as can be."""

    def __init__(self, url: str, key: str) -> None:
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._connection = http.client.HTTPConnection(str(urlsplit(url).netloc), timeout=60)
        hello = {
            "agent": "",
            "name": f"bench-{uuid.uuid4().hex[:6]}",
            "entity": ENTITY,
            "queues": [QUEUE],
            "scopes": [],
            "max_jobs": -1,
            "hostname": "bench",
            "version": "0",
        }
        grant = self.post("", hello)
        self.agent, self.epoch = grant["agent"], grant["epoch"]
        self.caller = {"agent": self.agent, "epoch": self.epoch}

    def post(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        """Call an agent's endpoint."""
        path = "/api/v1/agents" + (f"/{self.agent}/{call}" if call else "")
        self._connection.request("POST", path, json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        document = json.loads(answer.read())
        if answer.status >= 300:
            raise RuntimeError(f"{path}: {answer.status} {document}")
        return dict(document)

    def claim(self, free: int) -> list[dict[str, Any]]:
        """Claim up to *free* items, without waiting."""
        wish = {"claim_id": uuid.uuid4().hex, "queues": [QUEUE], "free": free, "wait_s": 0}
        return list(self.post("claim", {"caller": self.caller, **wish})["items"])


def _claim_many(url: str, key: str, count: int, gate: Any, answers: Any) -> None:
    caller = Caller(url, key)
    gate.wait()
    begun = time.time_ns()
    got = sum(len(caller.claim(1)) for _ in range(count))
    answers.put((begun, time.time_ns(), got))


def claims_per_second(on: Server, clock: Clock) -> float:
    """Return how many items eight processes claim in a second that the machine runs."""
    context = multiprocessing.get_context("spawn")
    gate, answers = context.Barrier(CLIENTS), context.Queue()
    key = on.key_file.read_text().strip()
    processes = [
        context.Process(target=_claim_many, args=(on.url, key, CLAIMS_EACH, gate, answers))
        for _ in range(CLIENTS)
    ]
    for process in processes:
        process.start()
    spans = [answers.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    if sum(got for _, _, got in spans) < CLIENTS * CLAIMS_EACH:
        print("the queue ran dry", file=sys.stderr)
    span = (min(begun for begun, _, _ in spans), max(end for _, end, _ in spans))
    return float(sum(got for *_, got in spans) / clock.awake_ms(*span) * 1e3)


def fill(database: Path, count: int) -> None:
    """Copy the only waiting row *count* times, faster than the interface could be asked."""
    with sqlite3.connect(database, timeout=60) as db:
        columns = [name for _, name, *_ in db.execute("PRAGMA table_info(items)")]
        (seq,) = db.execute("SELECT max(seq) FROM items").fetchone()
        instead = {"seq": "n.i", "id": "src.id || '-' || n.i"}
        values = ", ".join(instead.get(name, f"src.{name}") for name in columns)
        db.execute(
            f"WITH RECURSIVE n(i) AS (SELECT {seq} + 1 UNION ALL SELECT i + 1 FROM n "  # noqa: S608
            f"WHERE i < {seq} + {count}) INSERT INTO items ({', '.join(columns)}) "
            f"SELECT {values} FROM n, items AS src WHERE src.seq = {seq}"
        )
    db.close()


def heartbeat_ms(on: Server) -> list[float]:
    """Return what heartbeats of an agent with 10,000 leases took, in ms of server CPU."""
    caller = Caller(on.url, on.key_file.read_text().strip())
    leases: list[dict[str, Any]] = []
    while len(leases) < RUNNING:
        names = ("item", "attempt", "token")
        leases += [{name: item[name] for name in names} for item in caller.claim(500)]
    marks = (mark(one["item"], one["attempt"], Token.parse(one["token"])) for one in leases)
    beat = {"caller": caller.caller, "leases": [], "status": "running", "digest": digest_of(marks)}
    if caller.post("heartbeat", beat)["relist"]:
        raise RuntimeError("the server holds other leases than it granted")
    costs = []
    for _ in range(30):
        before = _cpu_ms(on.process.pid)
        caller.post("heartbeat", beat)
        costs.append(_cpu_ms(on.process.pid) - before)
    return costs


def _cpu_ms(pid: int) -> float:
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e6


def main() -> None:
    """Measure and print."""
    with (
        machine() as clock,
        tempfile.TemporaryDirectory() as folder,
        server(Path(folder)) as on,
    ):
        on.submit(["/bin/true"])
        (database,) = (Path(folder) / "server").rglob("*.db")
        fill(database, CLIENTS * CLAIMS_EACH + RUNNING)
        costs = heartbeat_ms(on)
        few = claims_per_second(on, clock)
        on.submit(["/bin/true"])
        fill(database, MANY)
        many = claims_per_second(on, clock)
        still = clock.share()
    figure = f"{few:.0f}/s (per second that the machine ran; it stood still {still:.0%})"
    row("claims over HTTP, one a call, 8 clients", figure, "900/s")
    row("the same with 1,000,000 waiting", f"{many:.0f}/s, {many / few:.2f} of that", "≥ 0.9")
    figure = f"{percentile(costs, 0.5):.1f} ms (p90 {percentile(costs, 0.9):.1f}; server CPU)"
    row("10,000 running attempts: a heartbeat's cost", figure, "5 ms")


if __name__ == "__main__":
    main()
