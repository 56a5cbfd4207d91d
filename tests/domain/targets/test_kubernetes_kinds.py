"""Custom objects: real status shapes, and rows that people add."""

from __future__ import annotations

import pytest

from launchyard.domain.attempt import AttemptState as S
from launchyard.domain.config.problem import Problem
from launchyard.domain.documents import Json, dotted
from launchyard.domain.reason import Reason
from launchyard.domain.targets.kubernetes_kinds import KINDS, Phase, read_kinds, row_for
from launchyard.domain.targets.kubernetes_objects import summarise_object
from tests.domain.targets.kubernetes_kit import condition, container, judged, pod

VOLCANO = ("batch.volcano.sh/v1alpha1", "Job")
TORCH = ("kubeflow.org/v1", "PyTorchJob")
TRAIN = ("trainer.kubeflow.org/v1alpha1", "TrainJob")
JOBSET = ("jobset.x-k8s.io/v1alpha2", "JobSet")
RAY = ("ray.io/v1", "RayJob")


def custom(kind: tuple[str, str], **status: Json) -> dict[str, Json]:
    """Return a custom object as the API gives it."""
    meta: Json = {"name": "ly-abc-a1", "uid": "c1"}
    return {"apiVersion": kind[0], "kind": kind[1], "metadata": meta, "status": status}


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        (VOLCANO, {"state": {"phase": "Pending"}}, Phase.PENDING),
        (VOLCANO, {"state": {"phase": "Aborting"}}, Phase.RUNNING),
        (VOLCANO, {"state": {"phase": "Restarting"}}, Phase.RUNNING),
        (VOLCANO, {"state": {"phase": "Completed"}}, Phase.SUCCEEDED),
        (VOLCANO, {"state": {"phase": "Aborted"}}, Phase.FAILED),
        (VOLCANO, {"state": {"phase": "Terminated", "message": "why"}}, Phase.FAILED),
        (TORCH, {"conditions": [condition("Created"), condition("Running")]}, Phase.RUNNING),
        (
            TORCH,
            {"conditions": [condition("Running", status="False"), condition("Succeeded")]},
            Phase.SUCCEEDED,
        ),
        (TORCH, {"conditions": [condition("Created"), condition("Suspended")]}, Phase.SUSPENDED),
        (TORCH, {"conditions": [condition("Restarting")]}, Phase.RUNNING),
        (TRAIN, {"conditions": [condition("Complete")]}, Phase.SUCCEEDED),
        (TRAIN, {"conditions": [condition("Suspended")]}, Phase.SUSPENDED),
        (JOBSET, {"terminalState": "Completed"}, Phase.SUCCEEDED),
        (JOBSET, {"conditions": [condition("Failed")]}, Phase.FAILED),
        (JOBSET, {"conditions": [condition("Suspended")]}, Phase.SUSPENDED),
        (JOBSET, {"replicatedJobsStatus": [{"name": "w", "succeeded": 1}]}, None),
        (RAY, {"jobStatus": "PENDING", "jobDeploymentStatus": "Initializing"}, Phase.PENDING),
        (RAY, {"jobStatus": "RUNNING", "jobDeploymentStatus": "Running"}, Phase.RUNNING),
        (RAY, {"jobStatus": "SUCCEEDED", "jobDeploymentStatus": "Complete"}, Phase.SUCCEEDED),
        (RAY, {"jobStatus": "FAILED", "jobDeploymentStatus": "Complete"}, Phase.FAILED),
        (RAY, {"jobStatus": "", "jobDeploymentStatus": "Failed"}, Phase.FAILED),
        (RAY, {"jobDeploymentStatus": "ValidationFailed"}, Phase.FAILED),
        (RAY, {"jobDeploymentStatus": "Suspending"}, Phase.SUSPENDED),
        (RAY, {"jobDeploymentStatus": "Suspended"}, Phase.SUSPENDED),
        (RAY, {"jobStatus": "FAILED", "jobDeploymentStatus": "Retrying"}, Phase.PENDING),
        (RAY, {"jobDeploymentStatus": "Waiting"}, Phase.PENDING),
        (RAY, {"jobStatus": "", "jobDeploymentStatus": ""}, None),
        (RAY, {"jobStatus": "STOPPED", "jobDeploymentStatus": "Complete"}, Phase.FAILED),
        (("x.example/v1", "Thing"), {"conditions": [condition("Succeeded")]}, Phase.SUCCEEDED),
        (("x.example/v1", "Thing"), {"conditions": [condition("Odd")]}, None),
        (("x.example/v1", "Thing"), {}, None),
    ],
)
def test_real_shapes_are_understood(
    kind: tuple[str, str], status: dict[str, Json], expected: Phase | None
) -> None:
    """W-13: JobSet's list, TrainJob's Complete, both of Ray's words, Volcano's, Suspended."""
    assert summarise_object(custom(kind, **status)).phase is expected


def test_custom_objects_are_judged_like_jobs() -> None:
    """Pods explain them, and a suspended one frees its slot."""
    failed = custom(TORCH, conditions=[condition("Failed", "PyTorchJobFailed", "worker 0 failed")])
    pytorch = container("pytorch", {"terminated": {"exitCode": 9, "reason": "Error"}})
    seen = judged(failed, pod("Failed", pytorch))
    assert (seen.state, seen.exit_code) == (S.FAILED, 9)
    assert judged(failed).detail == "PyTorchJobFailed: worker 0 failed"
    assert judged(custom(RAY, jobDeploymentStatus="Suspended")).suspended
    refused = custom(RAY, jobDeploymentStatus="ValidationFailed", message="no entrypoint")
    seen = judged(refused)
    assert (seen.reason, "no entrypoint" in seen.detail) == (Reason.SPEC_INVALID, True)
    words = judged(custom(VOLCANO, state={"phase": "Failed", "message": "too many"})).detail
    assert words == "Failed: too many"


def test_people_add_rows_which_go_first() -> None:
    """A kind of one's own, and another meaning for a known one."""
    rows, problems = read_kinds(
        {
            "Thing.x.example": {"field": "status.state.name", "values": {"Ok": "succeeded"}},
            "RayJob.ray.io": {"conditions": {"Odd": "failed"}, "container": "ray"},
        },
        ("kinds",),
    )
    assert problems == ()
    thing = custom(("x.example/v1", "Thing"), state={"name": "ok"})
    assert summarise_object(thing, rows).phase is Phase.SUCCEEDED
    assert row_for("ray.io", "RayJob", rows).main == "ray"
    assert row_for("kubeflow.org", "MPIJob", rows).group == "kubeflow.org"


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        (["x"], "kinds", "must map"),
        ({"Thing": {}}, "kinds.Thing", "Kind.group"),
        ({"T.x": []}, "kinds.T.x", "object"),
        ({"T.x": {"fiels": "a"}}, "kinds.T.x.fiels", "did you mean"),
        ({"T.x": {"values": {"Ok": "succeded"}}}, "kinds.T.x.values.Ok", "`succeeded`"),
        ({"T.x": {"values": "Ok"}}, "kinds.T.x.values", "must map"),
        ({"T.x": {"fields": [1]}}, "kinds.T.x.fields", "path"),
        ({"T.x": {"suspend": True}}, "kinds.T.x.suspend", "below `spec`"),
        ({"T.x": {"suspend": "a..b"}}, "kinds.T.x.suspend", "below `spec`"),
    ],
)
def test_a_bad_row_is_refused_with_its_place(document: Json, path: str, words: str) -> None:
    """Every slip has a path and a remedy; the built-in rows stay."""
    rows, problems = read_kinds(document, ("kinds",))
    assert rows[-len(KINDS) :] == KINDS
    told: dict[str, Problem] = {dotted(problem.path): problem for problem in problems}
    assert words in told[path].text
