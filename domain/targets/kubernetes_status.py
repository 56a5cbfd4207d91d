"""Say how an attempt on a cluster stands, from what its watcher keeps: object, pods and events.

The object's conditions decide when it is over; pods and events only explain. So a preempted pod
that its Job is about to replace is no end, and nothing can run twice because of a judgement here.
The one exception is a pod that gets nowhere for longer than anybody hopes: `hopeless`, and whoever
asked has to delete the object.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.domain.targets.kubernetes_endings import Ending, ending_of
from launchyard.domain.targets.kubernetes_kinds import Phase
from launchyard.domain.targets.kubernetes_objects import EventSummary, ObjectSummary
from launchyard.domain.targets.kubernetes_pods import PodSummary, Step
from launchyard.domain.targets.kubernetes_trouble import (
    Patience,
    Trouble,
    of_owner_event,
    of_pod_event,
)

S: Final = AttemptState
_OVER: Final = frozenset({"Succeeded", "Failed"})
_SILENT_MS: Final = 180_000
"""How long after its last time an event of a pod counts: a node's tries are 130 s apart at most."""

MAX_DETAIL: Final = 1000
"""How many characters of the cluster's words are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grace:
    """How long a trouble is borne before it ends the attempt; 0 means for ever.

    `start_s` is for images, settings and nodes that do not start a pod, `schedule_s` for room that
    is not there: nodes, and quota.
    """

    start_s: float = 300.0
    schedule_s: float = 1800.0

    def of(self, patience: Patience) -> float | None:
        """Return the seconds that *patience* means here, None for ever."""
        if patience is Patience.NONE:
            return 0.0
        if patience is Patience.EVER:
            return None
        span_s = self.start_s if patience is Patience.START else self.schedule_s
        return span_s or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """How an attempt stands. `detail` are the cluster's words, with what may help.

    `hopeless` means that the attempt ended by our judgement while its object is still there and
    has to be deleted. `again_ms` is when to judge again even if nothing changes.
    """

    state: AttemptState
    reason: Reason | None = None
    detail: str = ""
    exit_code: int | None = None
    suspended: bool = False
    at_ms: int | None = None
    hopeless: bool = False
    again_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is known of one attempt's object.

    `pods` are all of its pods, also those that were deleted while it was not over; `events` are of
    the object and of these pods, where anybody asked for them.
    """

    found: ObjectSummary
    pods: Sequence[PodSummary] = ()
    events: Sequence[EventSummary] = ()


def judge(sight: Sight, now_ms: int, grace: Grace) -> Observed:
    """Return how the attempt stands whose object and pods are in *sight*."""
    found, pods, events = sight.found, sight.pods, sight.events
    if found.phase is Phase.SUCCEEDED:
        at_ms = found.at_ms
        return Observed(state=S.SUCCEEDED, reason=Reason.COMPLETED, exit_code=0, at_ms=at_ms)
    if found.phase is Phase.FAILED:
        return _ended(ending_of(found, pods, events), found)
    if found.phase is Phase.SUSPENDED:
        detail = found.said or "the cluster holds it back"
        return Observed(state=S.PENDING, suspended=True, detail=cut(detail))
    if found.ending or found.phase is Phase.RUNNING or _any_runs(pods):
        return Observed(state=S.RUNNING, detail=_leaving(pods), at_ms=_began(pods))
    fresh = replace(sight, events=tuple(_still_told(sight, now_ms)))
    trouble = _trouble(fresh)
    if trouble is None:
        return Observed(state=S.PENDING, detail=cut(found.said))
    seen = _troubled(trouble, now_ms, grace)
    ends = [event.last_ms + _SILENT_MS for event in fresh.events if event.uid != found.uid]
    again = [*ends, *([] if seen.again_ms is None else [seen.again_ms])]
    return seen if seen.hopeless else replace(seen, again_ms=min(again, default=None))


def _ended(ending: Ending, found: ObjectSummary) -> Observed:
    return Observed(
        state=ending.state,
        reason=ending.reason,
        detail=cut(ending.detail),
        exit_code=ending.exit_code,
        at_ms=found.at_ms,
    )


def _troubled(trouble: Trouble, now_ms: int, grace: Grace) -> Observed:
    words = f"{trouble.said}; {trouble.hint}" if trouble.hint else trouble.said
    span_s = grace.of(trouble.patience)
    until_ms = None if span_s is None else trouble.since_ms + round(span_s * 1000)
    if until_ms is None or now_ms < until_ms:
        held = trouble.patience is Patience.EVER
        return Observed(state=S.PENDING, detail=cut(words), suspended=held, again_ms=until_ms)
    waited = f" (for {span_s:.0f} s)" if span_s else ""
    return Observed(
        state=S.FAILED,
        reason=trouble.reason,
        detail=cut(f"it never started{waited}: {words}"),
        at_ms=now_ms,
        hopeless=True,
    )


def _runs(pod: PodSummary) -> bool:
    """Tell whether the job's own container runs or has run; one that is being made does not."""
    main = pod.main_container
    return pod.phase == "Running" and main is not None and main.step is not Step.WAITING


def _any_runs(pods: Sequence[PodSummary]) -> bool:
    """Tell whether the job runs, or has run and its object has only not said so yet."""
    if any(_runs(pod) for pod in pods):
        return True
    over = [pod for pod in pods if pod.phase in _OVER]
    return bool(over) and len(over) == len(pods)


def _began(pods: Sequence[PodSummary]) -> int | None:
    found = (pod.main_container for pod in pods if _runs(pod))
    return min((c.at_ms for c in found if c is not None and c.at_ms is not None), default=None)


def _leaving(pods: Sequence[PodSummary]) -> str:
    """Tell of a pod that the cluster is about to take away."""
    taken = next((pod for pod in pods if pod.disruption), None)
    return cut(f"{taken.disruption}: {taken.said}") if taken is not None else ""


def _trouble(sight: Sight) -> Trouble | None:
    """Return what to tell: pods know best, and of several the one that passes soonest counts."""
    live = [pod for pod in sight.pods if not pod.deleting and pod.phase not in _OVER]
    known = [pod.trouble for pod in live if pod.trouble is not None]
    known = known or list(_of_events(live, sight))
    order = [Patience.NONE, Patience.START, Patience.SCHEDULE, Patience.EVER]
    return min(known, key=lambda one: (order.index(one.patience), one.since_ms), default=None)


def _still_told(sight: Sight, now_ms: int) -> Iterator[EventSummary]:
    """Yield the events that still tell how things are: a node never says that one has passed.

    A pod's counts while it is repeated, and until the pod gets further. Its object's is repeated
    later and later, and counts until there is a pod.
    """
    live = {pod.uid: pod for pod in sight.pods}
    for event in sight.events:
        pod, silent = live.get(event.uid), now_ms >= event.last_ms + _SILENT_MS
        if pod is None or not (silent or _got_further(pod)):
            yield event


def _got_further(pod: PodSummary) -> bool:
    """Tell whether what has to be there before any container of a pod is there."""
    return pod.readied or any(c.step is Step.RUNNING for c in pod.containers)


def _of_events(live: Sequence[PodSummary], sight: Sight) -> Iterator[Trouble]:
    waiting, owner = {pod.uid for pod in live}, sight.found.uid
    # That no pod can be made began after the last one that was.
    after_ms = max((pod.created_ms or 0 for pod in sight.pods), default=0)
    for event in sight.events:
        trouble, since_ms = None, event.first_ms
        if event.uid in waiting:
            trouble = of_pod_event(event.reason, event.message)
        elif event.uid == owner and not live:
            trouble = of_owner_event(event.reason, event.message)
            since_ms = max(since_ms, after_ms)
        if trouble is not None:
            yield replace(trouble, since_ms=since_ms)


def cut(words: str) -> str:
    """Return as much of the cluster's words as is kept."""
    return words if len(words) <= MAX_DETAIL else f"{words[: MAX_DETAIL - 1]}…"


GONE: Final = Observed(
    state=S.LOST, reason=Reason.HANDLE_UNKNOWN, detail="the cluster has no such object"
)
"""What is to be said of an object that is not there and that nothing of ours removed."""
