"""What containers do that the runner contract does not ask for, on an engine of the tests' own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest

from launchyard.adapters.docker.client import Engine
from launchyard.adapters.docker.engine import Address, address_of, engine_id, scope_of
from launchyard.adapters.docker.runner import SOURCE, DockerRunner
from launchyard.domain.attempt import AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.reason import Reason
from launchyard.domain.targets.docker import create_request
from tests.adapters.docker.launches import end, launch, refusal
from tests.adapters.docker.plans import script_plan
from tests.rig.dockerd import Docker
from tests.rig.small_image import IMAGE

S = AttemptState


def test_failures_are_told_in_the_engines_words(docker: Docker, runner: DockerRunner) -> None:
    """A missing command, a missing image and a registry that is away are told apart."""
    found = end(runner, runner.submit(launch("no-such-program")))
    assert (found.reason, found.exit_code) == (Reason.COMMAND_NOT_FOUND, 127)
    found = end(runner, runner.submit(launch("kill -SEGV $$")))
    assert (found.reason, "SIGSEGV" in found.detail) == (Reason.KILLED_BY_SIGNAL, True)
    without = script_plan("", {"init": False})
    request: dict[str, Json] = {**without.request, "Entrypoint": ["/bin/no-such"]}
    error = refusal(runner, launch("", plan=replace(without, request=request)))
    assert error.reason is Reason.COMMAND_NOT_FOUND
    assert "no-such" in str(error)
    assert not error.retry
    absent = launch("", plan=script_plan("", {"pull": "never"}, "local/absent:1"))
    assert refusal(runner, absent).reason is Reason.SOURCE_NOT_FOUND
    away = launch("", plan=script_plan("", None, "127.0.0.1:9/team/train:1"))
    error = refusal(runner, away)
    assert (error.reason, error.retry) == (Reason.SOURCE_UNREACHABLE, True)
    for wish in (away, absent):
        assert wish.name not in docker.run("ps", "--all", "--format", "{{.Names}}")


def test_too_little_memory_is_told(runner: DockerRunner) -> None:
    """The kernel's kill is told from any other, with the argument that gives more.

    On cgroups 1 an engine misses it once in some dozens of times; then it is held possible.
    """
    script = "exec tail /dev/zero"  # it keeps a line whole, and this one has no end
    limits: Json = {"memory": "16m", "memory-swap": "16m"}
    for _ in range(5):
        found = end(runner, runner.submit(launch(script, limits)))
        if found.reason is not Reason.KILLED_BY_SIGNAL:
            break
        assert "`memory` may have run out" in found.detail
    assert (found.state, found.reason) == (S.FAILED, Reason.OUT_OF_MEMORY), found
    assert "raise `memory`" in found.detail
    told = [end(runner, runner.submit(launch("kill -KILL $$", how))) for how in (limits, {})]
    assert [one.reason for one in told] == [Reason.KILLED_BY_SIGNAL] * 2
    assert ["may have run out" in one.detail for one in told] == [True, False]


def test_gpus_are_asked_for(docker: Docker, runner: DockerRunner) -> None:
    """The request reaches the engine; one without a driver for it says so, with the remedy."""
    wish = launch("true", {"gpus": "device=0,2"})
    engine = Engine(Address(url=f"unix://{docker.socket}"))
    with closing(engine):
        uid = engine.create(wish.name, create_request(wish.plan, {}, {}), "")
    asked = json.loads(docker.run("inspect", uid))[0]["HostConfig"]["DeviceRequests"]
    docker.run("rm", uid)
    assert [(one["DeviceIDs"], one["Capabilities"]) for one in asked] == [(["0", "2"], [["gpu"]])]
    error = refusal(runner, wish)
    assert (error.reason, error.retry) == (Reason.CONTAINER_CONFIG, False)
    assert "container toolkit" in str(error)
    assert wish.name not in docker.run("ps", "--all", "--format", "{{.Names}}")


def test_devices_are_asked_for_by_name(docker: Docker, runner: DockerRunner) -> None:
    """What no engine can find says so, by its driver or by its name; nothing stays behind."""
    wish = launch("true", {"device": "launchyard.example/none=0"})
    error = refusal(runner, wish)
    assert (error.reason, error.retry) == (Reason.CONTAINER_CONFIG, False)
    # By the name where the engine looks for it, else with the way to have it look.
    assert "unresolvable CDI" in str(error) or "daemon.json" in str(error)
    assert wish.name not in docker.run("ps", "--all", "--format", "{{.Names}}")


def test_a_folder_is_below_the_image_s(docker: Docker, runner: DockerRunner) -> None:
    """`working_dir` is seen from the WORKDIR of the image, not from its root."""
    text = f"FROM {IMAGE}\nWORKDIR /app/src\nWORKDIR /app\n"
    docker.run("build", "--tag", "with/app:1", "-", input=text)
    plan = replace(script_plan("test $(pwd) = /app/src", None, "with/app:1"), below="src")
    assert end(runner, runner.submit(launch("", plan=plan))).state is S.SUCCEEDED


def test_secrets_are_in_the_environment_alone(docker: Docker, runner: DockerRunner) -> None:
    """W-38: the job has them; labels, words and names do not."""
    wish = replace(launch("test ${#HF} = 6"), secrets={"HF": "s3cret"})
    handle = runner.submit(wish)
    assert end(runner, handle).state is S.SUCCEEDED
    told = json.loads(docker.run("inspect", handle.uid))[0]
    assert "HF=s3cret" in told["Config"].pop("Env")
    assert "s3cret" not in json.dumps(told)
    runner.remove(handle)
    assert not docker.run("ps", "--all", "--quiet", "--filter", f"name={handle.name}")


def test_a_stubborn_job_is_killed(docker: Docker, runner: DockerRunner) -> None:
    """W-11: a silent job that ignores the signal ends when its grace has passed; no trace stays."""
    handle = runner.submit(launch("trap '' TERM; while :; do sleep 0.1; done", {"init": False}))
    before = time.monotonic()
    runner.cancel(handle, 1.0, Reason.PREEMPTED)
    found = end(runner, handle)
    assert (found.state, found.exit_code) == (S.PREEMPTED, 137)
    assert time.monotonic() - before >= 1.0
    runner.remove(handle)
    assert not docker.run("volume", "ls", "--quiet", "--filter", f"name={handle.name}")


def test_a_network_is_joined_under_the_names_it_says(docker: Docker, runner: DockerRunner) -> None:
    """In docker's long form, as the engine then tells it."""
    docker.run("network", "create", "--internal", "lab")
    wish = launch("exit 0", {"network": "name=lab,alias=db,alias=store"})
    handle = runner.submit(wish)
    assert end(runner, handle).state is S.SUCCEEDED
    networks = json.loads(docker.run("inspect", handle.uid))[0]["NetworkSettings"]["Networks"]
    assert {"db", "store"} <= set(networks["lab"]["Aliases"])
    runner.remove(handle)
    docker.run("network", "rm", "lab")


def test_a_closed_runner_kills_nothing_more(docker: Docker, runner: DockerRunner) -> None:
    """What is due later is left to the next process, which cancels again."""
    handle = runner.submit(launch("trap '' TERM; while :; do sleep 0.1; done", {"init": False}))
    with closing(DockerRunner(Address(url=f"unix://{docker.socket}"), "")) as other:
        other.cancel(handle, 600.0, Reason.CANCELLED)
        assert "stopper" in [thread.name for thread in threading.enumerate()]
    assert "stopper" not in [thread.name for thread in threading.enumerate()]
    runner.cancel(handle, 0.0, Reason.CANCELLED)
    assert end(runner, handle).state is S.CANCELLED
    runner.remove(handle)


def test_an_interrupted_submit_is_finished(docker: Docker, runner: DockerRunner) -> None:
    """W-15: what was created and not started is not found, but started by the next submit."""
    wish = launch("exit 0")
    tags = [word for pair in wish.labels.items() for word in ("--label", "=".join(pair))]
    uid = docker.run(
        "create", "--name", wish.name, *tags, wish.plan.image, "/bin/sh", "-c", "exit 7"
    )
    assert runner.find(wish.owner, wish.name) is None
    handle = runner.submit(wish)
    assert handle.uid == uid
    assert end(runner, handle).exit_code == 7


def test_a_long_log_is_read_in_pieces(runner: DockerRunner) -> None:
    """Every byte comes once: in one go, from any cursor, and again from where it was."""
    handle = runner.submit(launch("yes 0123456789 | head -n 60000; echo end >&2"))
    assert end(runner, handle).state is S.SUCCEEDED
    text, at, done = b"", 0, False
    while not done:
        piece = runner.read_log(handle, SOURCE, at, 100_001)
        assert piece.start == at
        text, at, done = text + piece.data, piece.to, piece.end
        if len(text) < 300_000:
            assert runner.read_log(handle, SOURCE, piece.start, 100_001).data == piece.data
    assert len(text) == 60000 * 11 + 4
    assert sorted(set(text.split())) == [b"0123456789", b"end"]
    assert runner.read_log(handle, SOURCE, 650_000, 1 << 20).data == text[650_000:]


def test_a_log_that_was_shortened_says_so(runner: DockerRunner) -> None:
    """By its queue's own limit: who was further on hears of it, and gets all that is there."""
    limit: Json = {"log-opt": {"max-size": "10k", "max-file": "1"}}
    handle = runner.submit(launch("yes 0123456789 | head -n 9000; echo end", limit))
    assert end(runner, handle).state is S.SUCCEEDED
    whole = runner.read_log(handle, SOURCE, 90_000, 1 << 20)
    head, *lines = whole.data.splitlines()
    assert head.startswith(b"[launchyard: the engine has put an older part of this log away")
    assert set(lines) == {b"0123456789", b"end"}
    assert (whole.end, len(lines) < 1000) == (True, True)
    begun = runner.read_log(handle, SOURCE, 90_000, 10)
    assert begun.data + runner.read_log(handle, SOURCE, begun.to, 1 << 20).data == whole.data
    past = runner.read_log(handle, SOURCE, whole.to, 10)
    assert (past.data, past.end) == (b"", True)


def test_the_engine_says_who_it_is(docker: Docker, runner: DockerRunner) -> None:
    """The main process learns the same scope without the SDK; a wrong address says what to do."""
    address = address_of({}, {"DOCKER_HOST": f"unix://{docker.socket}"})
    assert scope_of(engine_id(address)) == runner.scope()
    with pytest.raises(ValueError, match="does not answer"):
        engine_id(Address(url="unix:///nowhere/docker.sock"))
    with pytest.raises(ValueError, match="no address"):
        address_of({"host": "ssh://somewhere"}, {})


_MAIN = """\
import json, os, sys
before = set(sys.modules)  # some packages leave an empty `google` in every interpreter
from launchyard.plugins.manager import Plugins
from launchyard.plugins.specs import Place, Setting
from launchyard.ports.target import HostSpec
target = Plugins().targets["local-container"].target(
    Setting(
        place=Place(folder="/", environment=dict(os.environ)),
        host=HostSpec(name="local-container", entry="", spec=None),
    )
)
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps([target.scope, sorted(loaded)]))
"""
_SDKS = {"azure", "boto3", "botocore", "docker", "google", "kubernetes", "requests", "urllib3"}


def test_the_main_process_loads_no_sdk(docker: Docker, runner: DockerRunner) -> None:
    """A target of docker queues is made with the standard library alone."""
    environment = {**os.environ, "DOCKER_HOST": f"unix://{docker.socket}"}
    done = subprocess.run(
        [sys.executable, "-c", _MAIN], capture_output=True, check=True, env=environment
    )
    scope, loaded = json.loads(done.stdout)
    assert scope == runner.scope()
    assert not _SDKS & set(loaded)
