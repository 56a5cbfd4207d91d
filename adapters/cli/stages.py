"""The stages of a job as people see them, and how long each took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.item import ItemState
from launchyard.ports.records import ItemView

S = AttemptState

STAGES: Final = ("queued", "claimed", "building", "starting", "running", "done")

_STAGE_OF: Final[Mapping[AttemptState, int]] = {
    S.CLAIMED: 1,
    S.PREPARING: 1,
    S.BUILDING: 2,
    S.SUBMITTING: 3,
    S.PENDING: 3,
    S.RUNNING: 4,
    S.CANCELLING: 4,
}
_DONE: Final = len(STAGES) - 1


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: when it began, and when it ended unless it is the one that is on."""

    name: str
    began_ms: int
    ended_ms: int | None


def stage_of(item: ItemView) -> int:
    """Return the number of the stage that an item is in."""
    if item.state is ItemState.DONE or item.attempt_state in ENDS:
        return _DONE
    if item.state is ItemState.QUEUED or item.attempt_state is None:
        return 0
    return _STAGE_OF.get(item.attempt_state, 1)


def stages_of(item: ItemView) -> tuple[Stage, ...]:
    """Return the stages that an item went through, the one that is on last.

    Stages that it skipped are left out, and times that the server did not keep.
    """
    # A later attempt waited from the end of the one before.
    begins = {0: item.times_ms.get(ItemState.QUEUED, item.enqueued_ms)}
    for name, moment in item.times_ms.items():
        number = _number(name)
        if number is not None:
            begins[number] = min(moment, begins.get(number, moment))
    now = stage_of(item)
    begins.setdefault(now, max(begins.values()))
    seen = sorted(number for number in begins if number <= now)
    return tuple(
        Stage(STAGES[one], begins[one], begins[after] if after is not None else None)
        for one, after in zip(seen, [*seen[1:], None], strict=True)
    )


def _number(state: str) -> int | None:
    """Return the stage of a state's name, whether an item's or an attempt's."""
    if state == ItemState.DONE or state in ENDS:
        return _DONE
    if state == ItemState.QUEUED:
        return None
    if state in {ItemState.CLAIMED, ItemState.LAUNCHING, ItemState.LAUNCHED}:
        return 1 if state == ItemState.CLAIMED else None
    try:
        return _STAGE_OF.get(AttemptState(state))
    except ValueError:
        return None
