"""What becomes of an attempt whose holder is gone, and when a store looks again."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from launchyard.domain.item import ItemState

_LOOK_S: Final = 5.0
_SOONEST_S: Final = 0.05


class Fate(StrEnum):
    """REQUEUED: to its place, same attempt. OFFERED: to whoever reaches its scope. CANCELLED."""

    REQUEUED = "requeued"
    OFFERED = "offered"
    CANCELLED = "cancelled"


def fate(state: ItemState, *, cancel: bool) -> Fate:
    """Say what becomes of a held item without its holder.

    From LAUNCHING on something of ours may exist on a target: it is never put back blindly, and
    not ended either, since somebody has to look.

    Raises:
        ValueError: nobody can hold an item in this state.
    """
    if state in {ItemState.LAUNCHING, ItemState.LAUNCHED}:
        return Fate.OFFERED
    if state is not ItemState.CLAIMED:
        raise ValueError(f"an item that is {state} has no holder")
    return Fate.CANCELLED if cancel else Fate.REQUEUED


def next_look(now_ms: int, deadlines_ms: Iterable[int], ttl_s: float) -> float:
    """Return in how many seconds the leases should be scanned again.

    Never later than a part of the time to live, so that a lease granted meanwhile is not missed.
    """
    latest = min(_LOOK_S, ttl_s / 4)
    soonest = min(((deadline - now_ms) / 1000 for deadline in deadlines_ms), default=latest)
    return max(_SOONEST_S, min(latest, soonest))
