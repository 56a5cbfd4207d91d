"""What a W&B server is told of an attempt's end.

Such a server follows the *run* that a job starts; an item has no end of its own but FAILED. So
where the run tells the end, nothing is added; where there is no run, the end is told as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from launchyard.domain.attempt import AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.exchange import Fact
from launchyard.domain.reason import CLASS_OF, FailureClass, Reason

MOST_RESUMES: Final = 5
NOT_STARTED: Final = frozenset({"", "pending"})
"""States of a run that its job has not begun; none at all is an empty text."""

_TOLD: Final = frozenset({Reason.COMPLETED, Reason.EXIT_CODE})
"""Reasons that a run's own end tells as well."""

S = AttemptState


class Stage(StrEnum):
    """Where an item failed, in W&B's words."""

    AGENT = "agent"
    BUILD = "build"
    RUN = "run"


class Word(StrEnum):
    """What to do: nothing, fail the item, warn on it, end its run, or put it on its queue again."""

    NOTHING = "nothing"
    FAIL = "fail"
    WARN = "warn"
    FINISH = "finish"
    REQUEUE = "requeue"


@dataclass(frozen=True, slots=True)
class End:
    """What is told of an end, with its words where there are any."""

    word: Word
    stage: Stage = Stage.RUN
    message: str = ""


def end_of(fact: Fact, run_state: str, resumes: int) -> End:
    """Say what a W&B server is told of the end in *fact*, its run being in *run_state*.

    *resumes* is how often the launch was put on its queue again before.
    """
    begun = run_state not in NOT_STARTED
    if fact.state is S.SUCCEEDED:
        return End(Word.NOTHING) if begun else End(Word.FINISH)
    if fact.state is S.PREEMPTED and resumes < MOST_RESUMES:
        return End(Word.REQUEUE)
    message = _message(fact, resumes)
    if not begun:
        return End(Word.FAIL, stage_of(fact), message)
    return End(Word.NOTHING) if fact.reason in _TOLD else End(Word.WARN, stage_of(fact), message)


def stage_of(fact: Fact) -> Stage:
    """Return where an attempt failed: before its build, in it, or as a job."""
    if fact.reason is not None and CLASS_OF[fact.reason] is FailureClass.BUILD:
        return Stage.BUILD
    return Stage.RUN if fact.place is not None and fact.place.uid else Stage.AGENT


def warning_stage(fact: Fact, resource: str) -> str:
    """Return where a job that has not ended met what *fact* tells, in W&B's words."""
    if fact.state is S.BUILDING:
        return Stage.BUILD.value
    return "Kubernetes" if resource == "kubernetes" else Stage.RUN.value


def _message(fact: Fact, resumes: int) -> str:
    state = fact.state.value if fact.state is not None else "ended"
    words = f"the job {state.replace('_', ' ')}" if state != "lost" else "the job is lost"
    if fact.reason is Reason.EXIT_CODE and fact.exit_code is not None:
        return f"{words} with exit code {fact.exit_code}"
    if fact.exit_code is not None:
        words += f" with exit code {fact.exit_code}"
    if fact.reason is not None and fact.reason not in _TOLD:
        words += f" ({fact.reason.value})"
    if fact.state is S.PREEMPTED and resumes >= MOST_RESUMES:
        words += f"; it was resumed {resumes} times, and is not again"
    return f"{words}: {fact.detail}" if fact.detail else words


def resumed(spec: Mapping[str, Json], run_id: str) -> dict[str, Json]:
    """Return the launch that goes on with a preempted run: the same run, one resume more."""
    before = spec.get("_resume_count")
    count = before if isinstance(before, int) else 0
    kept = {key: value for key, value in spec.items() if key != "sweep_id"}
    return {**kept, "run_id": run_id, "_resume_count": count + 1}
