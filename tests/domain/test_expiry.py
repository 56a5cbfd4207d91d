"""What becomes of items without a holder."""

from __future__ import annotations

import pytest

from launchyard.domain.claiming import room
from launchyard.domain.expiry import Fate, fate, next_look
from launchyard.domain.item import ItemState


@pytest.mark.parametrize("cancel", [False, True])
@pytest.mark.parametrize("state", [ItemState.LAUNCHING, ItemState.LAUNCHED])
def test_what_may_run_is_never_requeued(state: ItemState, *, cancel: bool) -> None:
    """Something of ours may exist, so somebody has to look; a cancel does not change that."""
    assert fate(state, cancel=cancel) is Fate.OFFERED


def test_a_claim_goes_back_unless_it_is_cancelled() -> None:
    """Nothing was started for it."""
    assert fate(ItemState.CLAIMED, cancel=False) is Fate.REQUEUED
    assert fate(ItemState.CLAIMED, cancel=True) is Fate.CANCELLED


@pytest.mark.parametrize("state", [ItemState.QUEUED, ItemState.DONE])
def test_what_nobody_holds_has_no_fate(state: ItemState) -> None:
    """Asking is a bug in the caller."""
    with pytest.raises(ValueError, match="no holder"):
        fate(state, cancel=False)


@pytest.mark.parametrize(
    ("deadlines", "seconds"),
    [([], 5.0), ([101_000], 1.0), ([160_000, 103_000], 3.0), ([99_000], 0.05), ([100_000], 0.05)],
)
def test_the_next_look_is_at_the_next_deadline(deadlines: list[int], seconds: float) -> None:
    """Never later than a few seconds, never at once: what is overdue is looked at soon."""
    assert next_look(100_000, deadlines, ttl_s=45.0) == seconds


def test_short_leases_are_looked_at_more_often() -> None:
    """A lease that is granted between two looks ends after the second."""
    assert next_look(0, [60_000], ttl_s=2.0) == 0.5


@pytest.mark.parametrize(
    ("free", "limit", "active", "most"),
    [(4, None, 100, 4), (4, 3, 0, 3), (4, 3, 2, 1), (4, 3, 3, 0), (4, 3, 5, 0), (-1, None, 0, 0)],
)
def test_a_claim_takes_what_the_limit_leaves(
    free: int, limit: int | None, active: int, most: int
) -> None:
    """Also when the limit was lowered below what runs already."""
    assert room(free, limit, active) == most
