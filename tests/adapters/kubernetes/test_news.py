"""News of a job made just now comes by itself; where it does not, the job is asked about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from launchyard.adapters.kubernetes.paths import Address
from launchyard.adapters.kubernetes.places import KubernetesConfig
from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.domain.attempt import AttemptState
from tests.adapters.kubernetes.jobs import end_of, launch, told
from tests.programs import until
from tests.rig.kubernetes.proxy import Fault, Proxy, troubled
from tests.rig.kubernetes.standin import Kubernetes, standin, write_kubeconfig

S = AttemptState


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Kubernetes]:
    """Give a stand-in, which counts."""
    with standin(tmp_path) as cluster:
        yield cluster


@pytest.fixture
def proxy(cluster: Kubernetes) -> Iterator[Proxy]:
    """Give a proxy before it."""
    with troubled(cluster.standin.url) as proxy:
        yield proxy


@pytest.fixture
def runner(cluster: Kubernetes, proxy: Proxy, tmp_path: Path) -> Iterator[KubernetesRunner]:
    """Give a runner that reaches the cluster through the proxy."""
    path = tmp_path / "kubeconfig"
    known = write_kubeconfig(path, proxy.url, cluster.namespace, cluster.standin.token)
    config = KubernetesConfig(folder=str(tmp_path), address=Address(known))
    with closing(KubernetesRunner(config)) as runner:
        yield runner


def test_a_new_job_is_asked_about_only_when_news_is_late(
    runner: KubernetesRunner, cluster: Kubernetes, proxy: Proxy, tmp_path: Path
) -> None:
    """A watch may lag behind the answer to a request; one that is broken leaves nobody unseen."""
    end_of(runner, runner.submit(launch("exit 0")))
    broken = proxy.add(Fault("GET", "/jobs?", status=500, times=400))

    def met() -> bool:
        proxy.cut()
        return broken.met.wait(0.5)

    until(met, "a watch that breaks")
    asked = cluster.standin.asked
    before = asked.get(("get", "jobs"), 0)
    held = f"while ! test -e {tmp_path}/go; do sleep 0.05; done; exit 3"
    handle, watch = runner.submit(launch(held)), runner.watch()
    watch.add(handle)
    assert not watch.wait(0.3)
    assert asked.get(("get", "jobs"), 0) == before
    told(watch, lambda seen: seen.state is S.RUNNING)
    assert asked["get", "jobs"] > before
    watch.close()
    (tmp_path / "go").touch()
    proxy.faults.clear()
    assert end_of(runner, handle).exit_code == 3
