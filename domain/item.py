"""The life of an item on its queue, as the server keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from launchyard.domain.attempt import ENDS, AttemptState


class ItemState(StrEnum):
    """Where an item stands; the text is what the store and the wire carry."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    LAUNCHING = "launching"
    LAUNCHED = "launched"
    DONE = "done"


_Q, _C, _G, _L, _D = ItemState

ITEM_MOVES: Final[Mapping[ItemState, frozenset[ItemState]]] = {
    _Q: frozenset({_C, _D}),
    _C: frozenset({_Q, _G, _D}),
    _G: frozenset({_L, _D}),
    _L: frozenset({_D}),
    _D: frozenset({_Q}),
}
"""CLAIMED → QUEUED: released or expired, same attempt. DONE → QUEUED: the next attempt."""


class IllegalMoveError(ValueError):
    """An item was asked for a move that its state does not allow: a bug in the caller."""


def move(state: ItemState, new: ItemState) -> ItemState:
    """Return *new*, or raise `IllegalMoveError`."""
    if new not in ITEM_MOVES[state]:
        raise IllegalMoveError(f"{state} -> {new}")
    return new


def after_fact(state: ItemState, attempt: AttemptState, *, has_handle: bool) -> ItemState:
    """Return the item's state once its attempt is known to stand at *attempt*.

    LAUNCHING is never reached by a fact: only the fenced write makes it, before any side effect.
    """
    if state is _D or attempt in ENDS:
        return _D
    return _L if state is _G and has_handle else state
