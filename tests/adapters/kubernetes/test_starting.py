"""An API server that has just begun: it refuses everything until it has read all rights."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from launchyard.adapters.kubernetes.paths import Address
from launchyard.adapters.kubernetes.places import KubernetesConfig
from launchyard.adapters.kubernetes.readiness import Readiness
from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.ports.runner import RunnerError
from tests.adapters.kubernetes.jobs import end_of, launch, told
from tests.rig.kubernetes.standin import Kubernetes

S = AttemptState
FEW = 4
ALL = 1_000_000


def runner_on(cluster: Kubernetes, folder: Path) -> KubernetesRunner:
    """Return a runner on it."""
    config = KubernetesConfig(folder=str(folder), address=Address(cluster.kubeconfig))
    return KubernetesRunner(config)


def test_a_refusal_of_a_server_that_starts_is_none(cluster: Kubernetes, tmp_path: Path) -> None:
    """A job that comes in that moment runs, and what ends one is written down a moment later."""
    with closing(runner_on(cluster, tmp_path)) as runner:
        cluster.standin.starting = FEW
        assert end_of(runner, runner.submit(launch("exit 0"))).state is S.SUCCEEDED
        watch, handle = runner.watch(), runner.submit(launch("exec sleep 600"))
        watch.add(handle)
        told(watch, lambda seen: seen.state is S.RUNNING)
        cluster.standin.starting = FEW
        runner.cancel(handle, 0.0, Reason.RUN_TIMEOUT)
        assert told(watch, lambda seen: seen.reason is not None).state is S.TIMED_OUT
        watch.close()
    with closing(runner_on(cluster, tmp_path)) as another:
        assert another.observe(handle).state is S.TIMED_OUT, "by the note on it"


def test_a_cluster_that_starts_keeps_its_name(cluster: Kubernetes, tmp_path: Path) -> None:
    """It is told by its uid, and by its address only where that may not be seen: or all is lost."""
    with closing(runner_on(cluster, tmp_path)) as runner:
        scope = runner.scope()
    cluster.standin.starting = FEW
    with closing(runner_on(cluster, tmp_path)) as runner:
        assert runner.scope() == scope


def test_a_cluster_that_goes_on_starting_is_tried_again(
    cluster: Kubernetes, tmp_path: Path
) -> None:
    """What it says of itself decides, and nobody is sent to look for a right that is there."""
    with closing(runner_on(cluster, tmp_path)) as runner:
        cluster.standin.denied.add(("create", "jobs"))
        cluster.standin.unready = True
        soon = time.clock_gettime(time.CLOCK_BOOTTIME) + 0.5
        with pytest.raises(RunnerError, match="only starting") as caught:
            runner.submit(replace(launch("exit 0"), deadline=soon))
        assert (caught.value.reason, caught.value.retry) == (Reason.TARGET_UNREACHABLE, True)


def test_who_may_not_ask_for_its_state_waits_for_a_moment() -> None:
    """Some accounts may never see it: what is refused again and again is refused."""
    readiness = Readiness()
    assert not readiness.is_ready(403, 100.0)
    assert not readiness.is_ready(403, 103.9)
    assert readiness.is_ready(403, 106.0)
    assert readiness.is_ready(403, 107.0)


def test_a_server_may_begin_twice() -> None:
    """Nobody asks for its state between: what was refused then says nothing of now."""
    readiness = Readiness()
    assert not readiness.is_ready(403, 100.0)
    assert not readiness.is_ready(403, 111.0)
    assert not readiness.is_ready(403, 111.5)


def test_who_was_told_its_state_before_may_see_it() -> None:
    """So a refusal of that, too, is one of the beginning, however long it takes."""
    readiness = Readiness()
    assert not readiness.is_ready(500, 100.0)
    assert readiness.is_ready(200, 101.0)
    for now_s in range(200, 260):
        assert not readiness.is_ready(403, float(now_s))
    assert Readiness().is_ready(404, 100.0), "a proxy without this path"
