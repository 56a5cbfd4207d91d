"""How much more an agent may take on: always a function of its table of attempts.

Nothing is incremented or decremented, so no lost message can leak a slot.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.attempts import Attempt

NO_LIMIT: Final = -1
MOST_A_CLAIM: Final = 64
"""How many items one claim asks for at most, where no limit of ours is lower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an agent's configuration allows; -1 sets no limit, 0 refuses."""

    max_jobs: int = 1
    max_builds: int = 2
    max_launches: int = 16
    max_pending: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the table holds: attempts in slots, held back without one, submitting, building."""

    jobs: int = 0
    pending: int = 0
    launches: int = 0
    builds: int = 0


def usage(rows: Iterable[Attempt], limits: Limits) -> Usage:
    """Count the table.

    An attempt that its cluster holds back needs no slot, as long as `max_pending` has room for it.
    """
    active = pending = launches = builds = 0
    for row in rows:
        if row.state in ENDS:
            continue
        active += 1
        pending += row.suspended
        launches += row.is_launching
        builds += row.state is AttemptState.BUILDING and row.product is None
    room = pending if limits.max_pending == NO_LIMIT else min(pending, limits.max_pending)
    return Usage(jobs=active - room, pending=room, launches=launches, builds=builds)


def free_slots(used: Usage, limits: Limits) -> int:
    """Return how many items may be claimed now."""
    return min(_left(limits.max_jobs, used.jobs), MOST_A_CLAIM)


def free_launches(used: Usage, limits: Limits) -> int:
    """Return how many attempts may go on to their targets now."""
    return _left(limits.max_launches, used.launches)


def free_builds(used: Usage, limits: Limits) -> int:
    """Return how many builds may begin now."""
    return _left(limits.max_builds, used.builds)


def _left(limit: int, used: int) -> int:
    return MOST_A_CLAIM if limit == NO_LIMIT else max(0, limit - used)
