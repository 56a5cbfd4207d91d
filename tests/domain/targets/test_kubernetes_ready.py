"""When what runs beside a job is ready for it, and which jobs wait."""

from __future__ import annotations

from typing import Any

import pytest

from launchyard.domain.documents import Json
from launchyard.domain.targets.kubernetes_ready import HELD, Beside, Hold, hold, hold_of, unready

POD_RUNS: Json = {"phase": "Running", "containerStatuses": [{"name": "a", "ready": True}]}
POD_BEGINS: Json = {"phase": "Running", "containerStatuses": [{"name": "a", "ready": False}]}
COMPLETE: Json = {"conditions": [{"type": "Complete", "status": "True"}]}
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
    hold(job, [service], 300.0)
    assert job["spec"]["suspend"] is True
    found = hold_of(job["metadata"]["annotations"][HELD])
    assert found == Hold((Beside("apps/v1", "Deployment", "db"),), 300.0)
    for wrong in ("", "{}", '{"for": [[1]], "s": 1}', '{"for": [], "s": "x"}'):
        assert hold_of(wrong) is None


def test_what_its_owner_suspends_is_let_go_by_its_owner() -> None:
    """Nor does an object wait whose kind we do not know, or one whose queue wants no wait."""
    service: dict[str, Json] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "db"}}
    suspended: Any = {"kind": "Job", "spec": {"suspend": True}}
    custom: Any = {"apiVersion": "ray.io/v1", "kind": "RayJob", "spec": {}}
    plain: Any = {"kind": "Job", "spec": {}}
    hold(suspended, [service], 300.0)
    hold(custom, [service], 300.0)
    hold(plain, [service], None)
    hold(plain, [], 300.0)
    assert "metadata" not in suspended
    assert custom["spec"] == plain["spec"] == {}
    hold(plain, [service], 0.0)
    found = hold_of(plain["metadata"]["annotations"][HELD])
    assert found is not None
    assert found.wait_s is None
