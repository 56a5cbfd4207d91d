"""A queue for a Docker engine, with the real server, the real agent and a real engine."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from tests.programs import ENTITY, Program, Yard, until, yard
from tests.rig.dockerd import Docker, docker_daemon
from tests.rig.small_image import IMAGE, load_small_image

PATH = f"/entities/{ENTITY}/queues"
CLOUDS = {"azure", "boto3", "botocore", "google", "kubernetes", "kubernetes_asyncio"}


def put(made: Yard, script: str, image: str = IMAGE, **more: Any) -> str:
    """Put a shell script on the queue; return the item's id."""
    docker = {"docker": {"docker_image": image}}
    return made.submit("/bin/sh", "-c", script, **docker, **more)


def configure(folder: Path, docker: Docker) -> None:
    """Tell the agent of the engine, in the file where it looks."""
    file = folder / "wandb" / "launch-config.yaml"
    file.parent.mkdir()
    target = {"host": f"unix://{docker.socket}"}
    file.write_text(json.dumps({"targets": {"local-container": target}}))


def make_queue(made: Yard) -> None:
    """Make a queue whose containers have no network: making one takes time."""
    made.queue = "containers"
    config = {"network": "none", "pull": "never"}
    queue = {"name": made.queue, "resource": "local-container", "config": config}
    made.call("POST", PATH, json=queue | {"retry": {"budgets": {"platform": 0}}})


def left(docker: Docker) -> list[str]:
    """Return what is on the engine of containers and volumes."""
    found = docker.run("ps", "--all", "--format", "{{.Names}}") + "\n"
    return (found + docker.run("volume", "ls", "--quiet")).split()


def test_jobs_run_in_containers(tmp_path: Path) -> None:
    """One succeeds with its log, one fails, one is cancelled, two outlive a killed agent.

    An image that is not there is named, with what to do; nothing stays on the engine, and the
    agent has loaded no SDK of a cloud.
    """
    with docker_daemon(tmp_path) as docker, yard(tmp_path) as made:
        load_small_image(docker, tmp_path)
        configure(tmp_path, docker)
        make_queue(made)
        agent = made.start_agent(env={"PYTHONPROFILEIMPORTTIME": "1"})
        words = 'echo "hello from $LAUNCHYARD_ITEM"; echo 42 >$LAUNCHYARD_OUTPUT/answer'
        good = put(made, f'{words}; test -n "$LAUNCHYARD_TOKEN"')
        bad, missing = put(made, "echo no >&2; exit 3"), put(made, "true", "nowhere/x:1")
        assert made.wait_done(good)["attempt_state"] == "succeeded"
        assert made.log_of(good) == f"hello from {good}\n"
        files = made.call("GET", f"/items/{good}/outputs")["outputs"]
        assert [(one["path"], one["size_b"]) for one in files] == [("answer", 3)]
        ended = made.wait_done(bad)
        assert (ended["reason"], ended["exit_code"]) == ("exit_code", 3)
        assert made.log_of(bad) == "no\n"
        ended = made.wait_done(missing)
        assert ended["reason"] == "source_not_found"
        assert "nowhere/x:1" in ended["detail"]
        assert "pull: never" in ended["detail"]
        _wait_for_an_image(made)
        _outlive(made, agent)
        assert "docker" in _loaded(agent)
        assert not _loaded(agent) & CLOUDS
        until(lambda: not left(docker), lambda: f"the removal of {left(docker)}")


def _loaded(agent: Program) -> set[str]:
    """Return the packages that an agent and its worker processes have imported."""
    lines = (line for line in agent.said().splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def _wait_for_an_image(made: Yard) -> None:
    """Have a registry that says nothing: people are told what the job waits for, and cancel."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        image = f"127.0.0.1:{silent.getsockname()[1]}/slow:1"
        config = {"local-container": {"pull": "missing"}}
        item = put(made, "true", image, resource_args=config)
        made.wait_for(item, lambda view: bool(view["detail"]))
        why = made.call("GET", f"/items/{item}/why")
        assert why["reason"] == "target_pending"
        assert f"{image} is being pulled" in why["text"]
        made.call("POST", f"/items/{item}/cancel")
        assert made.wait_done(item)["attempt_state"] == "cancelled"


def _outlive(made: Yard, agent: Program) -> None:
    """Kill the agent while three containers run, one of which ends before the next start."""
    lines = "i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); sleep 0.05; done"
    lasting, short = put(made, lines), put(made, "echo begun; sleep 1; echo ended; exit 4")
    long = put(made, "echo up; exec sleep 600")
    for item in (lasting, short, long):
        made.wait_running(item)
    agent.kill()
    made.start_agent()
    made.call("POST", f"/items/{long}/cancel")
    assert made.wait_done(short)["exit_code"] == 4
    assert made.log_of(short) == "begun\nended\n"
    ended = made.wait_done(long)
    assert (ended["attempt_state"], ended["reason"]) == ("cancelled", "cancelled")
    assert made.wait_done(lasting)["attempt_state"] == "succeeded"
    assert made.log_of(lasting) == "".join(f"line {n}\n" for n in range(100))
