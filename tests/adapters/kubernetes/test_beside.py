"""What runs beside a job: there first and ready, known to the job by name, gone with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launchyard.adapters.kubernetes.paths import Address
from launchyard.adapters.kubernetes.places import KubernetesConfig
from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.domain.spec import Service
from launchyard.ports.runner import Handle, Launch, RunnerError
from tests.adapters.kubernetes.jobs import end_of, launch, log_of, told
from tests.programs import until
from tests.rig.kubernetes.kinds import DEPLOYMENTS, JOBS, PODS
from tests.rig.kubernetes.objects import Resource
from tests.rig.kubernetes.standin import IMAGE, Kubernetes, any_cluster, standin

S = AttemptState
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "spec": {
        "containers": [
            {"name": "db", "image": IMAGE, "command": ["/bin/sh", "-c", "exec sleep 600"]}
        ]
    },
}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "model"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "model"}},
        "template": {"metadata": {"labels": {"app": "model"}}, "spec": POD["spec"]},
    },
}
TORCHES = Resource("kubeflow.org", "v1", "pytorchjobs", "PyTorchJob")
VOLCANOES = Resource("batch.volcano.sh", "v1alpha1", "jobs", "Job")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    """Give a stand-in: its deployments are ready when a test says so."""
    with standin(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def runner_on(cluster: Kubernetes, folder: Path) -> KubernetesRunner:
    """Return a runner on a cluster."""
    address = Address(cluster.kubeconfig)
    config = KubernetesConfig(folder=str(folder), address=address, namespace=cluster.namespace)
    return KubernetesRunner(config)


@pytest.fixture
def runner(cluster: Kubernetes, tmp_path: Path) -> Iterator[KubernetesRunner]:
    """Give a runner on it."""
    with closing(runner_on(cluster, tmp_path)) as runner:
        yield runner


def beside(manifest: dict[str, Any], script: str = "exit 0", **more: Any) -> Launch:
    """Return the launch of a script with one service."""
    return launch(script, services=(Service(name="The DB", config=manifest),), **more)


def custom(kind: Resource) -> dict[str, Any]:
    """Return the configuration of a queue whose jobs are objects of *kind*."""
    part = {"template": {"spec": {"containers": [{"name": "main"}]}}}
    return {"apiVersion": kind.api, "kind": kind.kind, "spec": {"parts": {"Master": part}}}


def left(cluster: Kubernetes, *handles: Handle) -> list[str]:
    """Return what is there of these jobs and of any service."""
    store, names = cluster.standin.cluster, {handle.name for handle in handles}
    jobs = [one["metadata"]["name"] for one in store.all(JOBS)]
    there = [one["metadata"]["name"] for kind in (PODS, DEPLOYMENTS) for one in store.all(kind)]
    return [*(name for name in jobs if name in names), *there]


def make_ready(cluster: Kubernetes, count: int) -> None:
    """Have so many pods of the deployment be ready."""
    store = cluster.standin.cluster
    store.set_status(DEPLOYMENTS, cluster.namespace, "model", readyReplicas=count)


def test_a_job_begins_when_what_is_beside_it_is_ready(tmp_path: Path) -> None:
    """W-27, W-29: it is told the name, which is its attempt's own, and takes all along."""
    with any_cluster(tmp_path) as cluster, closing(runner_on(cluster, tmp_path)) as runner:
        handle = runner.submit(beside(POD, 'echo "$LAUNCHYARD_SERVICE_THE_DB"'))
        assert end_of(runner, handle).state is S.SUCCEEDED
        name = log_of(runner, handle, "main").decode().strip()
        assert name.startswith("the-db-")
        runner.remove(handle)
        if cluster.served is not None:
            asked = cluster.standin.asked
            assert asked["create", "pods"] == 1, "the job's own is its controller's"
            until(lambda: not left(cluster, handle), "the removal of everything")


def test_another_agent_goes_on_waiting(
    cluster: Kubernetes, runner: KubernetesRunner, tmp_path: Path
) -> None:
    """What is missing is told while it waits, with the slot kept; who takes it up lets it go."""
    with closing(runner_on(cluster, tmp_path)) as before:
        handle = before.submit(beside(DEPLOYMENT))
    watch = runner.watch()
    watch.add(handle)
    seen = told(watch, lambda seen: "0 of 2 are ready" in seen.detail)
    assert (seen.state, seen.suspended) == (S.PENDING, False)
    make_ready(cluster, 1)
    told(watch, lambda seen: "1 of 2 are ready" in seen.detail)
    make_ready(cluster, 2)
    assert told(watch, lambda seen: seen.reason is not None).state is S.SUCCEEDED
    watch.close()
    runner.remove(handle)
    until(lambda: not left(cluster, handle), "the removal of everything")


def test_a_wait_has_an_end(cluster: Kubernetes, runner: KubernetesRunner) -> None:
    """The attempt fails for what was not ready, and nothing of it stays."""
    handle = runner.submit(beside(DEPLOYMENT, config={"wait_timeout": 1}))
    end = end_of(runner, handle)
    assert (end.state, end.reason) == (S.FAILED, Reason.SUBMIT_FAILED)
    assert "Deployment model: 0 of 2 are ready" in end.detail
    runner.remove(handle)
    until(lambda: not left(cluster, handle), "the removal of everything")


def test_a_waiting_job_can_be_cancelled(cluster: Kubernetes, runner: KubernetesRunner) -> None:
    """It never began, and what was beside it goes as well."""
    handle = runner.submit(beside(DEPLOYMENT))
    runner.cancel(handle, 0.0, Reason.CANCELLED)
    assert end_of(runner, handle).state is S.CANCELLED
    runner.remove(handle)
    until(lambda: not left(cluster, handle), "the removal of everything")


def test_nobody_waits_who_does_not_want_to(cluster: Kubernetes, runner: KubernetesRunner) -> None:
    """`wait_for_ready: false`, as W&B's queues say it."""
    handle = runner.submit(beside(DEPLOYMENT, config={"wait_for_ready": False}))
    assert end_of(runner, handle).state is S.SUCCEEDED
    runner.remove(handle)
    until(lambda: not left(cluster, handle), "the removal of everything")


def test_the_next_attempt_takes_a_name_over(cluster: Kubernetes, runner: KubernetesRunner) -> None:
    """A name that people chose is kept; the attempt before has no more use for it."""
    first = beside(DEPLOYMENT)
    old = runner.submit(first)
    again = replace(first.owner, attempt=2)
    new = runner.submit(beside(DEPLOYMENT, owner=again))
    [found] = cluster.standin.cluster.all(DEPLOYMENTS)
    assert found["metadata"]["ownerReferences"][0]["name"] == new.name
    with pytest.raises(RunnerError, match=r"put `\${run_id}` into its name") as caught:
        runner.submit(beside(DEPLOYMENT))
    assert caught.value.reason is Reason.NAME_TAKEN
    for handle in (old, new):
        runner.cancel(handle, 0.0, Reason.CANCELLED)
        end_of(runner, handle)
        runner.remove(handle)
    until(lambda: not left(cluster, old, new), "the removal of everything")


def test_a_job_that_cannot_have_its_services_is_taken_back(
    cluster: Kubernetes, runner: KubernetesRunner
) -> None:
    """A submit that is refused in the middle leaves nothing, and names the missing right."""
    before = len(cluster.standin.cluster.all(JOBS))
    cluster.standin.denied.add(("create", "deployments"))
    try:
        with pytest.raises(RunnerError, match="give the agent's account this right"):
            runner.submit(beside(DEPLOYMENT))
    finally:
        cluster.standin.denied.clear()
    assert len(cluster.standin.cluster.all(JOBS)) == before


def test_a_cluster_that_cannot_hold_a_job_back_says_so(
    cluster: Kubernetes, runner: KubernetesRunner
) -> None:
    """Before 1.24 it drops the key without a word, and the job would begin too soon."""
    before = len(cluster.standin.cluster.all(JOBS))
    cluster.standin.old = frozenset({"suspend", "podFailurePolicy"})
    try:
        with pytest.raises(RunnerError, match=r"1\.24 or later.*wait_for_ready") as caught:
            runner.submit(beside(DEPLOYMENT))
        assert (caught.value.reason, caught.value.retry) == (Reason.SPEC_INVALID, False)
        assert len(cluster.standin.cluster.all(JOBS)) == before
        handle = runner.submit(launch("exit 0"))
        assert end_of(runner, handle).state is S.SUCCEEDED
        runner.remove(handle)
    finally:
        cluster.standin.old = frozenset()


def test_what_runs_beside_a_job_is_no_job_of_ours(
    cluster: Kubernetes, runner: KubernetesRunner
) -> None:
    """W-15: nobody takes it up, or away, for a stray."""
    job = {"template": {"spec": {"restartPolicy": "Never", **POD["spec"]}}}
    wish = beside({"apiVersion": "batch/v1", "kind": "Job", "spec": job}, "exec sleep 600")
    handle = runner.submit(wish)
    owned = runner.list_owned(wish.owner.installation, wish.owner.agent)
    assert [one.handle for one in owned] == [handle]
    runner.cancel(handle, 0.0, Reason.CANCELLED)
    end_of(runner, handle)
    runner.remove(handle)


def test_a_custom_object_waits_by_the_field_of_its_kind(
    cluster: Kubernetes, runner: KubernetesRunner, tmp_path: Path
) -> None:
    """Its controller hears nothing of the wait but `suspend`; any agent lets it go."""
    store = cluster.standin.cluster
    store.add_kind(TORCHES)
    with closing(runner_on(cluster, tmp_path)) as before:
        handle = before.submit(beside(DEPLOYMENT, config=custom(TORCHES)))
    assert store.all(TORCHES)[0]["spec"]["runPolicy"] == {"suspend": True}
    watch = runner.watch()
    watch.add(handle)
    seen = told(watch, lambda seen: "0 of 2 are ready" in seen.detail)
    assert (seen.state, seen.suspended) == (S.PENDING, False)
    make_ready(cluster, 2)
    told(watch, lambda seen: not seen.detail)
    assert store.all(TORCHES)[0]["spec"]["runPolicy"] == {"suspend": False}
    assert "launchyard.dev/held" not in store.all(TORCHES)[0]["metadata"]["annotations"]
    done = {"type": "Succeeded", "status": "True"}
    store.set_status(TORCHES, cluster.namespace, handle.name, conditions=[done])
    assert told(watch, lambda seen: seen.reason is not None).state is S.SUCCEEDED
    watch.close()
    runner.remove(handle)
    until(lambda: not left(cluster, handle), "the removal of everything")


def test_an_object_that_cannot_be_held_begins_at_once(
    cluster: Kubernetes, runner: KubernetesRunner
) -> None:
    """Its services are there beside it, nobody waits, and they go with it."""
    store = cluster.standin.cluster
    store.add_kind(VOLCANOES)
    handle = runner.submit(beside(DEPLOYMENT, config=custom(VOLCANOES)))
    [found] = store.all(VOLCANOES)
    assert found["spec"].keys() == {"parts"}
    assert [one["metadata"]["name"] for one in store.all(DEPLOYMENTS)] == ["model"]
    store.set_status(VOLCANOES, cluster.namespace, handle.name, state={"phase": "Completed"})
    assert end_of(runner, handle).state is S.SUCCEEDED
    runner.remove(handle)
    until(lambda: not left(cluster, handle), "the removal of everything")
