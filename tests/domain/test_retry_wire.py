"""Retry policies as people write them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from launchyard.domain.config.problem import DocumentError
from launchyard.domain.documents import Json, dotted
from launchyard.domain.retry import Budget, RetryPolicy
from launchyard.domain.retry_wire import effective, item_policy, queue_policy

QUEUE: dict[str, Any] = {
    "budgets": {"platform": 5, "lost": 1},
    "exit_codes": {"retry": [75], "never": [2]},
    "backoff": {"first_s": 1, "factor": 3, "cap_s": 60.5, "jitter": 0},
}


def problems(call: Any) -> dict[str, str]:
    """Return what is allowed at each path that *call* complains of."""
    with pytest.raises(DocumentError) as e:
        call()
    return {dotted(one.path): one.allowed for one in e.value.problems}


def test_a_queue_says_some_and_the_rest_stays() -> None:
    """What is not named keeps its default."""
    found = queue_policy(QUEUE)
    assert (found.budgets[Budget.PLATFORM], found.budgets[Budget.PREEMPTED]) == (5, 10)
    assert (found.retry_codes, found.never_codes) == ((75,), (2,))
    assert (found.backoff.factor, found.backoff.cap_s) == (3, 60.5)
    assert queue_policy(None) == queue_policy({}) == RetryPolicy()


def test_an_item_lays_its_own_over_its_queues() -> None:
    """Part by part: other budgets, and what pays for a lost attempt, stay the queue's."""
    own: Json = {"budgets": {"user": 2}, "backoff": {"first_s": 0}}
    found = item_policy(own, queue_policy(QUEUE))
    assert (found.budgets[Budget.USER], found.budgets[Budget.LOST]) == (2, 1)
    assert (found.backoff.first_s, found.backoff.factor) == (0, 3)
    assert found.retry_codes == (75,)
    assert found == effective(QUEUE, own)


def test_a_queue_may_forbid_its_items_their_own() -> None:
    """Also later: what was on the queue by then goes by the queue alone."""
    closed = QUEUE | {"items_may_override": False}
    assert list(problems(lambda: item_policy({}, queue_policy(closed)))) == ["retry"]
    assert item_policy(None, queue_policy(closed)) == queue_policy(closed)
    assert effective(closed, {"budgets": {"user": 9}}) == queue_policy(closed)
    assert effective(QUEUE, None) == replace(queue_policy(closed), may_override=True)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ([], "retry"),
        ({"budget": {}}, "retry.budget"),
        ({"budgets": 3}, "retry.budgets"),
        ({"budgets": {"network": 3}}, "retry.budgets.network"),
        ({"budgets": {"user": -1}}, "retry.budgets.user"),
        ({"budgets": {"user": 1001}}, "retry.budgets.user"),
        ({"budgets": {"user": True}}, "retry.budgets.user"),
        ({"budgets": {"user": 1.5}}, "retry.budgets.user"),
        ({"exit_codes": {"retry": 75}}, "retry.exit_codes.retry"),
        ({"exit_codes": {"retry": [0]}}, "retry.exit_codes.retry[0]"),
        ({"exit_codes": {"retry": [1, "2"]}}, "retry.exit_codes.retry[1]"),
        ({"exit_codes": {"retry": [1, True]}}, "retry.exit_codes.retry[1]"),
        ({"exit_codes": {"retry": [3], "never": [3]}}, "retry.exit_codes.never"),
        ({"exit_codes": {"on": []}}, "retry.exit_codes.on"),
        ({"backoff": {"first_s": "10s"}}, "retry.backoff.first_s"),
        ({"backoff": {"factor": 0.5}}, "retry.backoff.factor"),
        ({"backoff": {"jitter": float("nan")}}, "retry.backoff.jitter"),
        ({"items_may_override": "no"}, "retry.items_may_override"),
    ],
)
def test_a_wrong_policy_is_told_with_its_path(document: Any, path: str) -> None:
    """And with what is allowed there."""
    found = problems(lambda: queue_policy(document))
    assert list(found) == [path]
    assert all(found.values())


def test_everything_wrong_is_told_at_once() -> None:
    """Nobody mends a document one slip at a time."""
    wrong: Json = {"budgets": {"user": -1, "x": 1}, "backoff": {"jitter": 2}, "y": 0}
    assert len(problems(lambda: queue_policy(wrong))) == 4


def test_some_words_are_a_queues_alone() -> None:
    """An item cannot have its lost attempts run again, nor say who may override."""
    own: Json = {"budgets": {"lost": 1}, "items_may_override": True}
    found = problems(lambda: item_policy(own, RetryPolicy()))
    assert list(found) == ["retry.budgets.lost", "retry.items_may_override"]
