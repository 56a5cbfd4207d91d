"""The life of an item on its queue."""

from __future__ import annotations

import itertools

import pytest

from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.item import ITEM_MOVES, IllegalMoveError, ItemState, after_fact, move


@pytest.mark.parametrize(("old", "new"), list(itertools.product(ItemState, ItemState)), ids=str)
def test_every_pair_moves_or_is_refused(old: ItemState, new: ItemState) -> None:
    """The table is total, and it alone decides."""
    if new in ITEM_MOVES[old]:
        assert move(old, new) is new
    else:
        with pytest.raises(IllegalMoveError):
            move(old, new)


def test_nothing_on_a_target_returns_to_the_queue_but_through_its_end() -> None:
    """LAUNCHING and LAUNCHED are never requeued blindly (PROTOCOL 3.4)."""
    for state in (ItemState.LAUNCHING, ItemState.LAUNCHED):
        assert ItemState.QUEUED not in ITEM_MOVES[state]


@pytest.mark.parametrize("end", sorted(ENDS))
@pytest.mark.parametrize("state", list(ItemState))
def test_an_end_makes_every_item_done(state: ItemState, end: AttemptState) -> None:
    """Whatever stood before."""
    assert after_fact(state, end, has_handle=True) is ItemState.DONE


def test_only_a_handle_makes_launching_launched() -> None:
    """A fact without a handle proves nothing about the target."""
    running = AttemptState.RUNNING
    assert after_fact(ItemState.LAUNCHING, running, has_handle=True) is ItemState.LAUNCHED
    assert after_fact(ItemState.LAUNCHING, running, has_handle=False) is ItemState.LAUNCHING
    assert after_fact(ItemState.CLAIMED, running, has_handle=True) is ItemState.CLAIMED
