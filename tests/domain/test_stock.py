"""Agents that know no leases."""

from __future__ import annotations

import pytest

from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import CLASS_OF, FailureClass, Reason
from launchyard.domain.stock import (
    end_of,
    is_about_another,
    may_be_corrected,
    reason_of,
    run_state,
    run_state_after,
)


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        ("build", Reason.BUILD_FAILED),
        ("run", Reason.SUBMIT_FAILED),
        ("agent", Reason.AGENT_ERROR),
        ("Kubernetes", Reason.AGENT_ERROR),
    ],
)
def test_a_stage_says_why(stage: str, reason: Reason) -> None:
    """Stages that nobody has told us of count as the agent's own trouble."""
    assert reason_of(stage) is reason


def test_an_exit_code_is_the_end() -> None:
    """A code after a wish for the end means that the wish was carried out; success stays one."""
    assert end_of(0, cancelled=True) == (AttemptState.SUCCEEDED, Reason.COMPLETED)
    assert end_of(3, cancelled=False) == (AttemptState.FAILED, Reason.EXIT_CODE)
    assert end_of(255, cancelled=True) == (AttemptState.CANCELLED, Reason.CANCELLED)
    assert (run_state(0), run_state(1)) == ("finished", "failed")
    told = [run_state_after(end) for end in (AttemptState.CANCELLED, AttemptState.LOST)]
    assert told == ["killed", "crashed"]


def test_only_a_silence_is_corrected() -> None:
    """What a target or a person said of an end stays."""
    assert may_be_corrected(AttemptState.LOST, Reason.AGENT_SILENT.value)
    assert not may_be_corrected(AttemptState.LOST, Reason.HOST_LOST.value)
    assert not may_be_corrected(AttemptState.FAILED, Reason.AGENT_SILENT.value)
    assert CLASS_OF[Reason.AGENT_SILENT] is FailureClass.AGENT


def test_a_failure_of_somebody_elses_item_is_known() -> None:
    """An agent that was refused reports the item as failed; its words give it away."""
    message = "Error acking run queue item. Item may have already been acknowledged"
    assert is_about_another(message)
    assert not is_about_another("the build failed")
