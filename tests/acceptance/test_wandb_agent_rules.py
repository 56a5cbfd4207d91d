"""What our agent refuses on a W&B server: the real program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_wandb_agent import push
from tests.programs import LIMIT_S, Program, start
from tests.wandb_server import WandbServer

SECURE = """
entity: ent
queues: [q1, q2]
max_jobs: 4
max_schedulers: 0
secure_mode: true
"""
SERVICE = {"kind": "Pod", "spec": {"hostPID": True, "volumes": [{"hostPath": {"path": "/"}}]}}
LOOSE = {
    "docker": {"docker_image": "nowhere.invalid/none:1"},
    "resource_args": {"local-process": {"shell": True}},
    "additional_services": [{"name": "s", "config": SERVICE}],
}


@pytest.fixture
def server() -> Iterator[WandbServer]:
    """Give a stand-in that offers an item again soon; what it did not understand fails the test."""
    with WandbServer(lease_s=2.0) as made:
        made.queue("q1")
        made.queue("q2")
        yield made
        assert made.complaints == []


def agent(folder: Path, server: WandbServer, config: str) -> Program:
    """Start an agent with a configuration file; its state is kept between starts."""
    file = folder / "launch-config.yaml"
    file.write_text(config)
    env = {"WANDB_BASE_URL": server.base_url, "WANDB_API_KEY": server.api_key}
    words = ["agent", "-c", str(file), "--name", "here", "--operations-port", "0"]
    return start(folder, "agent", words, env)


def test_secure_mode_is_told_to_a_w_and_b_server(tmp_path: Path, server: WandbServer) -> None:
    """What loosens the isolation of a job fails its item, which says what to leave out.

    With `max_schedulers: 0` no scheduler is taken, and its queue is asked seldom.
    """
    base = {"entity": "ent", "project": "proj", "resource": "local-process"}
    words = {"overrides": {"entry_point": ["wandb", "scheduler", "s"]}}
    scheduler = server.push("q2", {**base, **words})
    loose = server.push("q1", {**base, **LOOSE})
    own = push(server, f"touch {tmp_path}/ran")
    program = agent(tmp_path, server, SECURE)
    try:
        server.wait_for(lambda _: loose.error and own.error, LIMIT_S, "the refusals")
        begun = server.requests[0].at
    finally:
        code = program.stop()
    assert code == 0, program.said()
    assert loose.error is not None
    assert own.error is not None
    assert loose.error["stage"] == own.error["stage"] == "agent"
    assert "resource_args.local-process.shell: " in loose.error["message"]
    assert "leave it out (and 2 more)" in loose.error["message"]
    assert "overrides.entry_point" in own.error["message"]
    assert not (tmp_path / "ran").exists()
    assert scheduler.acks == 0
    asked = [r for r in server.seen("popFromRunQueue") if "q2" in r.variables.values()]
    assert len(asked) <= 1 + (server.requests[-1].at - begun) / 10
    assert server.agents[0].status == "KILLED"
