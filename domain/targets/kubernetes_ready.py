"""Whether what runs beside a job is ready for it; until then the job is held back.

A held Job is a suspended one with an annotation of ours, which names what it waits for: so any
agent that takes it up goes on waiting, and lets it go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from launchyard.domain.documents import Json
from launchyard.domain.targets.kubernetes_manifest import Node, is_job, node
from launchyard.domain.targets.kubernetes_pods import part, parts, text

HELD: Final = "launchyard.dev/held"
"""The annotation of a Job that waits for what runs beside it."""

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
    """What a job waits for, and how long at most; None is for ever."""

    beside: tuple[Beside, ...]
    wait_s: float | None = None

    @property
    def text(self) -> str:
        """The hold as an annotation."""
        listed = [[one.api, one.kind, one.name] for one in self.beside]
        return json.dumps({"for": listed, "s": self.wait_s})


def hold_of(annotation: str) -> Hold | None:
    """Return the hold that `Hold.text` gave, None where it is none."""
    try:
        told = json.loads(annotation)
        beside = tuple(Beside(*map(str, one)) for one in told["for"])
        wait_s = told["s"]
        return Hold(beside, None if wait_s is None else float(wait_s))
    except (ValueError, TypeError, KeyError):
        return None


def hold(document: Node, services: Sequence[Mapping[str, Json]], wait_s: float | None) -> None:
    """Have the Job *document* wait for *services*; 0 seconds are for ever, None not at all.

    A Job that its owner suspends, and one that is not plain, is left alone: who holds it back, or
    begins it, is its own controller.
    """
    job = node(document, "spec")
    if wait_s is None or not services or not is_job(document) or job.get("suspend") is True:
        return
    beside = tuple(
        Beside(text(one, "apiVersion"), text(one, "kind"), text(part(one, "metadata"), "name"))
        for one in services
    )
    job["suspend"] = True
    node(document, "metadata", "annotations")[HELD] = Hold(beside, wait_s or None).text


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
