"""Jobs and custom objects as a watcher keeps them: what their status says, in one small value.

Conditions alone are read, never counters: a Job of ten pods has `succeeded: 1` long before it is
complete, and one with a backoff limit has `failed: 1` and may succeed yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from launchyard.domain.documents import Json
from launchyard.domain.naming import ATTEMPT, ITEM
from launchyard.domain.targets.kubernetes_kinds import (
    JOB_ROW,
    KINDS,
    RANK,
    KindRow,
    Phase,
    row_for,
)
from launchyard.domain.targets.kubernetes_pods import at_ms
from launchyard.domain.targets.kubernetes_pods import part as _part
from launchyard.domain.targets.kubernetes_pods import parts as _parts
from launchyard.domain.targets.kubernetes_pods import text as _text
from launchyard.domain.targets.kubernetes_ready import is_suspended

_BATCH: Final = "batch"
_JOB_ENDS: Final = {"Complete": Phase.SUCCEEDED, "Failed": Phase.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectSummary:
    """One object; `reason` and `said` are its status's own words, empty where it has none.

    `phase` is None until its status says anything. `ending` tells that its end is certain while
    some of its pods still run.
    """

    name: str
    uid: str
    item: str = ""
    attempt: str = ""
    phase: Phase | None = None
    reason: str = ""
    said: str = ""
    ending: bool = False
    deleting: bool = False
    created_ms: int | None = None
    at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSummary:
    """One event of a cluster: of which object, from when to when, and in which words.

    One that is repeated is one event for as long as its words stay the same.
    """

    kind: str
    name: str
    uid: str
    reason: str
    message: str
    first_ms: int = 0
    last_ms: int = 0

    def after(self, before: EventSummary | None) -> EventSummary:
        """Return what is to be kept of two of one object and reason: all of their time.

        The words are those of the later one.
        """
        if before is None:
            return self
        later = self if self.last_ms >= before.last_ms else before
        return replace(later, first_ms=min(self.first_ms, before.first_ms))


def summarise_object(found: Mapping[str, Json], rows: Sequence[KindRow] = KINDS) -> ObjectSummary:
    """Return what is to be kept of a Job or custom object, as the API gives it."""
    meta, status = _part(found, "metadata"), _part(found, "status")
    labels = _part(meta, "labels")
    group, _, _ = _text(found, "apiVersion").rpartition("/")
    kind = _text(found, "kind")
    is_job = group == _BATCH and kind == "Job"
    row = JOB_ROW if is_job else row_for(group, kind, rows)
    phase, condition = _job(status) if is_job else _custom(status, row)
    if phase in {None, Phase.PENDING} and row.suspend and is_suspended(found, row.suspend):
        # Its controller has not got round to say so yet.
        phase = Phase.SUSPENDED
    return ObjectSummary(
        name=_text(meta, "name"),
        uid=_text(meta, "uid"),
        item=_text(labels, ITEM),
        attempt=_text(labels, ATTEMPT),
        phase=phase,
        reason=_text(condition, "reason"),
        said=_text(condition, "message"),
        ending=_is_ending(status) if is_job else False,
        deleting=bool(meta.get("deletionTimestamp")),
        created_ms=at_ms(meta.get("creationTimestamp")),
        at_ms=at_ms(condition.get("lastTransitionTime") or status.get("completionTime")),
    )


def summarise_event(event: Mapping[str, Json]) -> EventSummary:
    """Return what is to be kept of an event."""
    about, meta = _part(event, "involvedObject"), _part(event, "metadata")
    made = event.get("eventTime") or meta.get("creationTimestamp")
    first_ms = at_ms(event.get("firstTimestamp")) or at_ms(made) or 0
    last = event.get("lastTimestamp") or _part(event, "series").get("lastObservedTime")
    return EventSummary(
        kind=_text(about, "kind"),
        name=_text(about, "name"),
        uid=_text(about, "uid"),
        reason=_text(event, "reason"),
        message=_text(event, "message"),
        first_ms=first_ms,
        last_ms=max(at_ms(last) or 0, first_ms),
    )


def _job(status: Mapping[str, Json]) -> tuple[Phase | None, Mapping[str, Json]]:
    true = _true_conditions(status)
    for kind, phase in _JOB_ENDS.items():
        if kind in true:
            return phase, true[kind]
    if "Suspended" in true:
        return Phase.SUSPENDED, true["Suspended"]
    return None, {}


def _is_ending(status: Mapping[str, Json]) -> bool:
    """Tell whether a Job only waits for its pods to go before it says how it ended."""
    return bool({"FailureTarget", "SuccessCriteriaMet"} & _true_conditions(status).keys())


def _true_conditions(status: Mapping[str, Json]) -> dict[str, dict[str, Json]]:
    listed = _parts(status, "conditions")
    return {_text(c, "type"): c for c in listed if _text(c, "status") == "True"}


def _custom(status: Mapping[str, Json], row: KindRow) -> tuple[Phase | None, Mapping[str, Json]]:
    """Return the phase of a custom object, and its words in the form of a condition."""
    for path in row.fields:
        word = _at(status, path)
        phase = row.words.get(word.lower()) if word else None
        if phase is not None:
            said = _at(status, row.message)
            return phase, {"reason": word, "message": said}
    true = _true_conditions(status)
    mapped = {row.conditions[t.lower()]: c for t, c in true.items() if t.lower() in row.conditions}
    first = next((phase for phase in RANK if phase in mapped), None)
    return (first, mapped[first]) if first is not None else (None, {})


def _at(status: Mapping[str, Json], path: str) -> str:
    *folders, last = path.split(".")
    for folder in folders:
        status = _part(status, folder)
    return _text(status, last)
