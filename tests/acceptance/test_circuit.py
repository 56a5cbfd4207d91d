"""One bad machine cannot eat a queue: its agent notices, keeps off, and comes back by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import requests

from tests.programs import ENTITY, LIMIT_S, QUEUE, Program, is_ok, until, yard

ITEMS = 100
BREAKER = {"LAUNCHYARD_AGENT_CIRCUIT_WAIT": "0.3", "LAUNCHYARD_AGENT_CIRCUIT_LONGEST_WAIT": "0.6"}


def operations(agent: Program, path: str) -> requests.Response:
    """Ask an agent's own endpoint."""
    return requests.get(f"{address(agent)}{path}", timeout=LIMIT_S)


def address(agent: Program) -> str:
    """Return where an agent's own endpoint is."""
    assert isinstance(agent.process.args, list)
    port = agent.process.args[agent.process.args.index("--operations-port") + 1]
    return f"http://127.0.0.1:{port}"


def circuit(agent: Program) -> dict[str, Any]:
    """Return how the breaker of the local target stands."""
    views = operations(agent, "/status.json").json()["circuits"]
    return dict(next(v for v in views if v["target"] == "local-process"))


CLOSED = {
    "target": "local-process",
    "state": "closed",
    "failures": 0,
    "trips": 0,
    "detail": "",
}


def ready(agent: Program) -> bool:
    """Tell whether the agent takes work."""
    return is_ok(f"{address(agent)}/readyz")


def trips(agent: Program) -> float:
    """Return how often the breaker has opened, as the metrics tell."""
    name = 'launchyard_circuit_trips_total{target="local-process"} '
    lines = operations(agent, "/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(name)).removeprefix(name))


def test_one_bad_machine_cannot_eat_a_queue(tmp_path: Path) -> None:
    """A hundred jobs on three agents, one of which fails each: all succeed, none pays for it.

    Alone with a job it says why that waits; mended, it takes the job and goes on as if nothing
    had been.
    """
    with yard(tmp_path) as made:
        retry = {"backoff": {"first_s": 0.1, "cap_s": 0.2}, "budgets": {"platform": 3}}
        made.call("PATCH", f"/entities/{ENTITY}/queues/{QUEUE}", json={"retry": retry})
        broken = made.start_agent("broken", 4, BREAKER)
        good = [made.start_agent(name, 4) for name in ("one", "two")]
        until(lambda: all(ready(agent) for agent in (broken, *good)), "agents")
        jobs = tmp_path / "broken" / "jobs"
        jobs.rmdir()
        jobs.write_text("no folder")

        items = [made.submit("true") for _ in range(ITEMS)]
        ends = [made.wait_done(item) for item in items]
        assert {end["attempt_state"] for end in ends} == {"succeeded"}
        assert trips(broken) >= 1
        assert circuit(broken)["state"] != "closed"
        assert any(end["attempt"] > 1 for end in ends)

        for agent in good:
            assert agent.stop() == 0
        last = made.submit("true")
        until(
            lambda: made.call("GET", f"/items/{last}/why")["reason"] == "circuit_open",
            "the reason",
        )
        why = made.call("GET", f"/items/{last}/why")["text"]
        assert "submit_failed" in json.dumps(circuit(broken)), why
        jobs.unlink()
        jobs.mkdir()
        assert made.wait_done(last)["attempt_state"] == "succeeded"
        # The server may know of the end before the breaker's state is told.
        until(lambda: circuit(broken) == CLOSED, lambda: f"a breaker as new: {circuit(broken)}")
