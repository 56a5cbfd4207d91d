"""What containers do that the runner contract does not ask for, on an engine of the tests' own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from launchyard.adapters.docker.engine import Address, address_of, engine_id, scope_of
from launchyard.adapters.docker.runner import SOURCE, DockerRunner
from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.naming import Owner, labels, target_name
from launchyard.domain.reason import Reason
from launchyard.domain.targets.docker import DockerPlan
from launchyard.ports.runner import Handle, Launch, Observation, RunnerError
from tests.adapters.docker.plans import script_plan
from tests.rig.dockerd import Docker, docker_daemon
from tests.rig.small_image import load_small_image

S = AttemptState


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    """Give an engine that has the small image."""
    folder = tmp_path_factory.mktemp("engine")
    with docker_daemon(folder) as docker:
        load_small_image(docker, folder)
        yield docker


@pytest.fixture
def runner(docker: Docker) -> Iterator[DockerRunner]:
    """Give a runner on it."""
    with closing(DockerRunner(Address(url=f"unix://{docker.socket}"))) as runner:
        yield runner


def launch(script: str, config: Json = None, plan: DockerPlan | None = None) -> Launch:
    """Return the launch of a script by a new owner."""
    owner = Owner(installation="tests", item=str(uuid.uuid4()), attempt=1, agent="a")
    return Launch(
        owner=owner,
        name=target_name(owner.installation, owner.item, 1),
        labels=labels(owner, ""),
        plan=plan or script_plan(script, config),
        deadline=time.clock_gettime(time.CLOCK_BOOTTIME) + 60,
    )


def end(runner: DockerRunner, handle: Handle) -> Observation:
    """Return how *handle* ended, and remove what is left of it."""
    watch = runner.watch()
    try:
        watch.add(handle)
        seen = Observation(state=S.PENDING)
        until = time.monotonic() + 30
        while seen.state not in ENDS:
            assert time.monotonic() < until
            seen = next((one.observation for one in watch.wait(1.0)), seen)
        return seen
    finally:
        watch.close()


def refusal(runner: DockerRunner, wish: Launch) -> RunnerError:
    """Submit *wish* until it is refused for good."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with pytest.raises(RunnerError) as caught:
            runner.submit(wish)
        if caught.value.reason is not Reason.DEADLINE_PASSED:
            return caught.value
    raise AssertionError("nothing was decided")


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


def test_secrets_are_in_the_environment_alone(docker: Docker, runner: DockerRunner) -> None:
    """The job has them; labels, words and names do not."""
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
