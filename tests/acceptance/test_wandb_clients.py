"""Stock `wandb` against our server: the real package, as a process, from the command line up."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.programs import until
from tests.servers import RunningServer, running_server
from tests.stock_client import LIMIT_S, VERSIONS, Stock, stock_python

API = """
import wandb
from wandb.errors import CommError
from wandb.sdk.launch import launch_add
from wandb.sdk.launch.errors import LaunchError
api = wandb.Api()
assert api.default_entity == "team", api.default_entity
kind = {"entity": "team", "name": "made"}
made = api.create_run_queue(
    **kind, type="local-container", prioritization_mode="V0", config={"env": {"A": "{{a}}"}},
    template_variables={"a": {"schema": {"type": "string", "enum": ["x", "y"]}}},
)
seen = api.run_queue("team", "made")
assert (seen.type, seen.access, seen.prioritization_mode) == ("local-container", "PROJECT", "V0")
assert seen.default_resource_config == {
    "resource_args": {"local-container": {"env": {"A": "{{a}}"}}}
}
assert [one["name"] for one in seen.template_variables] == ["a"]
api.upsert_run_queue(
    **kind, resource_type="local-container", resource_config={"env": {"A": "1"}},
    prioritization_mode="V0",
)
queued = launch_add(
    docker_image="busybox", entity="team", project="p", queue_name="made", priority=0
)
assert queued.state == "pending", queued.state
assert [one.id for one in api.run_queue("team", "made").items] == [queued.id]
queued.delete()
assert queued.state == "failed", queued.state
api.run_queue("team", "made").delete()
assert api.run_queue("zoe", "own").access == "USER"
try:
    launch_add(docker_image="busybox", entity="zoe", project="p", queue_name="own")
except (CommError, LaunchError):
    print("all of it")
"""

WAITS = """
import sys
import wandb
queued = wandb.Api().queued_run("team", "p", "main", sys.argv[1], "model-registry")
run = queued.wait_until_finished()
print(queued.state, run.state, run.summary["best"], run.config["lr"], "is the end")
"""

TRAIN = """
import sys
import wandb
run = wandb.init(config={"lr": 0.1})
print("hello from the job")
wandb.log({"loss": 1.0})
wandb.log({"loss": 0.5})
run.summary["best"] = 0.5
run.finish(exit_code=int(sys.argv[1]))
"""


@pytest.fixture(params=VERSIONS)
def stock(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stock]:
    """Give each client and a server with queues."""
    with running_server(tmp_path / "server") as server:
        server.make_queue()
        server.call("POST", "/entities", json={"name": "zoe", "kind": "personal"})
        server.make_queue(entity="zoe", queue="own", resource="local-container")
        variables = {"n": {"schema": {"type": "integer", "maximum": 4}}}
        server.make_queue(
            queue="boxes",
            resource="local-container",
            config={"env": {"N": "{{n}}"}},
            template_variables=variables,
            mode="priority",
        )
        home = tmp_path / "home"
        home.mkdir()
        yield Stock(stock_python(request.param).parents[1], home, server)


def test_launches_and_queues_of_a_stock_client(stock: Stock) -> None:
    """`wandb launch` with its flags, and the public API of queues, whose rights are REST's."""
    words = ("wandb", "launch", "-q", "boxes", "-e", "team", "-p", "p")
    (stock.home / "c.json").write_text('{"overrides": {"args": ["--epochs", "2"]}}')
    more = ("-c", "c.json", "--set-var", "n=3", "--priority", "high")
    assert "Added run to queue boxes" in stock.run(*words, "-d", "busybox:1", *more)
    item = stock.newest()
    assert item["spec"]["docker"] == {"docker_image": "busybox:1"}
    assert item["spec"]["overrides"]["args"] == ["--epochs", "2"]
    assert item["spec"]["template_variables"] == {"n": 3}
    assert (item["priority"], item["resource"]) == (1, "local-container")
    assert "all of it" in stock.run("python", "-c", API)
    assert stock.newest()["entity"] == "team"


def test_a_stock_agent_serves_our_queue(stock: Stock, tmp_path: Path) -> None:
    """It runs jobs whose items follow their runs, and stops when our list of agents says so.

    Whoever queued one may wait for its end by the public API.
    """
    server = stock.server
    (stock.home / "train.py").write_text(TRAIN)
    python = str(stock.venv / "bin" / "python")
    items = [server.submit(python, str(stock.home / "train.py"), code) for code in ("0", "3")]
    pool = ThreadPoolExecutor(1)
    waits = pool.submit(stock.run, "python", "-c", WAITS, items[0])
    log = tmp_path / "agent.log"
    agent = _agent(stock, log)
    try:
        until(lambda: all(_item(server, one)["state"] == "done" for one in items), log.read_text)
        [shown] = server.call("GET", "/agents")["agents"]
        assert (shown["online"], shown["queues"], shown["max_jobs"]) == (True, ["main"], 4)
        assert "claimed finished 0.5 0.1 is the end" in waits.result(LIMIT_S)
        server.call("POST", f"/agents/{shown['id']}/drain")
        assert agent.wait(LIMIT_S) == 0, log.read_text()
    finally:
        agent.kill()
        agent.wait()
        pool.shutdown(wait=False)
    good, bad = (_item(server, one) for one in items)
    assert (good["attempt_state"], good["exit_code"]) == ("succeeded", 0)
    assert (bad["attempt_state"], bad["exit_code"], bad["reason"]) == ("failed", 3, "exit_code")
    assert "hello from the job" in server.ask("GET", f"/items/{items[0]}/logs?source=main").text
    [shown] = server.call("GET", "/agents")["agents"]
    assert (shown["status"], shown["online"]) == ("stopped", False)
    text = """query R($n: String!) { project(name: "p", entityName: "team") {
      run(name: $n) { state config summaryMetrics historyLineCount } } }"""
    body = {"query": text, "variables": {"n": good["run_id"]}}
    run = server.ask("POST", "graphql", json=body).json()["data"]["project"]["run"]
    assert (run["state"], run["historyLineCount"]) == ("finished", 2)
    assert json.loads(run["summaryMetrics"])["best"] == 0.5
    assert json.loads(run["config"])["lr"]["value"] == 0.1
    assert "Traceback" not in server.said()


def _agent(stock: Stock, log: Path) -> subprocess.Popen[bytes]:
    with log.open("w") as out:
        return subprocess.Popen(
            ["wandb", "launch-agent", "-q", "main", "-e", "team", "--max-jobs", "4"],
            executable=str(stock.venv / "bin" / "wandb"),
            env=stock.env,
            cwd=stock.home,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )


def _item(server: RunningServer, item: str) -> dict[str, Any]:
    return dict(server.call("GET", f"/items/{item}"))
