"""How our agent ends on a W&B server: the real program."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_wandb_agent import push
from tests.acceptance.test_wandb_agent_rules import agent
from tests.programs import LIMIT_S, Program, until
from tests.wandb_server import WandbServer

PLAIN = """
entity: ent
queues: [q1, q2]
max_jobs: 4
cancel_grace: 0.2
"""


@pytest.fixture
def server() -> Iterator[WandbServer]:
    """Give a stand-in; what it did not understand fails the test."""
    with WandbServer() as made:
        made.queue("q1")
        made.queue("q2")
        yield made
        assert made.complaints == []


def test_killed_is_the_last_word_whatever_ends_an_agent(
    tmp_path: Path, server: WandbServer
) -> None:
    """Stop polling, a key that is taken no more, and two requests to end: with a job all the while.

    The job goes on until the second of two signals, which is the one that ends it.
    """
    job = push(server, f"trap '' TERM; echo >{tmp_path}/up; while :; do sleep 0.1; done")
    program = agent(tmp_path, server, PLAIN)
    try:
        server.wait_for(lambda _: (tmp_path / "up").exists(), LIMIT_S, "the job")
        server.stop_agent(server.agents[0])
        assert program.wait(LIMIT_S) == 0, program.said()
        assert (job.state, server.agents[0].status) == ("CLAIMED", "KILLED")

        program = agent(tmp_path, server, PLAIN)
        server.wait_for(lambda s: len(s.agents) == 2 and s.agents[1].statuses, LIMIT_S, "a start")
        _outlives_a_revoked_key(program, server)
        assert job.state == "CLAIMED"

        program = agent(tmp_path, server, f"{PLAIN}host_bound_on_exit: wait\n")
        server.wait_for(lambda s: len(s.agents) == 3 and s.agents[2].statuses, LIMIT_S, "the last")
        before = program.said().count("SIGTERM")
        program.signal(signal.SIGTERM)
        until(lambda: program.said().count("SIGTERM") > before, program.said)
        program.signal(signal.SIGTERM)
        assert program.wait(LIMIT_S) == 0, program.said()
    finally:
        program.stop()
    assert job.error is not None
    assert "cancelled" in job.error["message"]
    assert server.agents[2].status == "KILLED"


def _outlives_a_revoked_key(program: Program, server: WandbServer) -> None:
    """Let the server take the key no more: the agent says so, asks seldom, and ends when told."""
    key, server.api_key = server.api_key, "another" * 6
    server.requests.clear()
    until(lambda: "does not take the API key" in program.said(), program.said)
    server.wait_for(lambda s: len(s.requests) >= 4, LIMIT_S, "repeats")
    span_s = server.requests[-1].at - server.requests[0].at
    assert len(server.requests) <= 8 + 4 * span_s
    assert program.process.poll() is None, program.said()
    program.signal(signal.SIGTERM)
    assert program.wait(LIMIT_S) == 75, program.said()
    assert "the journal keeps it" in program.said()
    assert server.agents[1].status != "KILLED"
    server.api_key = key
