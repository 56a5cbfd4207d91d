"""Pods as a watcher keeps them: small summaries instead of the objects, which are 10 KiB each.

A summary says what its pod does and, if it gets nowhere, since when and in whose words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from launchyard.domain.documents import Json
from launchyard.domain.naming import ATTEMPT, ITEM
from launchyard.domain.targets.kubernetes_trouble import (
    Trouble,
    of_scheduling,
    of_waiting,
    with_cause,
)

MAIN: Final = "kubectl.kubernetes.io/default-container"
"""The annotation that names a pod's main container where it is not the first."""

_JOB: Final = ("batch.kubernetes.io/job-name", "job-name")
_GONE: Final = "DisruptionTarget"
_READIED: Final = "PodReadyToStartContainers"


class Step(StrEnum):
    """What a container does."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSummary:
    """One container; `oom` also tells of an end before its last start."""

    name: str
    step: Step
    init: bool = False
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    at_ms: int | None = None
    restarts: int = 0
    oom: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSummary:
    """One pod; `job` is what made it, `item` and `attempt` are our labels on it.

    `main` is the index of its main container in `containers`. `disruption` is the reason of its
    `DisruptionTarget` condition, `said` the cluster's words on the pod as a whole. `readied` tells
    that its volumes and its network are there, as far as its node says so.
    """

    name: str
    uid: str
    job: str = ""
    item: str = ""
    attempt: str = ""
    phase: str = ""
    reason: str = ""
    said: str = ""
    disruption: str = ""
    deleting: bool = False
    readied: bool = False
    created_ms: int | None = None
    containers: tuple[ContainerSummary, ...] = ()
    main: int = 0
    trouble: Trouble | None = None

    @property
    def main_container(self) -> ContainerSummary | None:
        """The container that runs the job, if the node has told of it."""
        return self.containers[self.main] if self.main < len(self.containers) else None


def summarise_pod(
    pod: Mapping[str, Json], now_ms: int, before: PodSummary | None = None
) -> PodSummary:
    """Return what is to be kept of *pod*, as the API gives it.

    *before* is the summary until now: a trouble that goes on keeps the time of its beginning.
    """
    meta, spec, status = (part(pod, key) for key in ("metadata", "spec", "status"))
    labels = part(meta, "labels")
    containers = _containers(status)
    conditions = {text(c, "type"): c for c in parts(status, "conditions")}
    disruption = conditions.get(_GONE, {})
    disrupted = text(disruption, "status") == "True"
    summary = PodSummary(
        name=text(meta, "name"),
        uid=text(meta, "uid"),
        job=_job(meta, labels),
        item=text(labels, ITEM),
        attempt=text(labels, ATTEMPT),
        phase=text(status, "phase"),
        reason=text(status, "reason"),
        said=text(status, "message") or (text(disruption, "message") if disrupted else ""),
        disruption=text(disruption, "reason") or _GONE if disrupted else "",
        deleting=bool(meta.get("deletionTimestamp")),
        readied=text(conditions.get(_READIED, {}), "status") == "True",
        created_ms=at_ms(meta.get("creationTimestamp")),
        containers=containers,
        main=_main(meta, spec, containers),
    )
    return replace(summary, trouble=_trouble(summary, conditions, now_ms, before))


def _trouble(
    pod: PodSummary,
    conditions: Mapping[str, Mapping[str, Json]],
    now_ms: int,
    before: PodSummary | None,
) -> Trouble | None:
    if pod.phase in {"Succeeded", "Failed"}:
        return None
    scheduled = conditions.get("PodScheduled", {})
    found = None
    if text(scheduled, "status") == "False":
        found = of_scheduling(text(scheduled, "reason"), text(scheduled, "message"))
    waiting = (c for c in pod.containers if c.step is Step.WAITING)
    found = found or next(
        (t for c in waiting if (t := of_waiting(c.reason, c.message, c.name)) is not None), None
    )
    if found is None:
        return None
    old = before.trouble if before is not None and before.uid == pod.uid else None
    found = with_cause(found, old)
    same = old is not None and old.patience is found.patience
    return replace(found, since_ms=old.since_ms if old is not None and same else now_ms)


def _containers(status: Mapping[str, Json]) -> tuple[ContainerSummary, ...]:
    plain = (_container(c, init=False) for c in parts(status, "containerStatuses"))
    first = (_container(c, init=True) for c in parts(status, "initContainerStatuses"))
    return (*plain, *first)


def _container(found: Mapping[str, Json], *, init: bool) -> ContainerSummary:
    state = part(found, "state")
    ended, waits = part(state, "terminated"), part(state, "waiting")
    last = part(part(found, "lastState"), "terminated")
    code, restarts = ended.get("exitCode"), found.get("restartCount")
    runs = "running" in state
    return ContainerSummary(
        name=text(found, "name"),
        step=Step.ENDED if "terminated" in state else Step.RUNNING if runs else Step.WAITING,
        init=init,
        reason=text(ended, "reason") or text(waits, "reason"),
        message=text(ended, "message") or text(waits, "message"),
        exit_code=code if isinstance(code, int) else None,
        at_ms=at_ms(ended.get("finishedAt") or part(state, "running").get("startedAt")),
        restarts=restarts if isinstance(restarts, int) else 0,
        oom="OOMKilled" in {text(ended, "reason"), text(last, "reason")},
    )


def _main(
    meta: Mapping[str, Json], spec: Mapping[str, Json], containers: Sequence[ContainerSummary]
) -> int:
    """Return where the main container stands; the API tells of them in an order of its own."""
    named = text(part(meta, "annotations"), MAIN)
    first = next((text(c, "name") for c in parts(spec, "containers")), "")
    names = [container.name for container in containers if not container.init]
    for name in (named, first):
        if name in names:
            return names.index(name)
    return 0


def _job(meta: Mapping[str, Json], labels: Mapping[str, Json]) -> str:
    named = next((text(labels, key) for key in _JOB if labels.get(key)), "")
    return named or next((text(o, "name") for o in parts(meta, "ownerReferences")), "")


def at_ms(moment: Json) -> int | None:
    """Return a time stamp of the API in milliseconds since 1970, or None if it is none."""
    if not isinstance(moment, str) or not moment:
        return None
    try:
        return int(datetime.fromisoformat(moment).timestamp() * 1000)
    except ValueError:
        return None


def part(document: Mapping[str, Json], key: str) -> Mapping[str, Json]:
    """Return the object under *key*, or an empty one."""
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def parts(document: Mapping[str, Json], key: str) -> list[dict[str, Json]]:
    """Return the objects in the list under *key*."""
    value = document.get(key)
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def text(document: Mapping[str, Json], key: str) -> str:
    """Return the text under *key*, or an empty one."""
    value = document.get(key)
    return value if isinstance(value, str) else ""
