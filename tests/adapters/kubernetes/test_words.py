"""What nodes say of themselves at the end of a log, which is nothing that a job has said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from tests.adapters.kubernetes.jobs import end_of, launch, log_of, told
from tests.rig.kubernetes.standin import Kubernetes, standin

S = AttemptState
WORDS = b"unable to retrieve container logs for containerd://b91ca08d41b0"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Kubernetes]:
    """Give a stand-in whose nodes say something at the end of each log."""
    with standin(tmp_path) as cluster:
        cluster.standin.words = WORDS
        yield cluster


def test_a_log_is_what_the_job_has_said(runner: KubernetesRunner) -> None:
    """Also of one that is cancelled, whose container goes while its log is followed."""
    handle = runner.submit(launch("echo one; echo two"))
    end_of(runner, handle)
    assert log_of(runner, handle, "main") == b"one\ntwo\n"
    watch, handle = runner.watch(), runner.submit(launch("echo up; exec sleep 600"))
    watch.add(handle)
    told(watch, lambda seen: seen.state is S.RUNNING)
    text = b""
    while text != b"up\n":
        text += runner.read_log(handle, "main", len(text), 100).data
    runner.cancel(handle, 0.0, Reason.CANCELLED)
    told(watch, lambda seen: seen.reason is not None)
    watch.close()
    assert log_of(runner, handle, "main", len(text)) == b""


def test_a_log_that_is_lost_says_so(runner: KubernetesRunner, cluster: Kubernetes) -> None:
    """Then the node's words are all that there is, and are marked as none of the job's."""
    cluster.standin.forgets = True
    handle = runner.submit(launch("echo one"))
    end_of(runner, handle)
    said = WORDS.decode()
    text = log_of(runner, handle, "main").decode()
    assert text == f"[launchyard: the node has no log of it: {said}]\n"
