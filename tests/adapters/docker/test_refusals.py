"""What an engine has against one container is no fault of its own: nobody else waits for it."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace

import pytest

from launchyard.adapters.docker.client import Engine, EngineError
from launchyard.adapters.docker.engine import Address
from launchyard.adapters.docker.refusals import not_created, not_started, reason_of
from launchyard.adapters.docker.runner import DockerRunner
from launchyard.domain.documents import Json
from launchyard.domain.reason import Reason
from launchyard.domain.targets.docker import create_request
from tests.adapters.docker.launches import launch, refusal
from tests.adapters.docker.plans import script_plan
from tests.rig.dockerd import Docker


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"security-opt": "nonsense"}, "security-opt"),
        ({"security-opt": "seccomp=nonsense"}, "seccomp"),
        ({"storage-opt": "nonsense=1"}, "nonsense"),
        ({"runtime": "nonsense"}, "nonsense"),
        ({"memory": "1k"}, "emory limit"),
        ({"user": "nobody-here"}, "nobody-here"),
        ({"network": "nonsense"}, "nonsense"),
        ({"device": "/dev/nonsense"}, "/dev/nonsense"),
        ({"sysctl": "nonsense.x=1"}, "nonsense.x"),
        ({"volume": "data:/data", "volume-driver": "local", "workdir": "/bin/sh"}, "/bin/sh"),
    ],
)
def test_mistakes_are_the_launch_s(
    docker: Docker, runner: DockerRunner, config: dict[str, Json], words: str
) -> None:
    """Whether the engine says so with 400, 404 or 500, before its start or at it."""
    wish = launch("true", config)
    error = refusal(runner, wish)
    assert (error.reason, error.retry) == (Reason.CONTAINER_CONFIG, False), error
    assert words in str(error)
    assert wish.name not in docker.run("ps", "--all", "--format", "{{.Names}}")


def test_a_driver_that_is_not_there_is_named(runner: DockerRunner) -> None:
    """Engines look for one longer than any answer is waited for, as if they were away."""
    error = refusal(runner, launch("true", {"log-driver": "nonsense"}))
    assert (error.reason, error.retry) == (Reason.CONTAINER_CONFIG, False), error
    assert "no log driver `nonsense`" in str(error)
    assert "json-file" in str(error)


def test_drivers_of_volumes_are_looked_up_too(docker: Docker) -> None:
    """Without an answer it is the driver's fault where the engine has none such, else its own."""
    driver: Json = {"VolumeOptions": {"DriverConfig": {"Name": "nonsense"}}}
    silent = EngineError("it does not answer")
    with closing(Engine(Address(url=f"unix://{docker.socket}"))) as engine:
        hosts: list[Json] = [{"VolumeDriver": "nonsense"}, {"Mounts": [driver]}]
        for host in hosts:
            error = not_created(silent, {"HostConfig": host}, engine)
            assert "no volume driver `nonsense`; it has local" in str(error)
        assert not_created(silent, {"HostConfig": {"VolumeDriver": "local"}}, engine) is silent
        assert not_created(silent, {}, engine) is silent


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("connection error: desc = dial unix /run/containerd.sock", Reason.TARGET_UNREACHABLE),
        ("OCI runtime create failed: no space left on device", Reason.DISK_FULL),
        ('exec: "x": executable file not found in $PATH', Reason.COMMAND_NOT_FOUND),
        ("the engine is out of sorts", Reason.SUBMIT_FAILED),
    ],
)
def test_troubles_of_the_engine_stay_its_own(said: str, reason: Reason) -> None:
    """They are tried again where that may help, and count against the target."""
    error = not_started(EngineError(said, 500))
    assert (error.reason, error.retry) == (reason, reason is Reason.TARGET_UNREACHABLE)
    assert reason_of(said) is reason


def test_warnings_are_told(docker: Docker, caplog: pytest.LogCaptureFixture) -> None:
    """What the engine takes and leaves out of is logged with its words."""
    wish = launch("", plan=script_plan("true", {"oom-kill-disable": True}))
    wish = replace(wish, name=f"{wish.name}-warned")
    with (
        closing(Engine(Address(url=f"unix://{docker.socket}"))) as engine,
        caplog.at_level(logging.WARNING),
    ):
        uid = engine.create(wish.name, create_request(wish.plan, {}, {}), "")
    docker.run("rm", uid)
    assert "OOM killer is disabled" in caplog.text
