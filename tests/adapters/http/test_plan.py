"""What a plan shows of the target's request, over REST."""

from __future__ import annotations

from typing import Any

from tests.servers import RunningServer

URL = "https://ann:swordfish9@example.org/x.git"


def planned(server: RunningServer, queue: str, **spec: Any) -> Any:
    """Plan a launch on a queue of containers, which is made for it."""
    name = f"{queue}-containers"
    server.make_queue(queue=name, resource="local-container", config={"memory": "1g"})
    body = {"spec": {"project": "p", **spec}}
    return server.call("POST", f"/entities/team/queues/{name}/plan", json=body)


def test_a_plan_has_the_request_that_would_be_sent(server: RunningServer, queue: str) -> None:
    """In the words of the target's own interface; no findings, as nothing is in the way."""
    told = planned(server, queue, docker={"docker_image": "team/train:1"})
    assert told["request"]["Image"] == "team/train:1"
    assert told["request"]["HostConfig"]["Memory"] == 1024**3
    assert told["findings"] == []


def test_a_plan_says_what_an_agent_would_refuse(server: RunningServer, queue: str) -> None:
    """The launch is acceptable to the queue, and its target cannot run it."""
    run = {"entry_point": ["python", "train.py"]}
    told = planned(server, queue, source={"git": {"url": URL}}, overrides=run)
    assert told["request"] is None
    assert told["findings"]
    assert "swordfish9" not in str(told)


def test_a_target_that_only_agents_know_shows_none(server: RunningServer, queue: str) -> None:
    """A local process depends on the agent's machine."""
    body = {"spec": {"project": "p", "overrides": {"entry_point": ["true"]}}}
    told = server.call("POST", f"/entities/team/queues/{queue}/plan", json=body)
    assert told["request"] is None
