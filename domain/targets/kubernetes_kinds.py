"""What the status of each kind of object says; Jobs are known in code, all others are rows here.

A row names the fields of `status` that hold one word, in the order in which they are asked, and
what each word means; after them come the conditions. Rows are added by the agent's configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from launchyard.domain.config.problem import Problem
from launchyard.domain.config.suggest import did_you_mean
from launchyard.domain.documents import Json, Path


class Phase(StrEnum):
    """What an object's status says of its job."""

    PENDING = "pending"
    SUSPENDED = "suspended"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


RANK: Final = (Phase.FAILED, Phase.SUCCEEDED, Phase.SUSPENDED, Phase.RUNNING, Phase.PENDING)
"""Which of several true conditions counts. A kind that fails may have been complete in part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRow:
    """How one kind tells its state; words and condition types are compared without case.

    `group` is the API group without version, `kind` may be `*`. `main` is the name that the kind's
    controller gives to, or wants of, the container of the job. `suspend` is the field below `spec`
    that holds an object back while it is true, where it has one; it works only while each field
    of `suspend_needs` is set.
    """

    group: str
    kind: str
    fields: tuple[str, ...] = ()
    words: Mapping[str, Phase] = field(default_factory=dict)
    conditions: Mapping[str, Phase] = field(default_factory=dict)
    message: str = "message"
    main: str = ""
    suspend: str = ""
    suspend_needs: tuple[str, ...] = ()


_P, _H, _R, _S, _F = Phase
_CONDITIONS: Final = {
    "created": _P,
    "pending": _P,
    "queued": _P,
    "running": _R,
    "ready": _R,
    "restarting": _R,
    "suspended": _H,
    "complete": _S,
    "completed": _S,
    "succeeded": _S,
    "failed": _F,
    "aborted": _F,
}
GENERIC: Final = KindRow(group="*", kind="*", conditions=_CONDITIONS)
"""What is assumed of a kind that has no row: conditions by their usual names."""

JOB_ROW: Final = KindRow(group="batch", kind="Job", suspend="suspend")
"""What is said of Jobs here; what their status means, `kubernetes_objects` knows."""

_JOBSET: Final = {
    "completed": _S,
    "failed": _F,
    "suspended": _H,
    "startuppolicyinprogress": _P,
    "restartingjobset": _R,
}
_VOLCANO: Final = {
    "pending": _P,
    "running": _R,
    "completing": _R,
    "restarting": _R,
    "aborting": _R,
    "terminating": _R,
    "completed": _S,
    "aborted": _F,
    "terminated": _F,
    "failed": _F,
}
_RAY: Final = {
    # The deployment's word comes first: it knows of failures before the job's own program runs.
    "failed": _F,
    "validationfailed": _F,
    "succeeded": _S,
    "stopped": _F,
    "suspending": _H,
    "suspended": _H,
    "running": _R,
    "retrying": _P,
    "initializing": _P,
    "waiting": _P,
    "pending": _P,
}
_TRAINING: Final = (
    ("PyTorchJob", "pytorch"),
    ("TFJob", "tensorflow"),
    ("XGBoostJob", "xgboost"),
    ("PaddleJob", "paddle"),
    ("JAXJob", "jax"),
    ("MPIJob", ""),
)


def _kubeflow(kind: str, main: str) -> KindRow:
    group, suspend = "kubeflow.org", "runPolicy.suspend"
    return KindRow(group=group, kind=kind, conditions=_CONDITIONS, main=main, suspend=suspend)


KINDS: Final = (
    KindRow(
        group="jobset.x-k8s.io",
        kind="JobSet",
        fields=("terminalState",),
        words={"completed": _S, "failed": _F},
        conditions=_JOBSET,
        suspend="suspend",
    ),
    KindRow(
        group="batch.volcano.sh",
        kind="Job",
        fields=("state.phase",),
        words=_VOLCANO,
        message="state.message",
    ),
    *(_kubeflow(kind, main) for kind, main in _TRAINING),
    KindRow(group="kubeflow.org", kind="*", conditions=_CONDITIONS),
    KindRow(
        group="trainer.kubeflow.org",
        kind="TrainJob",
        conditions={"suspended": _H, "complete": _S, "failed": _F},
        suspend="suspend",
    ),
    KindRow(
        group="ray.io",
        kind="RayJob",
        fields=("jobDeploymentStatus", "jobStatus"),
        words=_RAY,
        suspend="suspend",
        # Its controller refuses any other that is suspended.
        suspend_needs=("rayClusterSpec", "shutdownAfterJobFinishes"),
    ),
)


def row_for(group: str, kind: str, rows: Sequence[KindRow] = KINDS) -> KindRow:
    """Return the first row that fits; a kind that none fits is judged by its usual conditions."""
    fits = (row for row in rows if row.group == group and row.kind in {kind, "*"})
    return next(fits, GENERIC)


def read_kinds(document: Json, path: Path) -> tuple[tuple[KindRow, ...], tuple[Problem, ...]]:
    """Return all rows, those of *document* first, and what is wrong with it.

    It maps `Kind.group` to `field` (or `fields`), `values`, `conditions`, `message`, `container`
    and `suspend`.
    """
    problems: list[Problem] = []
    rows = []
    if document is not None and not isinstance(document, dict):
        problems.append(Problem(path=path, message="must map `Kind.group` to its states"))
    for name, told in document.items() if isinstance(document, dict) else ():
        row = _row(name, told, (*path, name), problems)
        if row is not None:
            rows.append(row)
    return (*rows, *KINDS), tuple(problems)


_KEYS: Final = ("field", "fields", "values", "conditions", "message", "container", "suspend")


def _row(name: str, told: Json, path: Path, problems: list[Problem]) -> KindRow | None:
    kind, _, group = name.partition(".")
    if not kind or not group:
        message = "name the kind as `Kind.group`, as `RayJob.ray.io`"
        problems.append(Problem(path=path, message=message))
        return None
    if not isinstance(told, dict):
        hint = "write `conditions:` or `field:` and `values:` below it"
        problems.append(Problem(path=path, message="must be an object", hint=hint))
        return None
    for key in told:
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS)
            message = "is no part of a kind's row"
            allowed = ", ".join(_KEYS)
            problems.append(Problem(path=(*path, key), message=message, allowed=allowed, hint=hint))
    fields = told.get("fields", told.get("field"))
    return KindRow(
        group=group,
        kind=kind,
        fields=_words(fields, (*path, "fields" if "fields" in told else "field"), problems),
        words=_phases(told.get("values"), (*path, "values"), problems),
        conditions=_phases(told.get("conditions"), (*path, "conditions"), problems),
        message=str(told.get("message") or "message"),
        main=str(told.get("container") or ""),
        suspend=_suspend(told.get("suspend"), (*path, "suspend"), problems),
    )


def _suspend(told: Json, path: Path, problems: list[Problem]) -> str:
    field_path = told.removeprefix("spec.") if isinstance(told, str) else ""
    if told is not None and not all(field_path.split(".")):
        message = "must be the path of a field below `spec`, as `runPolicy.suspend`"
        problems.append(Problem(path=path, message=message))
        return ""
    return field_path


def _words(told: Json, path: Path, problems: list[Problem]) -> tuple[str, ...]:
    words = told if isinstance(told, list) else [told] if told is not None else []
    if not all(isinstance(word, str) and word for word in words):
        message = "must be a path below `status`, as `state.phase`, or a list of them"
        problems.append(Problem(path=path, message=message))
        return ()
    return tuple(str(word).removeprefix("status.") for word in words)


def _phases(told: Json, path: Path, problems: list[Problem]) -> dict[str, Phase]:
    if told is None:
        return {}
    if not isinstance(told, dict):
        problems.append(Problem(path=path, message="must map words to states"))
        return {}
    found = {}
    for word, phase in told.items():
        try:
            found[word.lower()] = Phase(str(phase).lower())
        except ValueError:
            names = [str(one) for one in Phase]
            problems.append(
                Problem(
                    path=(*path, word),
                    message="is no state",
                    allowed=", ".join(names),
                    hint=did_you_mean(str(phase), names),
                )
            )
    return found
