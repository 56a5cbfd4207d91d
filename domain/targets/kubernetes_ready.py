"""Whether what runs beside a job is ready for it; until then the job is held back.

A held job is a suspended one with an annotation of ours, which names what it waits for: so any
agent that takes it up goes on waiting, and lets it go. Custom objects are suspended by the field
that the row of their kind names; one without such a field cannot be held back, nor can one that
another admits, as Kueue: whoever let it go would pass that by.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from launchyard.domain.documents import Json
from launchyard.domain.targets.kubernetes_kinds import JOB_ROW, KindRow
from launchyard.domain.targets.kubernetes_manifest import Node, is_job, node
from launchyard.domain.targets.kubernetes_pods import part, parts, text

HELD: Final = "launchyard.dev/held"
"""The annotation of a job that waits for what runs beside it."""

_QUEUE: Final = "kueue.x-k8s.io/queue-name"
_OWN: Final = frozenset(
    {
        "kubernetes.io/job-controller",
        "jobset.sigs.k8s.io/jobset-controller",
        "kubeflow.org/training-operator",
        "kubeflow.org/mpi-operator",
        "trainer.kubeflow.org/trainjob-controller",
        "ray.io/kuberay-operator",
    }
)
"""What `managedBy` says where it says nothing new: the kind's own controller."""

_COUNTED: Final = frozenset({"Deployment", "StatefulSet", "ReplicaSet"})


@dataclass(frozen=True, slots=True)
class Beside:
    """One object beside a job."""

    api: str
    kind: str
    name: str

    def __str__(self) -> str:
        """Give it in the words of people."""
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Hold:
    """What a job waits for, and how long at most; None is for ever.

    `suspend` is the field below `spec` that holds it back.
    """

    beside: tuple[Beside, ...]
    wait_s: float | None = None
    suspend: str = JOB_ROW.suspend

    @property
    def text(self) -> str:
        """The hold as an annotation."""
        listed = [[one.api, one.kind, one.name] for one in self.beside]
        told = {"for": listed, "s": self.wait_s}
        return json.dumps(told if self.suspend == JOB_ROW.suspend else {**told, "by": self.suspend})

    @property
    def released(self) -> dict[str, Json]:
        """The `spec` of a merge patch that lets the job go."""
        value: Json = False
        for key in reversed(self.suspend.split(".")):
            value = {key: value}
        return value if isinstance(value, dict) else {}


def hold_of(annotation: str) -> Hold | None:
    """Return the hold that `Hold.text` gave, None where it is none."""
    try:
        told = json.loads(annotation)
        beside = tuple(Beside(*map(str, one)) for one in told["for"])
        wait_s = told["s"]
        by = str(told.get("by") or JOB_ROW.suspend)
        return Hold(beside, None if wait_s is None else float(wait_s), by)
    except (ValueError, TypeError, KeyError):
        return None


@dataclass(frozen=True, slots=True)
class Wait:
    """Whether and how a job can wait: 0 seconds are for ever, None not at all.

    Without a field that suspends it, it cannot.
    """

    wait_s: float | None
    suspend: str = JOB_ROW.suspend


def admitted_by(document: Mapping[str, Json]) -> str:
    """Return what says that another than the kind's controller lets *document* begin, if any."""
    if queue := text(part(part(document, "metadata"), "labels"), _QUEUE):
        return f"the label {_QUEUE}: {queue}"
    spec = part(document, "spec")
    for holder in (spec, part(spec, "runPolicy")):
        manager = text(holder, "managedBy")
        if manager and manager not in _OWN:
            return f"managedBy: {manager}"
    return ""


def suspended_by(document: Mapping[str, Json], row: KindRow) -> str:
    """Return the field below `spec` by which we can hold *document* back, nothing without one."""
    if admitted_by(document):
        return ""
    if is_job(document):
        return JOB_ROW.suspend
    spec = part(document, "spec")
    return row.suspend if all(spec.get(name) for name in row.suspend_needs) else ""


def is_suspended(found: Mapping[str, Json], suspend: str) -> bool:
    """Tell whether the field *suspend* below the `spec` of *found* is true."""
    *folders, last = suspend.split(".")
    spec = part(found, "spec")
    for folder in folders:
        spec = part(spec, folder)
    return spec.get(last) is True


def hold(document: Node, services: Sequence[Mapping[str, Json]], wish: Wait) -> None:
    """Have the job *document* wait for *services*.

    One that its owner suspends is left alone: whoever holds it back lets it go.
    """
    by = wish.suspend
    if wish.wait_s is None or not services or not by or is_suspended(document, by):
        return
    beside = tuple(
        Beside(text(one, "apiVersion"), text(one, "kind"), text(part(one, "metadata"), "name"))
        for one in services
    )
    *folders, last = by.split(".")
    node(document, "spec", *folders)[last] = True
    node(document, "metadata", "annotations")[HELD] = Hold(beside, wish.wait_s or None, by).text


def unready(found: Mapping[str, Json], slices: Sequence[Mapping[str, Json]] = ()) -> str:
    """Return why *found* is not ready, nothing where it is.

    Of a Service *slices* are its EndpointSlices. Kinds that have no readiness are ready.
    """
    kind, spec, status = text(found, "kind"), part(found, "spec"), part(found, "status")
    if kind in _COUNTED:
        wanted, have = spec.get("replicas"), status.get("readyReplicas")
        wanted, have = (1 if wanted is None else wanted), (have or 0)
        enough = isinstance(have, int) and isinstance(wanted, int) and have >= wanted
        return "" if enough else f"{have} of {wanted} are ready"
    if kind == "Pod":
        return _of_pod(status)
    if kind == "Job":
        true = {text(c, "type") for c in parts(status, "conditions") if text(c, "status") == "True"}
        if "Failed" in true:
            return "it has failed"
        return "" if "Complete" in true or status.get("ready") else "none of its pods is ready"
    if kind == "Service" and spec.get("selector") and spec.get("type") != "ExternalName":
        return "" if any(map(_serves, slices)) else "it has no endpoint that is ready"
    return ""


def _of_pod(status: Mapping[str, Json]) -> str:
    phase = text(status, "phase")
    if phase == "Succeeded":
        return ""
    if phase != "Running":
        return f"it is {phase or 'new'}"
    waiting = [text(c, "name") for c in parts(status, "containerStatuses") if not c.get("ready")]
    return f"container {waiting[0]} is not ready" if waiting else ""


def _serves(found: Mapping[str, Json]) -> bool:
    ends = parts(found, "endpoints")
    return any(part(end, "conditions").get("ready") is not False for end in ends)
