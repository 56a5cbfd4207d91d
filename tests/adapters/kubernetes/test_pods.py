"""Pods that come one after another, or from a controller of somebody else: secrets and logs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from launchyard.adapters.kubernetes.paths import Address
from launchyard.adapters.kubernetes.places import KubernetesConfig
from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.domain.attempt import AttemptState
from launchyard.ports.runner import Handle
from tests.adapters.kubernetes.jobs import end_of, launch, log_of
from tests.programs import until
from tests.rig.kubernetes.kinds import PODS
from tests.rig.kubernetes.objects import Resource
from tests.rig.kubernetes.standin import Kubernetes, standin

S = AttemptState
HOST: Final = "team.private"
IMAGE: Final = f"{HOST}/train:1"
TORCHES: Final = Resource("kubeflow.org", "v1", "pytorchjobs", "PyTorchJob")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Kubernetes]:
    """Give a stand-in, whose nodes want a login for the registry."""
    with standin(tmp_path) as cluster:
        cluster.standin.cluster.add_kind(TORCHES)
        yield cluster


@pytest.fixture
def runner(cluster: Kubernetes, tmp_path: Path) -> Iterator[KubernetesRunner]:
    """Give a runner that has the login."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": {HOST: {"username": "robot", "password": "x"}}}))
    address = Address(cluster.kubeconfig)
    config = KubernetesConfig(folder=str(tmp_path), address=address, docker_config=str(path))
    with closing(KubernetesRunner(config)) as runner:
        yield runner


def made_by_its_controller(cluster: Kubernetes, handle: Handle) -> None:
    """Make the pods of an object as its operator does, and wait for their ends."""
    store, space = cluster.standin.cluster, cluster.namespace
    found = store.get(TORCHES, space, handle.name)
    owner = {"apiVersion": TORCHES.api, "kind": TORCHES.kind, "name": handle.name}
    names = []
    for role, part in found["spec"]["pytorchReplicaSpecs"].items():
        for number in range(part.get("replicas", 1)):
            meta = dict(part["template"].get("metadata") or {})
            names.append(f"{handle.name}-{role.lower()}-{number}")
            meta |= {
                "name": names[-1],
                "ownerReferences": [{**owner, "uid": found["metadata"]["uid"]}],
            }
            spec = {"restartPolicy": "Never", **part["template"]["spec"]}
            store.create(PODS, space, {"metadata": meta, "spec": spec})

    def ends() -> set[str]:
        return {store.get(PODS, space, name)["status"].get("phase", "") for name in names}

    until(lambda: ends() == {"Succeeded"}, "the pods' ends")


def test_every_pod_of_a_custom_object_has_its_secrets_and_its_log(
    runner: KubernetesRunner, cluster: Kubernetes
) -> None:
    """W-28, W-34: whoever makes them, they pull with the agent's login, and are heard by name."""
    part: dict[str, Any] = {"template": {"spec": {"containers": [{"name": "pytorch"}]}}}
    config: Any = {
        "apiVersion": TORCHES.api,
        "kind": TORCHES.kind,
        "spec": {"pytorchReplicaSpecs": {"Master": part, "Worker": {"replicas": 2, **part}}},
    }
    script = 'echo "$WORD"; echo over'
    handle = runner.submit(launch(script, config, secrets={"WORD": "open"}, image=IMAGE))
    made_by_its_controller(cluster, handle)
    assert runner.observe(handle).state is S.RUNNING, "its operator says when it is over"
    condition = {"type": "Succeeded", "status": "True", "reason": "JobSucceeded"}
    store = cluster.standin.cluster
    store.set_status(TORCHES, cluster.namespace, handle.name, conditions=[condition])
    assert end_of(runner, handle).state is S.SUCCEEDED
    sources = runner.log_sources(handle)
    assert sorted(sources) == ["master-0.pytorch", "worker-0.pytorch", "worker-1.pytorch"]
    for source in sources:
        assert log_of(runner, handle, source) == b"open\nover\n"
    runner.remove(handle)
    until(lambda: not store.all(PODS, cluster.namespace), "the removal of its pods")


def test_a_job_that_may_fail_once_is_no_failure(runner: KubernetesRunner, tmp_path: Path) -> None:
    """W-04: another pod comes, with the same secrets and login, and only the Job says the end."""
    script = f'[ -e {tmp_path}/tried ] || {{ touch {tmp_path}/tried; exit 3; }}; echo "$WORD"'
    config: Any = {"spec": {"backoffLimit": 1}}
    handle = runner.submit(launch(script, config, secrets={"WORD": "open"}, image=IMAGE))
    end = end_of(runner, handle)
    assert (end.state, end.exit_code) == (S.SUCCEEDED, 0)
    texts = [log_of(runner, handle, source) for source in runner.log_sources(handle)]
    assert sorted(texts) == [b"", b"open\n"]
    runner.remove(handle)
