"""The life of an attempt: every pair of states, and facts in any order."""

from __future__ import annotations

from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.attempt import ENDS, MOVES, AttemptState, reachable, take

S = AttemptState
PAIRS = list(product(AttemptState, AttemptState))


@pytest.mark.parametrize(("here", "there"), PAIRS)
def test_every_pair_of_states_moves_or_is_refused(here: AttemptState, there: AttemptState) -> None:
    """A state that can be reached is taken; any other fact leaves the attempt where it is."""
    assert take(here, there) is (there if there in reachable(here) else here)


@pytest.mark.parametrize(("here", "there"), PAIRS)
def test_each_move_of_the_table_is_taken(here: AttemptState, there: AttemptState) -> None:
    """What the protocol's table allows happens at once."""
    if there in MOVES[here]:
        assert take(here, there) is there


@pytest.mark.parametrize(("end", "fact"), [(e, f) for e, f in PAIRS if e in ENDS])
def test_ends_are_final(end: AttemptState, fact: AttemptState) -> None:
    """No fact moves an attempt that has ended."""
    assert take(end, fact) is end


def test_the_ends_are_those_of_the_protocol() -> None:
    """Seven of them, and none is a state in which something may be on a target."""
    assert {
        S.SUCCEEDED,
        S.FAILED,
        S.CANCELLED,
        S.TIMED_OUT,
        S.PREEMPTED,
        S.REJECTED,
        S.LOST,
    } == ENDS


@pytest.mark.parametrize("end", [S.SUCCEEDED, S.FAILED, S.TIMED_OUT, S.LOST])
def test_facts_in_any_order_come_to_the_same_end(end: AttemptState) -> None:
    """An end may be known before the start it belongs to."""
    for order in permutations([S.PENDING, S.RUNNING, end]):
        state = S.SUBMITTING
        for fact in order:
            state = take(state, fact)
        assert state is end


@given(st.lists(st.sampled_from(list(AttemptState)), max_size=12), st.sampled_from(list(S)))
def test_an_end_that_was_taken_stays_whatever_follows(
    facts: list[AttemptState], begin: AttemptState
) -> None:
    """However long the story goes on, the first end that was taken is the end."""
    state, first = begin, None
    for fact in facts:
        state = take(state, fact)
        if first is None and state in ENDS:
            first = state
    assert first is None or state is first
