"""How many items of a queue one claim may take."""

from __future__ import annotations


def room(free: int, limit: int | None, active: int) -> int:
    """Return how many items may be claimed: no more than asked for, nor than the limit leaves.

    *active* counts the queue's items from CLAIMED to LAUNCHED, released ones included.
    """
    return max(0, free if limit is None else min(free, limit - active))
