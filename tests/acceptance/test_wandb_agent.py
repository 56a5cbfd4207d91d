"""Our agent on a W&B server: the real program against the stand-in."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs import LIMIT_S, Program, start
from tests.wandb_server import Item, WandbServer


@pytest.fixture
def server() -> Iterator[WandbServer]:
    """Give a stand-in with two queues; what it did not understand fails the test."""
    with WandbServer() as made:
        made.queue("q1")
        made.queue("q2")
        yield made
        assert made.complaints == []


def agent(folder: Path, server: WandbServer) -> Program:
    """Start an agent as `wandb launch-agent` is started; its state is kept between starts."""
    env = {"WANDB_BASE_URL": server.base_url, "WANDB_API_KEY": server.api_key}
    stop = {"LAUNCHYARD_AGENT_STOPPED_RUN_TIMEOUT": "0"}
    words = ["agent", "-q", "q1", "-q", "q2", "-e", "ent", "-j", "4", "--name", "here"]
    return start(folder, "agent", [*words, "--operations-port", "0"], env | stop)


def push(server: WandbServer, script: str, queue: str = "q1") -> Item:
    """Put a shell script on a queue."""
    spec = {
        "entity": "ent",
        "project": "proj",
        "uri": "placeholder",
        "resource": "local-process",
        "overrides": {"entry_point": ["/bin/sh", "-c", script], "run_config": {"lr": 1}},
    }
    return server.push(queue, spec)


def finished(server: WandbServer, item: Item) -> bool:
    """Tell whether the item's run has ended well."""
    return any(
        run.name == item.run_name and run.state == "finished" for run in server.state.runs.values()
    )


def test_a_w_and_b_servers_queues_are_served(tmp_path: Path, server: WandbServer) -> None:
    """Jobs run with the variables that W&B's client wants; one fails with the end of its log.

    The agent says KILLED when it is told to stop, and no key is in what it wrote.
    """
    program = agent(tmp_path, server)
    try:
        shown = tmp_path / "shown"
        good = push(server, f"env > {shown}.new; mv {shown}.new {shown}")
        more = [push(server, "true", queue="q2") for _ in range(3)]
        bad = push(server, "echo what went wrong; exit 3")
        server.wait_for(lambda s: all(finished(s, i) for i in (good, *more)), LIMIT_S, "ends")
        server.wait_for(lambda _: bad.state == "FAILED", LIMIT_S, "the failure")
        assert bad.error is not None
        assert bad.error["message"] == "the job failed with exit code 3"
        (path,) = bad.error["filePaths"]
        (log,) = (data for name, data in server.files.items() if name.endswith(path))
        assert b"what went wrong" in log
        variables = dict(line.split("=", 1) for line in shown.read_text().splitlines())
        assert variables["WANDB_BASE_URL"] == server.base_url
        assert variables["WANDB_API_KEY"] == server.api_key
        assert variables["WANDB_RUN_ID"] == good.run_name
        assert variables["WANDB_LAUNCH_TRACE_ID"] == good.id
        assert variables["WANDB_LAUNCH_QUEUE_NAME"] == "q1"
        assert variables["WANDB_LAUNCH_QUEUE_ENTITY"] == variables["WANDB_ENTITY"] == "ent"
        assert variables["WANDB_PROJECT"] == "proj"
        assert variables["WANDB_CONFIG"] == '{"lr": 1}'
        assert "LAUNCHYARD_SERVER" not in variables
    finally:
        code = program.stop()
    assert code == 0, program.said()
    assert server.agents[0].status == "KILLED"
    shown.unlink()
    written = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    assert not any(server.api_key.encode() in data for data in written)


def test_nothing_is_lost_in_an_outage_or_a_crash(tmp_path: Path, server: WandbServer) -> None:
    """Jobs go on while the server is gone and their agent is killed; the next start adopts them.

    Their ends are told once it is back, and none of them ran twice. A run that its user stops in
    the web page is stopped.
    """
    go = tmp_path / "go"
    wait = f"echo begun >>{tmp_path}/log; until [ -e {go} ]; do sleep 0.05; done; exit 4"
    program = agent(tmp_path, server)
    try:
        items = [push(server, wait) for _ in range(2)]
        server.wait_for(lambda _: all(i.state == "CLAIMED" for i in items), LIMIT_S, "claims")
        log = tmp_path / "log"
        server.wait_for(lambda _: log.exists() and log.read_text().count("begun") == 2, LIMIT_S)
        server.down()
        go.touch()
        program.signal(signal.SIGKILL)
        program.process.wait()
        program = agent(tmp_path, server)
        server.up()
        server.wait_for(lambda _: all(i.state == "FAILED" for i in items), LIMIT_S, "the ends")
        assert {i.error["message"] for i in items if i.error} == {"the job failed with exit code 4"}
        assert log.read_text().count("begun") == 2
        assert [i.acks for i in items] == [1, 1]
        last = push(server, f"touch {tmp_path}/up; exec sleep 300")
        server.wait_for(lambda _: (tmp_path / "up").exists(), LIMIT_S, "the last job")
        server.stop_run(last.run_name or "")
        server.wait_for(lambda _: bool(last.warnings) or last.error, LIMIT_S, "the stop")
    finally:
        code = program.stop()
    assert code == 0, program.said()
    assert server.agents[-1].status == "KILLED"
