"""What a W&B server is told of an end."""

from __future__ import annotations

import pytest

from launchyard.domain.attempt import AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.exchange import Fact, Place
from launchyard.domain.reason import Reason
from launchyard.domain.wandb_ends import (
    MOST_RESUMES,
    Stage,
    Word,
    end_of,
    resumed,
    stage_of,
    warning_stage,
)

S = AttemptState
THERE = Place(scope="host:a", name="n", uid="1")


def fact(state: AttemptState, reason: Reason | None = None, **more: object) -> Fact:
    """Return an end of something that ran."""
    return Fact(at_ms=1, state=state, reason=reason, place=THERE, **more)  # type: ignore[arg-type]


def test_a_job_that_ends_well_with_its_run_needs_no_word() -> None:
    """Its run has told the end."""
    assert end_of(fact(S.SUCCEEDED, Reason.COMPLETED), "finished", 0).word is Word.NOTHING
    assert end_of(fact(S.SUCCEEDED, Reason.COMPLETED), "running", 0).word is Word.NOTHING


@pytest.mark.parametrize("run", ["", "pending"])
def test_a_job_that_ends_well_without_a_run_is_reported_as_done(run: str) -> None:
    """It is no failure that a job does not use W&B: its run is made, and ended well."""
    assert end_of(fact(S.SUCCEEDED, Reason.COMPLETED), run, 0).word is Word.FINISH


def test_a_failure_without_a_run_fails_the_item() -> None:
    """With where and why, in one line."""
    end = end_of(fact(S.FAILED, Reason.EXIT_CODE, exit_code=3, detail="it ended"), "", 0)
    assert (end.word, end.stage) == (Word.FAIL, Stage.RUN)
    assert end.message == "the job failed with exit code 3"


def test_a_failure_that_the_run_tells_is_told_once() -> None:
    """The exit code is the run's business; what the run cannot know is a warning."""
    assert end_of(fact(S.FAILED, Reason.EXIT_CODE, exit_code=1), "failed", 0).word is Word.NOTHING
    killed = end_of(fact(S.FAILED, Reason.OUT_OF_MEMORY, detail="7 GiB"), "crashed", 0)
    assert killed.word is Word.WARN
    assert killed.message == "the job failed (out_of_memory): 7 GiB"


def test_a_preempted_job_goes_back_five_times() -> None:
    """Then it is a failure, or a warning on a run that had begun."""
    preempted = fact(S.PREEMPTED, Reason.PREEMPTED)
    assert end_of(preempted, "running", MOST_RESUMES - 1).word is Word.REQUEUE
    last = end_of(preempted, "", MOST_RESUMES)
    assert last.word is Word.FAIL
    assert "resumed 5 times" in last.message


def test_the_stage_says_where_it_failed() -> None:
    """Before a build, in it, or as a job."""
    assert stage_of(Fact(at_ms=1, state=S.FAILED, reason=Reason.SPEC_INVALID)) is Stage.AGENT
    assert stage_of(Fact(at_ms=1, state=S.FAILED, reason=Reason.BUILD_FAILED)) is Stage.BUILD
    assert stage_of(fact(S.LOST, Reason.HANDLE_UNKNOWN)) is Stage.RUN
    assert warning_stage(Fact(at_ms=1, state=S.BUILDING), "kubernetes") == "build"
    assert warning_stage(Fact(at_ms=1, state=S.PENDING), "kubernetes") == "Kubernetes"
    assert warning_stage(Fact(at_ms=1, state=S.PENDING), "local-container") == "run"


def test_what_goes_on_is_the_same_run() -> None:
    """Once more resumed, and no longer the sweep's."""
    spec: dict[str, Json] = {"project": "p", "sweep_id": "s", "_resume_count": 1, "run_id": "old"}
    assert resumed(spec, "r1") == {"project": "p", "run_id": "r1", "_resume_count": 2}
    assert resumed({}, "r1") == {"run_id": "r1", "_resume_count": 1}
