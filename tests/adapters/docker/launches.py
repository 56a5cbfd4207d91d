"""Launches of scripts, and waiting for their ends."""

from __future__ import annotations

import time
import uuid

import pytest

from launchyard.adapters.docker.runner import DockerRunner
from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.naming import Owner, labels, target_name
from launchyard.domain.reason import Reason
from launchyard.domain.targets.docker import DockerPlan
from launchyard.ports.runner import Handle, Launch, Observation, RunnerError
from tests.adapters.docker.plans import script_plan
from tests.programs import LIMIT_S, until

S = AttemptState


def launch(script: str, config: Json = None, plan: DockerPlan | None = None) -> Launch:
    """Return the launch of a script by a new owner."""
    owner = Owner(installation="tests", item=str(uuid.uuid4()), attempt=1, agent="a")
    return Launch(
        owner=owner,
        name=target_name(owner.installation, owner.item, 1),
        labels=labels(owner, ""),
        plan=plan or script_plan(script, config),
        deadline=time.clock_gettime(time.CLOCK_BOOTTIME) + 600,
    )


def end(runner: DockerRunner, handle: Handle) -> Observation:
    """Return how *handle* ended, and remove what is left of it."""
    watch = runner.watch()
    try:
        watch.add(handle)
        seen = Observation(state=S.PENDING)
        limit = time.monotonic() + LIMIT_S
        while seen.state not in ENDS:
            assert time.monotonic() < limit
            seen = next((one.observation for one in watch.wait(1.0)), seen)
        return seen
    finally:
        watch.close()


def refusal(runner: DockerRunner, wish: Launch) -> RunnerError:
    """Submit *wish* until it is refused for good."""
    limit = time.monotonic() + LIMIT_S
    while time.monotonic() < limit:
        with pytest.raises(RunnerError) as caught:
            runner.submit(wish)
        if caught.value.reason is not Reason.DEADLINE_PASSED:
            return caught.value
    raise AssertionError("nothing was decided")


def run_of(image: str, script: str = "exit 0") -> Launch:
    """Return the launch of a script in *image*."""
    return launch("", plan=script_plan(script, None, image))


def started(runner: DockerRunner, wish: Launch) -> Handle:
    """Submit *wish* until its image is there, and again where that may help, as agents do."""
    found: list[Handle] = []

    def here() -> bool:
        try:
            found.append(runner.submit(wish))
        except RunnerError as e:
            if not e.retry:
                raise
            return False
        return True

    until(here, "pull")
    return found[0]
