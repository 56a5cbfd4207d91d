"""What is over, and what is not: late pods, answers of others than the cluster, notes refused."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from launchyard.adapters.kubernetes.client import Cluster
from launchyard.adapters.kubernetes.errors import KubernetesError, refusal
from launchyard.adapters.kubernetes.notes import wished
from launchyard.adapters.kubernetes.paths import JOBS as KIND
from launchyard.adapters.kubernetes.paths import Address, Place
from launchyard.adapters.kubernetes.places import KubernetesConfig
from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.ports import events
from launchyard.ports.runner import Handle, Launch, RunnerError
from tests.adapters.kubernetes.jobs import end_of, launch, told
from tests.rig.kubernetes.kinds import JOBS, PODS
from tests.rig.kubernetes.proxy import Fault, Proxy
from tests.rig.kubernetes.standin import Kubernetes, standin

S = AttemptState
UID = "0b7d0a3e-5b3c-4f5e-9d53-2f3f2c1b9a10"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    """Give a stand-in: no real cluster does these things on request."""
    with standin(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def runner(cluster: Kubernetes, proxied: str, tmp_path: Path) -> Iterator[KubernetesRunner]:
    """Give a runner behind the proxy that once sent jobs to a context which is gone."""
    gone = Place(cluster.namespace, KIND, Address(proxied, "gone"))
    (tmp_path / "places.json").write_text(json.dumps([gone.text]))
    config = KubernetesConfig(folder=str(tmp_path), address=Address(proxied))
    with closing(KubernetesRunner(config)) as runner:
        yield runner


def running(runner: KubernetesRunner, wish: Launch) -> Handle:
    """Submit a job; return it when it runs."""
    watch, handle = runner.watch(), runner.submit(wish)
    with closing(watch):
        watch.add(handle)
        told(watch, lambda seen: seen.state is S.RUNNING)
    return handle


def live_pods(cluster: Kubernetes, wish: Launch) -> list[str]:
    """Return the names of an attempt's pods that are not over."""
    pods = cluster.standin.cluster.all(PODS, cluster.namespace)
    ours = [pod for pod in pods if wish.labels.items() <= pod["metadata"]["labels"].items()]
    return [p["metadata"]["name"] for p in ours if p["status"]["phase"] in {"Running", "Pending"}]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_balancers_404_ends_nothing(
    runner: KubernetesRunner, proxy: Proxy, cluster: Kubernetes, method: str
) -> None:
    """A cancel that no API server heard is not taken as done: the job runs, and it is repeated."""
    wish = launch("sleep 600")
    handle = running(runner, wish)
    fault = proxy.add(Fault(method, f"/jobs/{wish.name}", status=404))
    with pytest.raises(RunnerError) as caught:
        runner.cancel(handle, 0.0, Reason.CANCELLED)
    assert fault.met.is_set()
    assert caught.value.retry
    assert cluster.standin.cluster.look(JOBS, cluster.namespace, wish.name)
    runner.cancel(handle, 0.0, Reason.CANCELLED)
    assert end_of(runner, handle).state is S.CANCELLED
    runner.remove(handle)


def test_whose_404_it_is() -> None:
    """Only the API's own word counts; a backend's default page may be better a moment later."""
    body = {"kind": "Status", "message": 'jobs.batch "x" not found', "reason": "NotFound"}
    path = "/apis/batch/v1/namespaces/ml/jobs/x"
    own = refusal("GET", path, 404, {}, json.dumps(body).encode())
    other = refusal("GET", path, 404, {}, b"default backend - 404")
    assert (own.absent, own.astray, own.retry) == (True, False, False)
    assert (other.absent, other.astray, other.retry) == (False, True, True)
    assert (other.reason, path in str(other)) == (Reason.TARGET_UNREACHABLE, True)
    body["message"] = "the server could not find the requested resource"
    kind = refusal("GET", path, 404, {}, json.dumps(body).encode())
    assert (kind.absent, kind.astray, path in str(kind)) == (False, True, True), "of no object"


@pytest.mark.parametrize(("found", "gone"), [("", True), (UID[::-1], True), (UID, False)])
def test_a_conflict_over_a_uid_that_is_gone(found: str, gone: bool) -> None:
    """Who deletes by uid what has just gone is told so: there is nothing left to be deleted."""
    said = f"Precondition failed: UID in precondition: {UID}, UID in object meta: {found}"
    assert KubernetesError(said, 409, word="Conflict").replaced is gone
    assert not KubernetesError("the object has been modified", 409, word="Conflict").replaced


@pytest.mark.parametrize(
    ("api", "kind"),
    [("v1", "Pood"), ("v2", "Pod"), ("batch/v9", "Job"), ("none.example/v1", "Sim")],
)
def test_a_kind_that_is_not_there_is_told(cluster: Kubernetes, api: str, kind: str) -> None:
    """Whether it is the kind, the version or the group: trying again helps nobody."""
    with closing(Cluster(Address(cluster.kubeconfig))) as found:
        with pytest.raises(RunnerError, match=f"no kind `{kind}` of {api}") as caught:
            found.plural(api, kind)
        assert not caught.value.retry


def test_a_uid_that_another_object_has_now() -> None:
    """In the words of real API servers: of a delete by uid, and of a patch."""
    there = f"the UID in the precondition ({UID}) does not match the UID in record ({UID[::-1]})"
    said = f'Operation cannot be fulfilled on Job.batch "x": {there}. The object might have been'
    assert KubernetesError(said, 409, word="Conflict").replaced
    said = f'Job.batch "x" is invalid: metadata.uid: Invalid value: "{UID}": field is immutable'
    assert KubernetesError(said, 422, word="Invalid").replaced
    said = 'Job.batch "x" is invalid: spec.template: Invalid value: "x": field is immutable'
    assert not KubernetesError(said, 422, word="Invalid").replaced


def test_an_end_spares_who_has_the_name_now(runner: KubernetesRunner, cluster: Kubernetes) -> None:
    """The job went between the look and the delete, and somebody made another of its name."""
    known, space, wish = cluster.standin.cluster, cluster.namespace, launch("sleep 600")
    handle = running(runner, wish)
    spec = known.get(JOBS, space, wish.name)["spec"]
    known.delete(JOBS, space, wish.name, {"propagationPolicy": "Background"})
    known.create(JOBS, space, {"metadata": {"name": wish.name}, "spec": {**spec, "suspend": True}})
    runner._standing.end(handle, wished(Reason.CANCELLED), wish.labels, 0.0)
    assert known.look(JOBS, space, wish.name)
    assert end_of(runner, handle).state is S.CANCELLED
    runner.remove(handle)
    known.delete(JOBS, space, wish.name, {"propagationPolicy": "Background"})


def test_a_pod_that_comes_too_late_is_ended(runner: KubernetesRunner, cluster: Kubernetes) -> None:
    """Its controller did not know yet that the job is gone; the attempt is not over before it."""
    known, wish = cluster.standin.cluster, launch("sleep 600")
    handle = running(runner, wish)
    pod = known.all(PODS, cluster.namespace)[-1]
    runner.cancel(handle, 0.0, Reason.CANCELLED)
    meta = {"name": f"{wish.name}-late", "labels": pod["metadata"]["labels"]}
    spec = {key: value for key, value in pod["spec"].items() if key != "nodeName"}
    spec["terminationGracePeriodSeconds"] = 1
    known.create(PODS, cluster.namespace, {"metadata": meta, "spec": spec})
    assert live_pods(cluster, wish)
    assert end_of(runner, handle).state is S.CANCELLED
    assert not live_pods(cluster, wish)
    runner.remove(handle)


def test_a_refused_note_keeps_no_job_running(
    runner: KubernetesRunner, cluster: Kubernetes, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the right to write down why, or quota for it: it ends, and this agent knows why."""
    wish = launch("sleep 600")
    handle = running(runner, wish)
    denied = cluster.standin.denied
    denied |= {("create", "configmaps"), ("delete", "configmaps")}
    try:
        with caplog.at_level(logging.WARNING):
            runner.cancel(handle, 0.0, Reason.RUN_TIMEOUT)
        assert end_of(runner, handle).state is S.TIMED_OUT
        runner.remove(handle)
    finally:
        denied.clear()
    assert events.NOTE_REFUSED.name in str([vars(one) for one in caplog.records])
    assert not live_pods(cluster, wish)


def test_a_dead_place_does_not_hold_up_who_was_sent_elsewhere(
    runner: KubernetesRunner, proxy: Proxy
) -> None:
    """This process knows where it tried; of another name it says what to do about the dead one."""
    wish = launch("exit 0")
    soon = time.clock_gettime(time.CLOCK_BOOTTIME) + 0.5
    proxy.add(Fault("POST", "/jobs", status=500, times=99))
    with pytest.raises(RunnerError) as caught:
        runner.submit(replace(wish, deadline=soon))
    assert caught.value.retry
    assert runner.find(wish.owner, wish.name) is None
    with pytest.raises(RunnerError, match=r"no context `gone`.*places\.json") as caught:
        runner.find(wish.owner, "another")
    assert caught.value.retry
