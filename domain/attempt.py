"""The life of an attempt: its states, and what a fact makes of one.

Facts reach us from several threads and machines, so they overtake each other: an end may be
known before its start. `take` therefore accepts every order and gives the furthest state;
the shape of `docs/states.md` and of the metric labels comes from the table here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Final


class AttemptState(StrEnum):
    """Where an attempt stands; the text is what stores, wires and metric labels carry."""

    CLAIMED = "claimed"
    PREPARING = "preparing"
    BUILDING = "building"
    SUBMITTING = "submitting"
    PENDING = "pending"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    PREEMPTED = "preempted"
    REJECTED = "rejected"
    LOST = "lost"


S = AttemptState  # short, so that the table below reads as a table

MOVES: Final[Mapping[AttemptState, frozenset[AttemptState]]] = {
    S.CLAIMED: frozenset({S.PREPARING, S.CANCELLING, S.FAILED, S.REJECTED}),
    S.PREPARING: frozenset({S.BUILDING, S.SUBMITTING, S.CANCELLING, S.FAILED}),
    S.BUILDING: frozenset({S.SUBMITTING, S.CANCELLING, S.FAILED}),
    S.SUBMITTING: frozenset(
        {S.PENDING, S.RUNNING, S.CANCELLING, S.SUCCEEDED, S.FAILED, S.CANCELLED}
        | {S.TIMED_OUT, S.PREEMPTED, S.REJECTED, S.LOST}
    ),
    S.PENDING: frozenset(
        {S.RUNNING, S.CANCELLING, S.SUCCEEDED, S.FAILED, S.CANCELLED}
        | {S.TIMED_OUT, S.PREEMPTED, S.REJECTED, S.LOST}
    ),
    S.RUNNING: frozenset(
        {S.PENDING, S.CANCELLING, S.SUCCEEDED, S.FAILED, S.TIMED_OUT, S.PREEMPTED, S.LOST}
    ),
    S.CANCELLING: frozenset({S.CANCELLED, S.SUCCEEDED, S.FAILED, S.LOST}),
    S.SUCCEEDED: frozenset(),
    S.FAILED: frozenset(),
    S.CANCELLED: frozenset(),
    S.TIMED_OUT: frozenset(),
    S.PREEMPTED: frozenset(),
    S.REJECTED: frozenset(),
    S.LOST: frozenset(),
}

ENDS: Final = frozenset(state for state, moves in MOVES.items() if not moves)
"""The final states; nothing leaves them."""


@cache
def reachable(state: AttemptState) -> frozenset[AttemptState]:
    """Return every state that one or more moves lead to from *state*."""
    found: set[AttemptState] = set()
    edge = set(MOVES[state])
    while edge:
        found |= edge
        edge = {after for new in edge for after in MOVES[new]} - found
    return frozenset(found)


def take(state: AttemptState, seen: AttemptState) -> AttemptState:
    """Return where an attempt in *state* stands once the fact *seen* is known.

    An end is final; a forward jump is taken; a fact that was overtaken changes nothing.
    """
    return seen if seen in reachable(state) else state
