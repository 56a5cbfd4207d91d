"""Launches, plans and the API's own shapes for the tests of the kubernetes target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from launchyard.domain.config.problem import DocumentError
from launchyard.domain.documents import Json, dotted
from launchyard.domain.environment import JobFacts, WandbEndpoint
from launchyard.domain.spec import Docker, GitSource, LaunchSpec, Overrides
from launchyard.domain.targets.kubernetes import plan_kubernetes
from launchyard.domain.targets.kubernetes_objects import (
    EventSummary,
    summarise_event,
    summarise_object,
)
from launchyard.domain.targets.kubernetes_plan import (
    KubernetesContext,
    KubernetesPlan,
    KubernetesRequest,
    Submit,
)
from launchyard.domain.targets.kubernetes_pods import PodSummary, summarise_pod
from launchyard.domain.targets.kubernetes_request import create_request
from launchyard.domain.targets.kubernetes_status import Grace, Observed, Sight, judge

NOW_MS = 1_800_000_000_000
STAMP = "2027-01-15T08:00:00Z"
LABELS = {
    "launchyard-installation": "home",
    "launchyard-item": "i",
    "launchyard-attempt": "1",
    "launchyard-agent": "a",
    "launchyard-spec": "d",
}
SPEC = LaunchSpec(
    entity="team",
    project="Vision",
    docker=Docker(image="reg.example:5000/team/train:1"),
    overrides=Overrides(entry_point=("python", "train.py"), args=("--name", "a b")),
)
FACTS = JobFacts(
    item="i",
    attempt=1,
    queue="q",
    entity="team",
    run_id="r1",
    spec=SPEC,
    agent={"HTTPS_PROXY": "http://proxy:3128", "SSL_CERT_FILE": "/etc/agent.pem", "KEY": "k"},
    server="http://server:8080",
    token="attempt-token",  # noqa: S106
    wandb=WandbEndpoint(base_url="http://w", api_key="wandb-key"),
)


def planned(config: Json = None, spec: LaunchSpec = SPEC, queue: Json = None) -> KubernetesPlan:
    """Plan *spec* on a queue whose configuration is *config*, or *queue* before the launch."""
    context = KubernetesContext(facts=FACTS, queue=config if queue is None else queue, name="ly-a1")
    return plan_kubernetes(spec, config, context)


def requested(config: Json = None, spec: LaunchSpec = SPEC) -> KubernetesRequest:
    """Return the documents that the launch comes to."""
    secrets = {"LAUNCHYARD_TOKEN": "attempt-token", "WANDB_API_KEY": "wandb-key"}
    submit = Submit(name="ly-abc-a1", labels=LABELS, secrets=secrets)
    return create_request(planned(config, spec), submit)


def at(document: Any, *path: str | int) -> Any:
    """Return what is at *path*."""
    for step in path:
        document = document[step]
    return document


def pod_of(document: Any) -> Any:
    """Return the pod's specification in a Job."""
    return at(document, "spec", "template", "spec")


def job_of(containers: list[Json], **pod: Json) -> dict[str, Json]:
    """Return the configuration of a queue with these containers."""
    return {"spec": {"template": {"spec": {"containers": containers, **pod}}}}


def condition(kind: str, reason: str = "", message: str = "", status: str = "True") -> Json:
    """Return a condition as the API writes it."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": STAMP,
    }


def job(*conditions: Json, suspend: bool = False, **status: Json) -> dict[str, Json]:
    """Return a Job as the API gives it."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "ly-abc-a1", "uid": "j1", "namespace": "ml", "labels": {**LABELS}},
        "spec": {"suspend": suspend, "backoffLimit": 0},
        "status": {"conditions": [*conditions], **status},
    }


def container(name: str, state: Mapping[str, Json], **more: Json) -> Json:
    """Return a container's status as the API gives it."""
    return {"name": name, "state": {**state}, "lastState": {}, "restartCount": 0, **more}


def waiting(reason: str, message: str = "", name: str = "main") -> Json:
    """Return the status of a container that waits."""
    return container(name, {"waiting": {"reason": reason, "message": message}})


def ended(code: int, reason: str = "Error", name: str = "main", **more: Json) -> Json:
    """Return the status of a container that has ended."""
    told = {"exitCode": code, "reason": reason, "finishedAt": STAMP, **more}
    return container(name, {"terminated": told})


def pod(phase: str = "Pending", *containers: Json, **status: Json) -> dict[str, Json]:
    """Return a pod as the API gives it."""
    names = [c["name"] for c in containers if isinstance(c, dict)] or ["main"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "ly-abc-a1-x7k2p",
            "uid": "p1",
            "creationTimestamp": STAMP,
            "labels": {**LABELS, "batch.kubernetes.io/job-name": "ly-abc-a1"},
        },
        "spec": {"containers": [{"name": str(name)} for name in names]},
        "status": {"phase": phase, "containerStatuses": [*containers], **status},
    }


def summary(found: Mapping[str, Json], now_ms: int = NOW_MS) -> PodSummary:
    """Summarise a pod that is seen for the first time."""
    return summarise_pod(found, now_ms)


def judged(
    found: Mapping[str, Json],
    *pods: Mapping[str, Json],
    events: tuple[EventSummary, ...] = (),
    after_s: float = 0.0,
) -> Observed:
    """Judge a job whose pods were first seen so long ago."""
    seen = tuple(summary(one) for one in pods)
    sight = Sight(found=summarise_object(found), pods=seen, events=events)
    return judge(sight, NOW_MS + round(after_s * 1000), Grace())


RUNS = container("main", {"running": {"startedAt": STAMP}})


def event(kind: str, uid: str, reason: str, message: str, **more: Json) -> EventSummary:
    """Return an event as it is kept."""
    about: Json = {"kind": kind, "name": "x", "uid": uid}
    told: dict[str, Json] = {"reason": reason, "message": message, "firstTimestamp": STAMP}
    return summarise_event({"involvedObject": about, **told, **more})


def moment(after_s: float) -> str:
    """Return a time stamp of the API so long after `STAMP`."""
    return datetime.fromtimestamp(NOW_MS / 1000 + after_s, UTC).isoformat()


CODE = replace(SPEC, docker=Docker(), code=GitSource("https://git.example/x.git", "v1", "sub"))


TORCH: dict[str, Json] = {
    "apiVersion": "kubeflow.org/v1",
    "kind": "PyTorchJob",
    "spec": {
        "pytorchReplicaSpecs": {
            "Master": {
                "template": {"spec": {"containers": [{"name": "log"}, {"name": "pytorch"}]}}
            },
            "Worker": {"template": {"spec": {"containers": [{"name": "pytorch", "image": "own"}]}}},
        }
    },
}


MASTER = ("spec", "pytorchReplicaSpecs", "Master", "template", "spec", "containers")


WORKER = ("spec", "pytorchReplicaSpecs", "Worker", "template", "spec", "containers")


def main_of(document: Any) -> Any:
    """Return the first container of a Job."""
    return at(pod_of(document), "containers", 0)


def env_of(container: Any) -> dict[str, Any]:
    """Return a container's variables; each has to be there once."""
    names = [entry["name"] for entry in container.get("env", [])]
    assert len(names) == len(set(names))
    return {entry["name"]: entry for entry in container.get("env", [])}


def problems(config: Json, spec: LaunchSpec = SPEC) -> dict[str, str]:
    """Map the path of every problem to what is said about it."""
    with pytest.raises(DocumentError) as caught:
        planned(config, spec)
    return {
        dotted(p.path): f"{p.message} {p.allowed} {p.hint}".strip() for p in caught.value.problems
    }
