"""What plain Jobs do by themselves: many pods, a deadline, and a policy for pods that are taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from launchyard.adapters.kubernetes.paths import Address
from launchyard.adapters.kubernetes.places import KubernetesConfig
from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.domain.attempt import AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.reason import Reason
from tests.adapters.kubernetes.jobs import end_of, launch, log_of
from tests.rig.kubernetes.standin import Kubernetes, any_cluster

S = AttemptState


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    """Give a cluster."""
    with any_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def runner(cluster: Kubernetes, tmp_path: Path) -> Iterator[KubernetesRunner]:
    """Give a runner on it."""
    address = Address(cluster.kubeconfig)
    config = KubernetesConfig(folder=str(tmp_path), address=address, namespace=cluster.namespace)
    with closing(KubernetesRunner(config)) as runner:
        yield runner


def test_a_job_of_many_pods_is_over_with_the_last(runner: KubernetesRunner) -> None:
    """W-03, W-36: the first pod's success is none of the job's; each pod has a log of its own."""
    spec: Json = {"completions": 3, "parallelism": 2, "completionMode": "Indexed"}
    handle = runner.submit(launch('echo "number $JOB_COMPLETION_INDEX"', {"spec": spec}))
    assert end_of(runner, handle).state is S.SUCCEEDED
    texts = {log_of(runner, handle, source) for source in runner.log_sources(handle)}
    assert texts == {b"number 0\n", b"number 1\n", b"number 2\n"}
    runner.remove(handle)


def test_a_jobs_own_deadline_is_a_time_out(runner: KubernetesRunner) -> None:
    """W-04: a failure without a failed pod is seen, by the Job's condition."""
    wish = launch("exec sleep 600", {"spec": {"activeDeadlineSeconds": 1}})
    handle = runner.submit(wish)
    end = end_of(runner, handle)
    assert (end.state, end.reason) == (S.TIMED_OUT, Reason.RUN_TIMEOUT)
    runner.remove(handle)
