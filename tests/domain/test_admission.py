"""How much more an agent may take on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.admission import (
    MOST_A_CLAIM,
    Limits,
    free_builds,
    free_launches,
    free_slots,
    usage,
)
from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.attempts import Attempt, Product, take_up
from tests.domain.attempts_kit import grant

S = AttemptState


def rows(*states: AttemptState) -> list[Attempt]:
    """Return a table with attempts in *states*."""
    return [replace(take_up(grant(f"i{n}"), 1), state=s) for n, s in enumerate(states)]


@pytest.mark.parametrize(("limit", "free"), [(-1, MOST_A_CLAIM), (0, 0), (1, 0), (2, 0), (5, 3)])
def test_max_jobs_counts_from_the_claim_to_the_end(limit: int, free: int) -> None:
    """-1 sets no limit, 0 refuses, and an agent over its limit is not negative."""
    limits = Limits(max_jobs=limit)
    used = usage(rows(S.CLAIMED, S.RUNNING, S.SUCCEEDED, S.LOST), limits)
    assert free_slots(used, limits) == free


def test_what_a_cluster_holds_back_needs_no_slot_up_to_max_pending() -> None:
    """Beyond max_pending it does; what is told of is only what needs none."""
    held = [replace(row, suspended=True) for row in rows(S.PENDING, S.PENDING, S.PENDING)]
    for most, jobs in ((1000, 0), (2, 1), (0, 3), (-1, 0)):
        used = usage(held, Limits(max_pending=most))
        assert (used.jobs, used.pending) == (jobs, len(held) - jobs)


def test_builds_are_counted_until_their_product_is_there() -> None:
    """An attempt that only waits for its launch builds no more."""
    limits = Limits(max_builds=2)
    table = rows(S.BUILDING, S.BUILDING, S.PREPARING)
    assert free_builds(usage(table, limits), limits) == 0
    table[0] = replace(table[0], product=Product(key="k"))
    assert free_builds(usage(table, limits), limits) == 1


def test_launches_are_counted_from_the_question_on() -> None:
    """A fenced write that is on its way takes a place like a submit."""
    limits = Limits(max_launches=3)
    table = [*rows(S.SUBMITTING, S.RUNNING), replace(rows(S.CLAIMED)[0], asked=True)]
    assert free_launches(usage(table, limits), limits) == 1


@given(st.lists(st.sampled_from(list(S)), max_size=30), st.integers(-1, 20))
def test_free_and_used_never_exceed_the_limit(states: list[AttemptState], limit: int) -> None:
    """Whatever the table, a claim of all free slots does not go over the limit."""
    limits = Limits(max_jobs=limit)
    used = usage(rows(*states), limits)
    assert used.jobs == sum(state not in ENDS for state in states)
    if limit >= 0:
        assert free_slots(used, limits) <= max(0, limit - used.jobs)
