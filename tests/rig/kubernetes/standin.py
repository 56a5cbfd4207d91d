"""A cluster for tests: the stand-in, or a real one where a kubeconfig is given for it."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

import kubernetes.client
import kubernetes.config

from tests.programs import until
from tests.rig.kubernetes.cluster import Cluster
from tests.rig.kubernetes.controller import JobController
from tests.rig.kubernetes.kinds import NAMESPACES
from tests.rig.kubernetes.kubelet import Kubelet
from tests.rig.kubernetes.server import Served, serving

REAL: Final = os.environ.get("LAUNCHYARD_TEST_KUBECONFIG", "")
"""The kubeconfig of a real cluster on which the same tests are to run; they make a namespace."""

IMAGE: Final = os.environ.get("LAUNCHYARD_TEST_IMAGE", "busybox:1.36")
"""An image with a shell, which the cluster can have; the stand-in needs none."""


@dataclass(frozen=True)
class Kubernetes:
    """A cluster with an empty namespace; `served` is the stand-in, None for a real one."""

    kubeconfig: str
    namespace: str
    served: Served | None = None

    @property
    def standin(self) -> Served:
        """The stand-in, for tests of what no real cluster does on request."""
        assert self.served is not None
        return self.served


def write_kubeconfig(path: Path, url: str, namespace: str, token: str = "") -> str:
    """Write a kubeconfig for the API at *url*; return its path."""
    user = {"token": token} if token else {}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "tests",
        "clusters": [{"name": "tests", "cluster": {"server": url}}],
        "users": [{"name": "tests", "user": user}],
        "contexts": [
            {
                "name": "tests",
                "context": {"cluster": "tests", "user": "tests", "namespace": namespace},
            }
        ],
    }
    path.write_text(json.dumps(document))
    return str(path)


@contextlib.contextmanager
def standin(
    folder: Path, *, plays: bool = False, tls: ssl.SSLContext | None = None
) -> Iterator[Kubernetes]:
    """Run the stand-in; where it *plays*, pods start no processes."""
    cluster = Cluster()
    kubelet, controller = Kubelet(cluster, plays=plays), JobController(cluster)
    cluster.create(NAMESPACES, "", {"metadata": {"name": "jobs"}})
    token = uuid.uuid4().hex
    try:
        with serving(Served(cluster, kubelet, token), tls) as served:
            path = write_kubeconfig(folder / "kubeconfig", served.url, "jobs", token)
            yield Kubernetes(path, "jobs", served)
    finally:
        controller.close()
        kubelet.close()


@contextlib.contextmanager
def real_cluster() -> Iterator[Kubernetes]:
    """Give a namespace of its own on the real cluster, and take it away afterwards."""
    configuration = kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(  # type: ignore[no-untyped-call]
        REAL, client_configuration=configuration
    )
    with kubernetes.client.ApiClient(configuration) as api:
        core = kubernetes.client.CoreV1Api(api)
        name = f"launchyard-tests-{uuid.uuid4().hex[:8]}"
        # Clusters may hold pods to more by default than the image's user, root, lives up to.
        labels = {"pod-security.kubernetes.io/enforce": "privileged"}
        meta = kubernetes.client.V1ObjectMeta(name=name, labels=labels)
        core.create_namespace(kubernetes.client.V1Namespace(metadata=meta))
        try:
            until(lambda: _has_account(core, name), "the namespace's account")
            yield Kubernetes(REAL, name)
        finally:
            core.delete_namespace(name)


def _has_account(core: kubernetes.client.CoreV1Api, namespace: str) -> bool:
    """Tell whether the controller has made the account of pods that name none."""
    try:
        core.read_namespaced_service_account("default", namespace)
    except kubernetes.client.ApiException as e:
        if e.status != HTTPStatus.NOT_FOUND:
            raise
        return False
    return True


@contextlib.contextmanager
def any_cluster(folder: Path) -> Iterator[Kubernetes]:
    """Give the real cluster where there is one, else the stand-in."""
    with real_cluster() if REAL else standin(folder) as found:
        yield found
