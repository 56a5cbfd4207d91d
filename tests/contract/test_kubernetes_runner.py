"""The runner of clusters keeps the runner contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from launchyard.adapters.kubernetes.paths import Address
from launchyard.adapters.kubernetes.places import KubernetesConfig
from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.plugins.testkit.runner import RunnerCase, RunnerContract, Work
from tests.adapters.kubernetes.plans import script_plan
from tests.rig.kubernetes.standin import Kubernetes, any_cluster

_SCRIPTS: Final = {
    Work.SUCCEED: "exit 0",
    Work.FAIL: "exit 3",
    Work.LONG: "echo up; exec sleep 600",
    Work.LINES: "echo one; echo two; echo three",
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    """Give a cluster."""
    with any_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


class TestKubernetes(RunnerContract):
    """Jobs of a cluster."""

    provider = "kubernetes"
    timeout_s = 90.0
    grace_s = 5.0

    @pytest.fixture
    def case(self, cluster: Kubernetes, tmp_path: Path) -> Iterator[RunnerCase]:
        made: list[KubernetesRunner] = []
        config = KubernetesConfig(
            folder=str(tmp_path),
            address=Address(cluster.kubeconfig),
            namespace=cluster.namespace,
        )

        def make() -> KubernetesRunner:
            made.append(KubernetesRunner(config))
            return made[-1]

        yield RunnerCase(make=make, plan=lambda _name, work: script_plan(_SCRIPTS[work]))
        for runner in made:
            runner.close()
