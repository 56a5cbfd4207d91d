"""The stand-in is what it stands for: strict with clients, and good enough for the real one."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from launchyard.ports.source import JobRequest
from tests.adapters.wandb.jobs_kit import fetcher
from tests.stock_client import LIMIT_S, stock_environment, stock_python
from tests.wandb_server import WandbServer

SPEC = {
    "entity": "ent",
    "project": "proj",
    "resource": "local-process",
    "overrides": {"entry_point": ["true"]},
}
POP = (
    "mutation pop($queue: String!) { popFromRunQueue(input: {entityName: "
    '"ent", projectName: "model-registry", queueName: $queue}) { runQueueItemId runSpec } }'
)


def _ask(server: WandbServer, query: str, **variables: Any) -> Any:
    body = {"query": query, "variables": variables}
    auth = ("api", server.api_key)
    return requests.post(f"{server.base_url}/graphql", json=body, auth=auth, timeout=LIMIT_S).json()


@pytest.mark.parametrize(
    ("query", "variables", "complaint"),
    [
        ("query Q { viewer { shoeSize } }", {}, "shoeSize"),
        ("query Q { viewer { id } }", {"x": 1}, "$x is not declared"),
        (POP, {}, "$queue"),
        ("query Q { nothing }", {}, "nothing"),
        ("query Q {", {}, "Syntax Error"),
    ],
)
def test_what_is_not_in_the_protocol_is_complained_of(
    query: str, variables: dict[str, Any], complaint: str
) -> None:
    """The client gets an error, and the test that owns the server can see it."""
    with WandbServer() as server:
        server.queue("q1")
        assert _ask(server, query, **variables)["errors"]
        assert any(complaint in one for one in server.complaints)


def test_an_item_is_leased_acked_once_and_comes_back() -> None:
    """What is popped and not acked is waiting again when its lease has ended."""
    ack = (
        "mutation ack($i: ID!) {"
        ' ackRunQueueItem(input: {runQueueItemId: $i, runName: "r"}) { success } }'
    )
    with WandbServer() as server:
        item = server.push("q1", SPEC)
        popped = _ask(server, POP, queue="q1")["data"]["popFromRunQueue"]
        assert popped == {"runQueueItemId": item.id, "runSpec": SPEC}
        assert _ask(server, POP, queue="q1")["data"]["popFromRunQueue"] is None
        item.lease_until = 0.0
        server.wait_for(lambda s: s.items[0].state == "PENDING")
        assert _ask(server, ack, i=item.id)["data"]["ackRunQueueItem"] == {"success": False}
        assert _ask(server, POP, queue="q1")["data"]["popFromRunQueue"] is not None
        assert _ask(server, ack, i=item.id)["data"]["ackRunQueueItem"] == {"success": True}
        assert (item.state, item.run_name, item.acks) == ("CLAIMED", "r", 2)
        assert server.complaints == []


def test_trouble_comes_as_planted() -> None:
    """Refusals, half answers and lost ones hit what they are meant for; a return keeps all."""
    with WandbServer() as server:
        item = server.push("q1", SPEC)
        server.rate_limit(3, times=1)
        answer = requests.post(f"{server.base_url}/graphql", json={}, timeout=LIMIT_S)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
        server.cut(5, field="viewer")
        with pytest.raises(requests.RequestException):
            _ask(server, "query Q { viewer { id } }")
        server.lose_answer(field="popFromRunQueue", times=1)
        with pytest.raises(requests.ConnectionError):
            _ask(server, POP, queue="q1")
        assert item.state == "LEASED"
        server.down()
        with pytest.raises(requests.ConnectionError):
            _ask(server, "query Q { serverInfo { features { name } } }")
        server.up()
        answer = _ask(server, "query Q { serverInfo { features { name } } }")
        assert answer == {"data": {"serverInfo": {"features": []}}}


@contextmanager
def _stock_agent(server: WandbServer, home: Path) -> Iterator[None]:
    """Run the real agent on queue q1."""
    command = [str(stock_python().with_name("wandb")), "launch-agent", "-q", "q1", "-e", "ent"]
    env = stock_environment(server.base_url, server.api_key, home)
    with (home / "agent.log").open("wb") as log:
        agent = subprocess.Popen(
            command, env=env, cwd=home, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield
        finally:
            os.killpg(agent.pid, signal.SIGKILL)
            agent.wait()


def test_the_real_client_works_with_it(tmp_path: Path) -> None:
    """The stock agent registers, pops and acks; a job that `wandb` made is one that we fetch."""
    home, source = tmp_path / "home", tmp_path / "source"
    home.mkdir()
    source.mkdir()
    (source / "train.py").write_text("print(1)\n")
    (source / "requirements.txt").write_text("")
    with WandbServer() as server:
        words = ["job", "create", "-p", "proj", "-e", "ent", "-n", "made"]
        words += ["-E", "python train.py", "code", str(source)]
        env = stock_environment(server.base_url, server.api_key, home)
        command = [str(stock_python().with_name("wandb")), *words]
        made = subprocess.run(
            command, env=env, cwd=home, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        assert made.returncode == 0, made.stdout + made.stderr
        item = server.push("q1", SPEC)
        with _stock_agent(server, home):
            # What it says of itself and of the item comes from two threads of it.
            server.wait_for(lambda s: item.state == "CLAIMED" and s.agents[0].statuses)
        assert [agent.version for agent in server.agents] == ["wandb@0.31.0"]
        assert server.agents[0].statuses[0][1] == "RUNNING"
        into = tmp_path / "into"
        request = JobRequest(name="ent/proj/made:latest")
        fetcher(server).fetch(request, str(into), timeout_s=LIMIT_S, cancelled=lambda: False)
        assert (into / "train.py").read_text() == "print(1)\n"
        assert server.complaints == []
