"""Which ends are tried again, what pays for it, and when."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.reason import CLASS_OF, FailureClass, Reason
from launchyard.domain.retry import (
    Backoff,
    Budget,
    End,
    Retry,
    RetryPolicy,
    Stop,
    Why,
    decide,
    failure_class,
)

S = AttemptState
STEADY = Backoff(first_s=10, factor=2, cap_s=60, jitter=0)


def end(
    state: AttemptState = S.FAILED, reason: Reason | None = None, code: int | None = None
) -> End:
    """Return an end at the time 0."""
    return End(state=state, reason=reason, at_ms=0, exit_code=code)


def policy(**budgets: int) -> RetryPolicy:
    """Return a policy whose budgets are 0 but for the named ones."""
    all_of = {one: budgets.get(one.value, 0) for one in Budget}
    return RetryPolicy(budgets=all_of, backoff=STEADY)


@pytest.mark.parametrize("reason", list(Reason))
def test_a_failure_is_paid_for_by_its_class(reason: Reason) -> None:
    """And by no other budget; being preempted has one of its own whatever its class."""
    own = Budget.PREEMPTED if reason is Reason.PREEMPTED else Budget(CLASS_OF[reason].value)
    rich = RetryPolicy(budgets=dict.fromkeys(Budget, 9) | {own: 0})
    assert decide(rich, [], end(reason=reason), 0) == Stop(why=Why.BUDGET_SPENT, budget=own)
    found = decide(policy(**{own.value: 1}), [], end(reason=reason), 0)
    assert found == Retry(budget=own, number=1, of=1, not_before_ms=10_000)


def test_without_a_policy_only_what_is_not_the_users_fault_is_tried_again() -> None:
    """A few times for platform and agent, more often for preemptions, never for the rest."""
    tried = {one for one, most in RetryPolicy().budgets.items() if most}
    others = {Budget.PREEMPTED, Budget.EXIT_CODE, Budget.CIRCUIT}
    assert tried == {Budget.PLATFORM, Budget.AGENT} | others
    assert isinstance(decide(RetryPolicy(), [], end(reason=Reason.EXIT_CODE, code=1), 0), Stop)


def test_budgets_are_separate() -> None:
    """What one has spent is nothing to another; a spent one stays spent."""
    two = policy(platform=2, preempted=1)
    failed, taken = end(reason=Reason.SUBMIT_FAILED), end(S.PREEMPTED, Reason.PREEMPTED)
    history = [Budget.PLATFORM, Budget.PREEMPTED]
    assert isinstance(decide(two, history, failed, 0), Retry)
    assert decide(two, history, taken, 0) == Stop(why=Why.BUDGET_SPENT, budget=Budget.PREEMPTED)
    history.append(Budget.PLATFORM)
    assert decide(two, history, failed, 0) == Stop(why=Why.BUDGET_SPENT, budget=Budget.PLATFORM)


def test_exit_codes_come_before_classes() -> None:
    """A listed code has its own budget; one that is never retried has none, whoever would pay."""
    listed = replace(policy(user=5, exit_code=1), retry_codes=(75,), never_codes=(2,))
    found = decide(listed, [Budget.USER], end(reason=Reason.EXIT_CODE, code=75), 0)
    assert isinstance(found, Retry)
    assert found.budget is Budget.EXIT_CODE
    assert decide(listed, [], end(reason=Reason.EXIT_CODE, code=2), 0) == Stop(why=Why.NEVER_CODE)
    other = decide(listed, [], end(reason=Reason.EXIT_CODE, code=3), 0)
    assert isinstance(other, Retry)
    assert other.budget is Budget.USER
    preempted = decide(
        replace(listed, budgets=policy(preempted=1).budgets), [], end(S.PREEMPTED, code=2), 0
    )
    assert isinstance(preempted, Retry)


@pytest.mark.parametrize("state", [S.SUCCEEDED, S.CANCELLED, S.REJECTED])
def test_what_somebody_wanted_is_never_tried_again(state: AttemptState) -> None:
    """No budget helps; nor does one help a job that failed while it was being cancelled."""
    rich = RetryPolicy(budgets=dict.fromkeys(Budget, 9))
    assert decide(rich, [], end(state, Reason.EXIT_CODE), 0) == Stop(why=Why.WANTED)
    killed = replace(end(reason=Reason.EXIT_CODE, code=137), cancelled=True)
    assert decide(rich, [], killed, 0) == Stop(why=Why.WANTED)


def test_a_lost_attempt_is_tried_again_only_where_that_is_said() -> None:
    """It may be running somewhere; the platform's budget does not pay for it."""
    lost = end(S.LOST, Reason.HOST_LOST)
    assert decide(RetryPolicy(), [], lost, 0) == Stop(why=Why.BUDGET_SPENT, budget=Budget.LOST)
    assert isinstance(decide(policy(lost=1), [], lost, 0), Retry)


def test_an_end_without_a_reason_has_a_class() -> None:
    """A time limit is a policy's; anything else counts as the user's, and is not tried again."""
    assert failure_class(end(S.TIMED_OUT)) is FailureClass.POLICY
    assert failure_class(end()) is FailureClass.USER


def test_each_retry_waits_longer_up_to_the_cap() -> None:
    """The growth goes by the budget's own retries."""
    many = policy(user=9)
    waits = []
    for used in range(5):
        found = decide(
            many, [Budget.USER] * used + [Budget.BUILD] * 7, end(reason=Reason.EXIT_CODE), 0
        )
        assert isinstance(found, Retry)
        waits.append(found.not_before_ms)
    assert waits == [10_000, 20_000, 40_000, 60_000, 60_000]


_BACKOFFS = st.builds(
    Backoff,
    first_s=st.floats(0, 86400),
    factor=st.floats(1, 100),
    cap_s=st.floats(0, 604800),
    jitter=st.floats(0, 1),
)


@given(_BACKOFFS, st.integers(0, 1000), st.floats(0, 1, exclude_max=True))
def test_no_wait_is_longer_than_the_cap_or_shorter_than_nothing(
    backoff: Backoff, retries: int, random: float
) -> None:
    """Whatever the numbers and the dice; jitter only takes away, and no more than its share."""
    wait, longest = backoff.delay_s(retries, random), backoff.delay_s(retries, 0)
    assert 0 <= wait <= longest <= backoff.cap_s
    assert wait >= longest * (1 - backoff.jitter) * 0.999


@given(
    st.sampled_from(sorted(ENDS)),
    st.none() | st.sampled_from(list(Reason)),
    st.none() | st.integers(0, 255),
    st.dictionaries(st.sampled_from(list(Budget)), st.integers(0, 3)),
)
def test_every_chain_of_attempts_comes_to_an_end(
    state: AttemptState, reason: Reason | None, code: int | None, budgets: dict[Budget, int]
) -> None:
    """No end is followed by more attempts than all budgets together pay for."""
    given_budgets = dict.fromkeys(Budget, 0) | budgets
    history: list[Budget] = []
    while isinstance(
        found := decide(RetryPolicy(budgets=given_budgets), history, end(state, reason, code), 0),
        Retry,
    ):
        history.append(found.budget)
        assert found.number == len(history) <= sum(given_budgets.values())
