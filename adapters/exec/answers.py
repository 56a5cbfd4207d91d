"""What executables answer, read into our own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn

from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.naming import AGENT, ATTEMPT, ITEM, Owner
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Observation, RunnerError

S = AttemptState
CREATED: Final = "created"
"""The state of what an interrupted `submit` began: it is to be submitted again."""

_STATES: Final = {state.value: state for state in (S.PENDING, S.RUNNING, *ENDS)}
_REASONS: Final[Mapping[AttemptState, Reason]] = {
    S.SUCCEEDED: Reason.COMPLETED,
    S.FAILED: Reason.EXIT_CODE,
    S.CANCELLED: Reason.CANCELLED,
    S.TIMED_OUT: Reason.RUN_TIMEOUT,
    S.PREEMPTED: Reason.PREEMPTED,
    S.LOST: Reason.HANDLE_UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one thing stands, and whose it is."""

    id: str
    observation: Observation
    labels: Mapping[str, str] = field(default_factory=dict)
    created: bool = False


def read_id(answer: Json) -> str:
    """Return the id that `submit` answers.

    Raises:
        RunnerError: there is none.
    """
    found = answer.get("id") if isinstance(answer, dict) else None
    if not isinstance(found, str) or not found:
        _odd("submit", 'has to answer {"id": "…"}')
    return found


def read_standings(answer: Json) -> Mapping[str, Standing]:
    """Return what `status` answers, by name.

    Raises:
        RunnerError: it is of another form.
    """
    jobs = answer.get("jobs") if isinstance(answer, dict) else None
    if not isinstance(jobs, dict):
        _odd("status", 'has to answer {"jobs": {"<name>": {…}}}')
    return {name: _standing(name, job) for name, job in jobs.items()}


def owner_of(labels: Mapping[str, str], installation: str) -> Owner:
    """Return whose a thing of *installation* with these labels is."""
    attempt = labels.get(ATTEMPT, "")
    return Owner(
        installation=installation,
        item=labels.get(ITEM, ""),
        attempt=int(attempt) if attempt.isdigit() else 0,
        agent=labels.get(AGENT, ""),
    )


def _standing(name: str, job: Json) -> Standing:
    if not isinstance(job, dict):
        _odd("status", f"says nothing of {name}: leave out what is not there")
    uid, state, labels = job.get("id"), job.get("state"), job.get("labels")
    if not isinstance(uid, str) or not uid:
        _odd("status", f"has to give {name} the `id` that submit gave")
    if not isinstance(labels, dict):
        _odd("status", f"has to give {name} the `labels` that submit was given")
    created = state == CREATED
    known = S.PENDING if created else _STATES.get(str(state))
    if known is None:
        _odd("status", f"calls the state of {name} {state!r}: use {', '.join(_STATES)}")
    return Standing(
        id=uid,
        observation=_observation(known, job),
        labels={key: str(value) for key, value in labels.items()},
        created=created,
    )


def _observation(state: AttemptState, job: Mapping[str, Json]) -> Observation:
    code, at_ms, detail = job.get("exit_code"), job.get("at_ms"), job.get("detail")
    return Observation(
        state=state,
        reason=_reason(state, job.get("reason")),
        detail=detail if isinstance(detail, str) else "",
        exit_code=code if isinstance(code, int) and state in ENDS else None,
        suspended=job.get("suspended") is True,
        at_ms=at_ms if isinstance(at_ms, int) else None,
    )


def _reason(state: AttemptState, said: Json) -> Reason | None:
    if state not in ENDS:
        return None
    known = {reason.value: reason for reason in Reason}
    return known.get(str(said), _REASONS.get(state, Reason.SUBMIT_FAILED))


def _odd(role: str, text: str) -> NoReturn:
    raise RunnerError(f"the executable `{role}` {text}", reason=Reason.TARGET_UNREACHABLE)
