"""What keeps a pod from starting: the cluster's reason in our words, and how long we hope.

Most of it may pass by itself: a secret appears, a node joins, a registry comes back. So each kind
of trouble has a patience, and only what outlasts it ends an attempt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from launchyard.domain.reason import Reason


class Patience(StrEnum):
    """How long a trouble is borne: NONE where it cannot pass, else by the queue's settings.

    EVER is for what somebody holds back on purpose: that is a queue, and no trouble.
    """

    NONE = "none"
    START = "start"
    SCHEDULE = "schedule"
    EVER = "ever"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a pod gets nowhere: `said` are the cluster's words, `hint` is what may help.

    `pulls` is the container whose image cannot be had, if it is that; and `vague` tells of words
    that name no cause.
    """

    reason: Reason
    said: str
    hint: str = ""
    patience: Patience = Patience.START
    since_ms: int = 0
    pulls: str = ""
    vague: bool = False


_ABSENT: Final = re.compile(r"not ?found|manifest unknown|does not exist|404", re.IGNORECASE)
_DENIED: Final = re.compile(
    r"unauthori[sz]ed|denied|forbidden|authentication required|no basic auth|\b40[13]\b",
    re.IGNORECASE,
)
_QUOTA: Final = re.compile(r"exceeded quota|quota exceeded", re.IGNORECASE)
_POLICY: Final = re.compile(
    r"PodSecurity|admission webhook|security context constraint|serviceaccount|is invalid"
    # Of all that the API server's own admission has against a pod: a priority class that is not
    # there, a range of limits. That the controller itself may not is no fault of the pod.
    r"|is forbidden: (?!User \"|unable to create new content)",
    re.IGNORECASE,
)

_NO_CLAIM: Final = re.compile(r'persistentvolumeclaim "[^"]*" not found')
_PULL: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"}
)
_BACK_OFF: Final = re.compile(r'(Back-off pulling image( "[^"]*")?)?\W*')
_CONFIG_HINT: Final = "the secrets, config maps and settings that it names must be in its namespace"
_AS_ROOT: Final = "runAsNonRoot"
_ROOT_HINT: Final = "name a user of the image that is not root: `securityContext.runAsUser`"
_CLAIM_HINT: Final = "make the volume claim, or name one that is there"
_WAITING: Final = {
    "ErrImageNeverPull": (
        Reason.SOURCE_NOT_FOUND,
        "its node has no such image, and its `imagePullPolicy` forbids to fetch it",
    ),
    "SignatureValidationFailed": (Reason.SOURCE_REFUSED, "the node takes signed images only"),
    "CreateContainerConfigError": (Reason.CONTAINER_CONFIG, _CONFIG_HINT),
    "CreateContainerError": (Reason.CONTAINER_CONFIG, ""),
    "PreCreateHookError": (Reason.CONTAINER_CONFIG, ""),
    "PreStartHookError": (Reason.CONTAINER_CONFIG, ""),
    "PostStartHookError": (Reason.CONTAINER_CONFIG, "its `lifecycle.postStart` failed"),
    "CreatePodSandboxError": (Reason.SUBMIT_FAILED, "its node cannot make pods now"),
    "ConfigPodSandboxError": (Reason.SUBMIT_FAILED, "its node cannot make pods now"),
}
"""By a container's `waiting.reason`; what is not here passes by itself or shows elsewhere.

`CrashLoopBackOff` is not: the owner wants restarts, and counts them in the `backoffLimit`.
"""


def of_scheduling(reason: str, message: str) -> Trouble | None:
    """Return why no node takes a pod, by its `PodScheduled` condition."""
    said = f"{reason}: {message}" if message else reason
    hint = "ask for less, or for what some node has: `kubectl describe nodes` shows it"
    if _NO_CLAIM.search(message):
        hint = _CLAIM_HINT
    patience = Patience.SCHEDULE
    if reason == "SchedulingGated":
        hint = "it waits for who put a scheduling gate on it to take it off"
        patience = Patience.EVER
    return Trouble(reason=Reason.UNSCHEDULABLE, said=said, hint=hint, patience=patience)


def of_waiting(reason: str, message: str, container: str) -> Trouble | None:
    """Return why *container* waits, if it is not just being made."""
    said = f"container {container}: {reason}: {message}" if message else f"{container}: {reason}"
    if reason == "InvalidImageName":
        hint = "correct the image's name"
        return Trouble(reason=Reason.SPEC_INVALID, said=said, hint=hint, patience=Patience.NONE)
    if reason in _PULL:
        vague = _BACK_OFF.fullmatch(message) is not None
        why, hint = (Reason.SOURCE_UNREACHABLE, "") if vague else _of_pull(message)
        return Trouble(reason=why, said=said, hint=hint, pulls=container, vague=vague)
    if reason == "RunContainerError":
        return _of_run(message, said)
    found = _WAITING.get(reason)
    if found is None:
        return None
    hint = _ROOT_HINT if _AS_ROOT in message else found[1]
    return Trouble(reason=found[0], said=said, hint=hint)


def with_cause(found: Trouble, before: Trouble | None) -> Trouble:
    """Return *found*, or *before* where that says why a pull fails which is only put off now.

    Clusters before 1.32 name the cause in the moment of the failure alone.
    """
    known = found.vague and before is not None and before.pulls == found.pulls
    return before if known and before is not None else found


def of_pod_event(reason: str, message: str) -> Trouble | None:
    """Return what an event tells of a pod whose containers are only said to be created."""
    said = f"{reason}: {message}"
    if reason in {"FailedMount", "FailedAttachVolume"}:
        hint = "the volumes, secrets and config maps that it names must be there"
        return Trouble(reason=Reason.CONTAINER_CONFIG, said=said, hint=hint)
    if reason == "FailedCreatePodSandBox":
        hint = "its node cannot make pods now"
        return Trouble(reason=Reason.SUBMIT_FAILED, said=said, hint=hint)
    return None


def of_owner_event(reason: str, message: str) -> Trouble | None:
    """Return why no pod of a job could be made, by an event of the job itself."""
    if reason != "FailedCreate":
        return None
    said = f"{reason}: {message}"
    if _QUOTA.search(message):
        hint = "the namespace's quota is used up; wait, ask for less, or have it raised"
        return Trouble(
            reason=Reason.QUOTA_EXCEEDED, said=said, hint=hint, patience=Patience.SCHEDULE
        )
    if _POLICY.search(message):
        hint = "the cluster's rules refuse this pod; change its specification"
        return Trouble(reason=Reason.CONTAINER_CONFIG, said=said, hint=hint)
    return Trouble(reason=Reason.SUBMIT_FAILED, said=said)


def _of_pull(message: str) -> tuple[Reason, str]:
    # A registry that hides what it refuses says both; a login is then what may help.
    if _DENIED.search(message):
        return Reason.SOURCE_REFUSED, "the registry wants a login: `imagePullSecrets` of the queue"
    if _ABSENT.search(message):
        return Reason.SOURCE_NOT_FOUND, "the registry has no such image; correct its name or tag"
    return Reason.SOURCE_UNREACHABLE, ""


def _of_run(message: str, said: str) -> Trouble:
    if is_missing_command(message):
        hint = "the image has no such program; correct the command"
        return Trouble(reason=Reason.COMMAND_NOT_FOUND, said=said, hint=hint)
    return Trouble(reason=Reason.CONTAINER_CONFIG, said=said)


def is_missing_command(message: str) -> bool:
    """Tell whether the container runtime says that the image has no such program."""
    low = message.lower()
    return "executable file not found" in low or (
        "exec" in low and ("no such file" in low or "permission denied" in low)
    )
