"""When what runs beside a job is ready for it, and which jobs wait."""

from __future__ import annotations

from typing import Any

import pytest

from launchyard.domain.documents import Json
from launchyard.domain.targets.kubernetes_kinds import (
    GENERIC,
    KINDS,
    Phase,
    read_kinds,
    row_for,
)
from launchyard.domain.targets.kubernetes_objects import summarise_object
from launchyard.domain.targets.kubernetes_ready import (
    HELD,
    Beside,
    Hold,
    Wait,
    hold,
    hold_of,
    suspended_by,
    unready,
)

POD_RUNS: Json = {"phase": "Running", "containerStatuses": [{"name": "a", "ready": True}]}
POD_BEGINS: Json = {"phase": "Running", "containerStatuses": [{"name": "a", "ready": False}]}
COMPLETE: Json = {"conditions": [{"type": "Complete", "status": "True"}]}
RAY_ENDS: Json = {"rayClusterSpec": {"a": 1}, "shutdownAfterJobFinishes": True}
FAILED: Json = {"conditions": [{"type": "Failed", "status": "True"}]}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "words"),
    [
        ("Deployment", {"replicas": 2}, {"readyReplicas": 2}, ""),
        ("Deployment", {"replicas": 2}, {"readyReplicas": 1}, "1 of 2"),
        ("Deployment", {}, {}, "0 of 1"),
        ("StatefulSet", {"replicas": 0}, {}, ""),
        ("Pod", {}, POD_RUNS, ""),
        ("Pod", {}, POD_BEGINS, "container a is not ready"),
        ("Pod", {}, {"phase": "Pending"}, "Pending"),
        ("Pod", {}, {"phase": "Succeeded"}, ""),
        ("Job", {}, {"active": 1, "ready": 0}, "none of its pods"),
        ("Job", {}, {"ready": 1}, ""),
        ("Job", {}, COMPLETE, ""),
        ("Job", {}, FAILED, "failed"),
        ("Service", {"selector": {"app": "x"}}, {}, "no endpoint"),
        ("Service", {}, {}, ""),
        ("Service", {"type": "ExternalName", "selector": {"a": "b"}}, {}, ""),
        ("ConfigMap", {}, {}, ""),
    ],
)
def test_each_kind_is_ready_in_its_own_way(kind: str, spec: Json, status: Json, words: str) -> None:
    """By its status, and what has none is ready when it is there."""
    told = unready({"kind": kind, "spec": spec, "status": status})
    assert words in told
    assert bool(told) == bool(words)


@pytest.mark.parametrize(
    ("condition", "ready"), [({}, True), ({"ready": True}, True), ({"ready": False}, False)]
)
def test_a_service_is_ready_with_an_endpoint(condition: Json, ready: bool) -> None:
    """An endpoint that says nothing is ready, as the API has it."""
    service: dict[str, Json] = {"kind": "Service", "spec": {"selector": {"app": "x"}}}
    end: Json = {"addresses": ["10.0.0.1"], "conditions": condition}
    assert (unready(service, [{"endpoints": [end]}]) == "") is ready
    assert unready(service, [{"endpoints": None}])


def test_a_hold_is_kept_on_its_job() -> None:
    """So any agent that takes the job up knows what it waits for; slips hold nothing back."""
    service: dict[str, Json] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "db"},
    }
    job: Any = {"apiVersion": "batch/v1", "kind": "Job"}
    hold(job, [service], Wait(300.0))
    assert job["spec"]["suspend"] is True
    found = hold_of(job["metadata"]["annotations"][HELD])
    assert found == Hold((Beside("apps/v1", "Deployment", "db"),), 300.0)
    assert found.released == {"suspend": False}
    for wrong in ("", "{}", '{"for": [[1]], "s": 1}', '{"for": [], "s": "x"}'):
        assert hold_of(wrong) is None


def test_what_its_owner_suspends_is_let_go_by_its_owner() -> None:
    """Nor does an object wait whose kind cannot be held, or one whose queue wants no wait."""
    service: dict[str, Json] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "db"}}
    suspended: Any = {"kind": "Job", "spec": {"suspend": True}}
    custom: Any = {"apiVersion": "ray.io/v1", "kind": "RayJob", "spec": {}}
    plain: Any = {"kind": "Job", "spec": {}}
    hold(suspended, [service], Wait(300.0))
    hold(custom, [service], Wait(300.0, suspended_by(custom, GENERIC)))
    hold(plain, [service], Wait(None))
    hold(plain, [], Wait(300.0))
    assert "metadata" not in suspended
    assert custom["spec"] == plain["spec"] == {}
    hold(plain, [service], Wait(0.0))
    found = hold_of(plain["metadata"]["annotations"][HELD])
    assert found is not None
    assert found.wait_s is None


KUEUE: Json = {"labels": {"kueue.x-k8s.io/queue-name": "team"}}
MULTI: dict[str, Json] = {"managedBy": "kueue.x-k8s.io/multikueue"}
IN_TREE: dict[str, Json] = {"managedBy": "kubernetes.io/job-controller"}


@pytest.mark.parametrize(
    ("api", "kind", "meta", "spec", "field"),
    [
        ("batch/v1", "Job", KUEUE, {}, ""),
        ("jobset.x-k8s.io/v1alpha2", "JobSet", KUEUE, {}, ""),
        ("batch/v1", "Job", {"labels": {"kueue.x-k8s.io/queue-name": ""}}, {}, "suspend"),
        ("batch/v1", "Job", {}, MULTI, ""),
        ("batch/v1", "Job", {}, IN_TREE, "suspend"),
        ("kubeflow.org/v1", "PyTorchJob", {}, {"runPolicy": MULTI}, ""),
    ],
)
def test_what_another_admits_is_not_held(
    api: str, kind: str, meta: Json, spec: dict[str, Json], field: str
) -> None:
    """To let it go would be to pass Kueue by; and while Kueue holds it, it has no launch slot."""
    document: Any = {"apiVersion": api, "kind": kind, "metadata": meta, "spec": spec}
    assert suspended_by(document, row_for(api.rpartition("/")[0], kind, KINDS)) == field


@pytest.mark.parametrize(
    ("api", "kind", "spec", "field"),
    [
        ("jobset.x-k8s.io/v1alpha2", "JobSet", {}, "suspend"),
        ("kubeflow.org/v1", "PyTorchJob", {}, "runPolicy.suspend"),
        ("kubeflow.org/v2beta1", "MPIJob", {"runPolicy": {"x": 1}}, "runPolicy.suspend"),
        ("trainer.kubeflow.org/v1alpha1", "TrainJob", {}, "suspend"),
        ("ray.io/v1", "RayJob", RAY_ENDS, "suspend"),
        ("ray.io/v1", "RayJob", {"rayClusterSpec": {"a": 1}}, ""),
        ("ray.io/v1", "RayJob", {"shutdownAfterJobFinishes": True}, ""),
        ("batch.volcano.sh/v1alpha1", "Job", {}, ""),
        ("x.example/v1", "Sim", {}, "hold.it"),
    ],
)
def test_a_custom_object_is_held_by_the_field_of_its_kind(
    api: str, kind: str, spec: dict[str, Json], field: str
) -> None:
    """It is pending from its first moment, not running; a RayJob as its controller takes it."""
    rows, problems = read_kinds({"Sim.x.example": {"suspend": "spec.hold.it"}}, ())
    row = row_for(api.rpartition("/")[0], kind, rows)
    document: Any = {"apiVersion": api, "kind": kind, "spec": spec}
    service: dict[str, Json] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "db"}}
    by = suspended_by(document, row)
    assert (problems, by) == ((), field)
    hold(document, [service], Wait(300.0, by))
    found = hold_of(document.get("metadata", {}).get("annotations", {}).get(HELD, ""))
    if not field:
        assert found is None
        return
    assert found is not None
    assert found.suspend == field
    created: Json = {"conditions": [{"type": "Created", "status": "True"}]}
    for status in ({}, created):
        seen = summarise_object({**document, "status": status}, rows)
        assert seen.phase is Phase.SUSPENDED
    at: Any = {"spec": found.released}
    for key in ("spec", *field.split(".")):
        at = at[key]
    assert at is False
