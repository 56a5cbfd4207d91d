"""Jobs of our own agent with the stock client in them, at our own server."""

from __future__ import annotations

import json
from pathlib import Path

from tests.programs import start, until
from tests.servers import RunningServer, running_server
from tests.stock_client import stock_python

TRAIN = """
import wandb

with wandb.init(config={"lr": 0.1}) as run:
    print("hello from the job")
    run.log({"loss": 0.5})
    run.summary["best"] = 0.5
"""
RUN = """query R($n: String!) { project(name: "p", entityName: "team") {
  run(name: $n) { state config summaryMetrics historyLineCount user { username } } } }"""


def test_a_job_tells_our_server_of_its_run(tmp_path: Path) -> None:
    """`wandb.init()` works with what the job is given, and the token of its attempt is enough."""
    with running_server(tmp_path / "server") as server:
        server.make_queue()
        script = tmp_path / "train.py"
        script.write_text(TRAIN)
        item = server.submit(str(stock_python()), str(script))
        words = ["agent", "-q", "main", "-e", "team", "--name", "a", "--server", server.url]
        words += ["--key-file", str(tmp_path / "server" / "admin.key"), "--operations-port", "0"]
        agent = start(tmp_path, "agent", words)
        try:
            until(lambda: _item(server, item)["logs_complete"], agent.said)
        finally:
            assert agent.stop() == 0, agent.said()
        done = _item(server, item)
        log = server.ask("GET", f"/items/{item}/logs").text
        assert (done["attempt_state"], done["exit_code"]) == ("succeeded", 0), log
        assert log.count("hello from the job") == 1
        body = {"query": RUN, "variables": {"n": done["run_id"]}}
        run = server.ask("POST", "graphql", json=body).json()["data"]["project"]["run"]
        assert (run["state"], run["historyLineCount"]) == ("finished", 1), log
        assert run["user"] == {"username": "admin"}
        assert json.loads(run["summaryMetrics"])["best"] == 0.5
        assert json.loads(run["config"])["lr"]["value"] == 0.1
        assert "Traceback" not in server.said()


def _item(server: RunningServer, item: str) -> dict[str, object]:
    return dict(server.call("GET", f"/items/{item}"))
