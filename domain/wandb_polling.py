"""When and what an agent asks of a W&B server, which tells nobody that there is work.

Right after an item came another is likely, so the server is asked often; after a while without
one it is asked seldom, and never in step with other agents: *jitter*, between 0 and 1, spreads
every wait. Times are seconds on any clock that does not jump.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

HOT_S: Final = 31.0
"""How long after an item the server is asked often."""

_HOT_WAIT_S: Final = 0.4
_HOT_SPREAD_S: Final = 0.35
_IDLE_WAIT_S: Final = 9.0
_IDLE_SPREAD: Final = 0.5
_FIRST_WAIT_S: Final = 1.0
_GROWTH: Final = 1.7
MOST_POPS: Final = 24
"""How many items one request asks for at most: an answer is small and soon there."""

STATUS_S: Final = 15.0
"""After how long the agent's status goes along with a request that is made anyway."""

STATUS_ALONE_S: Final = 20.0
"""After how long it is worth a request of its own; a server takes silence for an end."""

LOOK_BUSY_S: Final = 9.5
LOOK_IDLE_S: Final = 19.5
"""How often stop requests are looked for: while jobs run, and while none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """When to ask for items next, and which queues gave as many as they were asked for."""

    next_at: float = 0.0
    hit_at: float | None = None
    wait_s: float = _FIRST_WAIT_S
    full: frozenset[str] = frozenset()


def after_pop(pace: Pace, now: float, asked: Sequence[str], given: Sequence[str]) -> Pace:
    """Return the pace once the queues *asked* (one per pop) gave items from *given*.

    The wait is set as if without jitter; `waiting` adds it.
    """
    now_full = {queue for queue in set(given) if given.count(queue) >= asked.count(queue)}
    full = (pace.full - set(asked)) | now_full
    if given:
        wait_s = 0.0 if full else _HOT_WAIT_S
        return Pace(next_at=now + wait_s, hit_at=now, wait_s=_FIRST_WAIT_S, full=full)
    if pace.hit_at is not None and now - pace.hit_at <= HOT_S:
        return replace(pace, next_at=now + (0.0 if full else _HOT_WAIT_S), full=full)
    grown = min(pace.wait_s * _GROWTH, _IDLE_WAIT_S)
    return Pace(next_at=now + pace.wait_s, hit_at=pace.hit_at, wait_s=grown)


def jittered(pace: Pace, now: float, jitter: float) -> Pace:
    """Return *pace* with its wait spread: a little while hot, by half of it while idle."""
    wait_s = pace.next_at - now
    if wait_s <= 0:
        return pace
    hot = pace.hit_at is not None and now - pace.hit_at <= HOT_S
    spread = jitter * _HOT_SPREAD_S if hot else (jitter - 0.5) * wait_s * _IDLE_SPREAD
    return replace(pace, next_at=pace.next_at + spread)


def held(pace: Pace, until: float) -> Pace:
    """Return *pace* as a server wants it that asks for silence until then."""
    return replace(pace, next_at=max(pace.next_at, until))


def pops(queues: Sequence[str], free: int, full: Collection[str], turn: int = 0) -> tuple[str, ...]:
    """Return the queue of each pop of one request: at most *free* of them.

    Every queue is asked once where there are slots for all; else they have their turns, one
    further at each. What is left goes to those that gave all they were asked for; with few slots
    these come first in every second request.
    """
    most = min(free, MOST_POPS)
    at = turn % len(queues) if queues else 0
    order = (*queues[at:], *queues[:at])
    likely = [queue for queue in order if queue in full]
    if likely and most < len(order):
        chosen = [] if turn % 2 else list(order[: min(most, 1)])
    else:
        chosen = list(order[:most])
    while likely and len(chosen) < most:
        chosen.extend(likely[: most - len(chosen)])
    return tuple(chosen)
