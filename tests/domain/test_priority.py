"""Priorities, and which queues take which."""

from __future__ import annotations

import pytest

from launchyard.domain.documents import Json
from launchyard.domain.priority import Priority, QueueMode, priority_of, read_priority


@pytest.mark.parametrize(
    ("value", "meant"),
    [(0, "critical"), (1, "high"), ("Medium", "medium"), ("low", "low"), (3, "low")],
)
def test_numbers_and_words_mean_the_same(value: Json, meant: str) -> None:
    """W&B sends numbers, people write words."""
    found = read_priority(value)
    assert found is not None
    assert found.word == meant


@pytest.mark.parametrize("value", [True, -1, 4, 1.0, "urgent", "", [1]])
def test_what_is_no_priority_is_refused(value: Json) -> None:
    """The refusal lists the four."""
    found, problem = priority_of(value, QueueMode.PRIORITY)
    assert (found, problem is not None) == (Priority.MEDIUM, True)
    assert problem is not None
    assert "critical (0), high (1), medium (2), low (3)" in problem.hint


@pytest.mark.parametrize("priority", Priority)
def test_a_fifo_queue_takes_the_default_alone(priority: Priority) -> None:
    """W&B's sweeps send the default to every queue; others are refused there, as W&B does."""
    assert priority_of(priority.value, QueueMode.PRIORITY) == (priority, None)
    _, problem = priority_of(priority.value, QueueMode.FIFO)
    assert (problem is None) == (priority is Priority.MEDIUM)


def test_nothing_said_is_the_default() -> None:
    """In either mode."""
    for mode in QueueMode:
        assert priority_of(None, mode) == (Priority.MEDIUM, None)
