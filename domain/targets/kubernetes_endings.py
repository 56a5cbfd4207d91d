"""Why a job on a cluster failed: the object's condition first, then what its pods and events tell.

The order is by what is certain. A node that was taken away explains everything after it, also the
code 137 of the container that it took along.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.domain.targets.kubernetes_objects import EventSummary, ObjectSummary
from launchyard.domain.targets.kubernetes_pods import ContainerSummary, PodSummary, Step
from launchyard.domain.targets.kubernetes_trouble import is_missing_command

S: Final = AttemptState


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a job ended badly."""

    state: AttemptState
    reason: Reason
    detail: str
    exit_code: int | None = None


_OWN_LIMIT: Final = re.compile(
    r"exceeds the (total )?limit|exceeded its local ephemeral storage|usage of EmptyDir",
    re.IGNORECASE,
)
_TAKEN: Final = frozenset({"Preempted", "Preempting", "TaintManagerEviction", "Evicted"})
_NODE_GONE: Final = frozenset({"NodeLost", "NodeShutdown", "Shutdown", "Terminated"})
_NO_ROOM: Final = re.compile(r"OutOf\w+|UnexpectedAdmissionError|NodeAffinity")
_FIRST_SIGNAL: Final = 129
_LAST_SIGNAL: Final = 192
_NOT_FOUND: Final = {126: "could not be executed", 127: "was not found"}
_SIGNALS: Final = {
    1: "SIGHUP",
    2: "SIGINT",
    3: "SIGQUIT",
    4: "SIGILL",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    11: "SIGSEGV",
    13: "SIGPIPE",
    15: "SIGTERM",
}
"""The names of Linux; those of the agent's own machine may be others."""


def ending_of(
    found: ObjectSummary, pods: Sequence[PodSummary], events: Sequence[EventSummary]
) -> Ending:
    """Return how the failed job *found* ended."""
    if found.reason == "DeadlineExceeded":
        detail = _said(found.reason, found.said)
        return Ending(state=S.TIMED_OUT, reason=Reason.RUN_TIMEOUT, detail=detail)
    if found.reason == "ValidationFailed":
        detail = _said(found.reason, found.said)
        return Ending(state=S.FAILED, reason=Reason.SPEC_INVALID, detail=detail)
    taken = _taken(found, pods, events)
    if taken is not None:
        return taken
    for pod in sorted(pods, key=lambda pod: pod.created_ms or 0, reverse=True):
        ending = _of_pod(pod)
        if ending is not None:
            return ending
    detail = _said(found.reason, found.said) or "the cluster says that it failed, and not why"
    return Ending(state=S.FAILED, reason=Reason.EXIT_CODE, detail=detail)


def _taken(
    found: ObjectSummary, pods: Sequence[PodSummary], events: Sequence[EventSummary]
) -> Ending | None:
    """Return the ending of a job whose pod the cluster took away."""
    for pod in pods:
        if pod.reason == "Evicted":
            return _evicted(pod, own=_OWN_LIMIT.search(pod.said) is not None)
        if pod.disruption:
            return _preempted(_said(pod.disruption, pod.said))
        if pod.reason in _NODE_GONE:
            detail = f"pod {pod.name}: {_said(pod.reason, pod.said)}"
            return Ending(state=S.PREEMPTED, reason=Reason.PREEMPTED, detail=detail)
    # Its pod may be gone; our default failure policy made the Job itself remember.
    if found.reason == "PodFailurePolicy" and "DisruptionTarget" in found.said:
        return _preempted(_said(found.reason, found.said))
    failed = any(c.step is Step.ENDED and c.exit_code for pod in pods for c in pod.containers)
    event = next((e for e in events if e.kind == "Pod" and e.reason in _TAKEN), None)
    if event is not None and not failed:
        return _preempted(_said(event.reason, event.message))
    return None


def _preempted(detail: str) -> Ending:
    return Ending(state=S.PREEMPTED, reason=Reason.PREEMPTED, detail=detail)


def _evicted(pod: PodSummary, *, own: bool) -> Ending:
    detail = f"pod {pod.name}: {_said(pod.reason, pod.said)}"
    if own:
        detail = f"{detail}; ask for more `ephemeral-storage`, or write to a volume"
        return Ending(state=S.FAILED, reason=Reason.OUT_OF_STORAGE, detail=detail)
    return Ending(state=S.PREEMPTED, reason=Reason.EVICTED, detail=detail)


def _of_pod(pod: PodSummary) -> Ending | None:
    """Return the ending that a failed pod tells of: its main container's, else the first bad."""
    if pod.reason == "DeadlineExceeded":
        detail = _said(pod.reason, pod.said)
        return Ending(state=S.TIMED_OUT, reason=Reason.RUN_TIMEOUT, detail=detail)
    if _NO_ROOM.fullmatch(pod.reason):
        detail = f"pod {pod.name}: {_said(pod.reason, pod.said)}"
        return Ending(state=S.FAILED, reason=Reason.UNSCHEDULABLE, detail=detail)
    main = pod.main_container
    order = [*([main] if main is not None else []), *pod.containers]
    bad = next((c for c in order if c.step is Step.ENDED and c.exit_code), None)
    return _of_container(pod, bad) if bad is not None else None


def _of_container(pod: PodSummary, container: ContainerSummary) -> Ending:
    code = container.exit_code or 0
    reason, what = _why(container, code)
    other = container is not pod.main_container
    where = f"container {container.name}: " if other else ""
    words = "" if container.reason in {"", "Error"} else f" ({container.reason})"
    said = f": {container.message}" if container.message else ""
    return Ending(
        state=S.FAILED, reason=reason, detail=f"{where}{what}{words}{said}", exit_code=code
    )


def _why(container: ContainerSummary, code: int) -> tuple[Reason, str]:
    if container.oom:
        hint = "raise `resources.limits.memory`"
        return (
            Reason.OUT_OF_MEMORY,
            f"it ended with code {code}, and was killed for want of memory; {hint}",
        )
    cannot = container.reason in {"ContainerCannotRun", "StartError"}
    if cannot and not is_missing_command(container.message):
        return Reason.CONTAINER_CONFIG, "it could not be started"
    if cannot or code in _NOT_FOUND:
        why = _NOT_FOUND.get(code, "was not found")
        return Reason.COMMAND_NOT_FOUND, f"it ended with code {code}: a command {why}"
    if _FIRST_SIGNAL <= code <= _LAST_SIGNAL:
        number = code - _FIRST_SIGNAL + 1
        return Reason.KILLED_BY_SIGNAL, f"it was ended by {_SIGNALS.get(number, number)}"
    return Reason.EXIT_CODE, f"it ended with code {code}"


def _said(reason: str, message: str) -> str:
    return f"{reason}: {message}" if reason and message else reason or message
