"""What a cluster says of jobs, and what becomes of it; the same on the stand-in and a real one."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from launchyard.adapters.kubernetes.client import Cluster
from launchyard.adapters.kubernetes.paths import POD_KIND, Address, spot_of
from launchyard.adapters.kubernetes.places import KubernetesConfig
from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.domain.attempt import AttemptState
from launchyard.domain.naming import ITEM
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Handle, Launch, Observation, RunnerError
from tests.adapters.kubernetes.jobs import end_of, launch, log_of, told
from tests.programs import until
from tests.rig.kubernetes.standin import IMAGE, Kubernetes, any_cluster

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


@pytest.fixture
def api(cluster: Kubernetes) -> Iterator[Cluster]:
    """Give the cluster's API."""
    with closing(Cluster(Address(cluster.kubeconfig))) as api:
        yield api


def pods_of(api: Cluster, handle: Handle) -> list[dict[str, Any]]:
    """Return the pods of a job."""
    path = POD_KIND.path(spot_of(handle.uid).place.namespace)
    query = {"labelSelector": f"job-name={handle.name}"}
    return [pod for page in api.pages(path, query) for pod in page["items"]]


def explained(runner: KubernetesRunner, wish: Launch, word: str) -> Observation:
    """Submit a job that gets nowhere; return what is told of it once *word* is in it."""
    watch = runner.watch()
    try:
        handle = runner.submit(wish)
        watch.add(handle)
        return told(watch, lambda seen: word in seen.detail)
    finally:
        watch.close()
        runner.cancel(handle, 0.0, Reason.CANCELLED)


def pod_spec(**spec: Any) -> dict[str, Any]:
    """Return the queue's part of a manifest that has this in its pod's specification."""
    return {"spec": {"template": {"spec": spec}}}


def test_a_key_that_no_cluster_knows_is_a_slip(runner: KubernetesRunner) -> None:
    """It is unlike all that we know, so the cluster is asked, and its words name the place."""
    with pytest.raises(RunnerError, match=r'unknown field "spec\.zzPolicy"') as caught:
        runner.submit(launch("true", {"spec": {"zzPolicy": 1}}))
    assert (caught.value.reason, caught.value.retry) == (Reason.SPEC_INVALID, False)


def test_want_of_memory_is_told(runner: KubernetesRunner) -> None:
    """The container's own word for it, and what to do about it."""
    limits = {"resources": {"limits": {"memory": "64Mi"}}}
    config = pod_spec(containers=[{"name": "main", **limits}])
    # Of a kill right after the start some nodes say no more than that it was one.
    end = end_of(runner, runner.submit(launch("sleep 1; exec tail /dev/zero", config)))
    assert (end.state, end.reason, end.exit_code) == (S.FAILED, Reason.OUT_OF_MEMORY, 137)
    assert "memory" in end.detail


def test_a_wait_is_explained(runner: KubernetesRunner) -> None:
    """A node that nobody has and an image that nobody has: the cluster's words, while it waits."""
    nowhere = pod_spec(nodeSelector={"launchyard-tests": "nowhere"})
    assert explained(runner, launch("true", nowhere), "Unschedulable").state is S.PENDING
    image = "nowhere.invalid/none:1"
    assert explained(runner, launch("true", image=image), "nowhere.invalid").state is S.PENDING


def test_a_hopeless_wait_ends(runner: KubernetesRunner, api: Cluster) -> None:
    """After its grace it ends the attempt, for a reason of its own, and the job is taken away.

    A node may take half a minute for that, in which the reason is told already.
    """
    wish = launch("true", {"start_grace": 1}, image="nowhere.invalid/none:1")
    watch, handle = runner.watch(), runner.submit(wish)
    watch.add(handle)
    said = "it is being ended: it never started"
    assert told(watch, lambda seen: said in seen.detail).state is S.PENDING
    watch.close()
    end = end_of(runner, handle)
    assert (end.state, end.reason) == (S.FAILED, Reason.SOURCE_UNREACHABLE)
    assert not pods_of(api, handle)
    runner.remove(handle)


def test_an_eviction_is_a_preemption(runner: KubernetesRunner, api: Cluster) -> None:
    """W-07: a pod that the cluster took away is nobody's failure, though its job has failed."""
    watch = runner.watch()
    handle = runner.submit(launch("echo up; exec sleep 600"))
    watch.add(handle)
    told(watch, lambda seen: seen.state is S.RUNNING)
    pod = pods_of(api, handle)[0]["metadata"]
    path = f"{POD_KIND.path(pod['namespace'], pod['name'])}/eviction"
    meta = {"name": pod["name"], "namespace": pod["namespace"]}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
    api.call("POST", path, {**body, "deleteOptions": {"gracePeriodSeconds": 1}})
    end = told(watch, lambda seen: seen.reason is not None)
    assert (end.state, end.reason) == (S.PREEMPTED, Reason.PREEMPTED)
    watch.close()
    runner.remove(handle)


def test_a_suspended_job_frees_its_slot(runner: KubernetesRunner, api: Cluster) -> None:
    """It waits in the cluster's own queue; let go, it runs."""
    watch = runner.watch()
    handle = runner.submit(launch("exit 0", {"spec": {"suspend": True}}))
    watch.add(handle)
    assert told(watch, lambda seen: seen.suspended).state is S.PENDING
    place = spot_of(handle.uid).place
    path = place.kind.path(place.namespace, handle.name)
    api.call("PATCH", path, {"spec": {"suspend": False}})
    assert told(watch, lambda seen: seen.reason is not None).state is S.SUCCEEDED
    watch.close()
    runner.remove(handle)


def test_every_container_has_a_log(runner: KubernetesRunner) -> None:
    """W-36: the job's own is `main`, whatever it is called; the others go by their names."""
    beside = {"name": "beside", "image": IMAGE, "command": ["/bin/sh", "-c", "echo hi"]}
    config = pod_spec(containers=[{"name": "work"}, beside])
    handle = runner.submit(launch("echo one; echo two", config))
    assert end_of(runner, handle).state is S.SUCCEEDED
    assert list(runner.log_sources(handle)) == ["main", "beside"]
    assert log_of(runner, handle, "main") == b"one\ntwo\n"
    assert log_of(runner, handle, "beside") == b"hi\n"
    runner.remove(handle)


def test_a_kind_of_ones_own(runner: KubernetesRunner, api: Cluster) -> None:
    """W-32: discovery tells its plural, and conditions by their usual names how it stands."""
    names = {"plural": "simpolicies", "singular": "simpolicy", "kind": "SimPolicy"}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}}
    group = f"t{uuid.uuid4().hex[:8]}.launchyard.dev"
    spec: dict[str, Any] = {"group": group, "scope": "Namespaced", "names": names}
    spec["versions"] = [{**version, "schema": {"openAPIV3Schema": schema}}]
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    api.call("POST", path, {"metadata": {"name": f"simpolicies.{group}"}, "spec": spec})
    kind: dict[str, Any] = {"apiVersion": f"{group}/v1", "kind": "SimPolicy"}
    until(lambda: serves(api, f"/apis/{group}/v1"), "the new kind")
    handle = runner.submit(launch("true", {**kind, **pod_spec(containers=[{"name": "main"}])}))
    place = spot_of(handle.uid).place
    assert place.kind.plural == "simpolicies"
    assert runner.observe(handle).state is S.PENDING
    status = {"conditions": [{"type": "Succeeded", "status": "True"}]}
    own = f"{place.kind.path(place.namespace, handle.name)}/status"
    api.call("PATCH", own, {"status": status})
    assert end_of(runner, handle).state is S.SUCCEEDED
    runner.remove(handle)
    api.call("DELETE", f"{path}/simpolicies.{group}")


def serves(api: Cluster, path: str) -> bool:
    """Tell whether the API has this path by now."""
    try:
        return bool(api.call("GET", path))
    except RunnerError:
        return False


def test_nothing_stays_behind(runner: KubernetesRunner, api: Cluster) -> None:
    """W-06, W-29: job, pod and secret go together; no pod outlives its job, and no note the end."""
    wish = launch("echo up; exec sleep 600", secrets={"WORD": "canary"})
    handle = runner.submit(wish)
    document = api.call("GET", spot_of(handle.uid).place.kind.path(_space(handle), handle.name))
    assert "canary" not in json.dumps(document)
    until(lambda: runner.observe(handle).state is S.RUNNING, "the job to run")
    runner.cancel(handle, 0.0, Reason.CANCELLED)
    end_of(runner, handle)
    until(lambda: not pods_of(api, handle), "the pods to go")
    runner.remove(handle)
    query = {"labelSelector": f"{ITEM}={wish.labels[ITEM]}"}
    for plural in ("secrets", "configmaps"):
        path = f"/api/v1/namespaces/{_space(handle)}/{plural}"
        until(lambda: not api.call("GET", path, query=query)["items"], f"the {plural} to go")  # noqa: B023


def _space(handle: Handle) -> str:
    return spot_of(handle.uid).place.namespace
