"""What the tests of clusters share: a stand-in, a way to it that may be troubled, and runners."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from launchyard.adapters.kubernetes.paths import Address
from launchyard.adapters.kubernetes.places import KubernetesConfig
from launchyard.adapters.kubernetes.runner import KubernetesRunner
from tests.rig.kubernetes.proxy import Proxy, troubled
from tests.rig.kubernetes.standin import Kubernetes, standin, write_kubeconfig


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Kubernetes]:
    """Give a stand-in of the test's own; modules that can share one have theirs."""
    with standin(tmp_path) as cluster:
        yield cluster


@pytest.fixture
def runner(cluster: Kubernetes, tmp_path: Path) -> Iterator[KubernetesRunner]:
    """Give a runner on it."""
    config = KubernetesConfig(folder=str(tmp_path), address=Address(cluster.kubeconfig))
    with closing(KubernetesRunner(config)) as runner:
        yield runner


@pytest.fixture
def proxy(cluster: Kubernetes) -> Iterator[Proxy]:
    """Give a proxy before the cluster."""
    with troubled(cluster.standin.url) as proxy:
        yield proxy


@pytest.fixture
def proxied(cluster: Kubernetes, proxy: Proxy, tmp_path: Path) -> str:
    """Give the path of a kubeconfig that leads through the proxy."""
    token = cluster.standin.token
    return write_kubeconfig(tmp_path / "proxied", proxy.url, cluster.namespace, token)


@pytest.fixture
def beyond(proxied: str, tmp_path: Path) -> Iterator[KubernetesRunner]:
    """Give a runner that reaches the cluster through the proxy."""
    config = KubernetesConfig(folder=str(tmp_path), address=Address(proxied))
    with closing(KubernetesRunner(config)) as runner:
        yield runner
