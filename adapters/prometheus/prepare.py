"""Which series can be foreseen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Final

from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.ports.families import JOBS_FINISHED, VALUES
from launchyard.ports.metrics import Family

MOST: Final = 1000
"""A family with more foreseeable series than these is left to grow by itself."""

_ENDS: Final = {
    Reason.COMPLETED: AttemptState.SUCCEEDED,
    Reason.CANCELLED: AttemptState.CANCELLED,
    Reason.RUN_TIMEOUT: AttemptState.TIMED_OUT,
    Reason.PREEMPTED: AttemptState.PREEMPTED,
    Reason.REVIEW_REJECTED: AttemptState.REJECTED,
    Reason.TARGET_MISSING: AttemptState.REJECTED,
    Reason.HANDLE_UNKNOWN: AttemptState.LOST,
    Reason.AGENT_SILENT: AttemptState.LOST,
    Reason.HOST_LOST: AttemptState.LOST,
}
_ENDINGS: Final = tuple((_ENDS.get(why, AttemptState.FAILED).value, why.value) for why in Reason)


def enumerable(family: Family, known: Mapping[str, tuple[str, ...]]) -> Iterator[Mapping[str, str]]:
    """Yield the labels of every series of *family* that is sure to make sense.

    *known* has the values of labels that no list has, such as queues.
    """
    if family.name == JOBS_FINISHED.name:
        yield from _endings(known)
        return
    listed = {**known, **VALUES.get(family.name, {})}
    values = [listed.get(label, ()) for label in family.labels]
    series = list(product(*values))
    if len(series) <= MOST:
        yield from (dict(zip(family.labels, each, strict=True)) for each in series)


def _endings(known: Mapping[str, tuple[str, ...]]) -> Iterator[Mapping[str, str]]:
    """Yield each reason with the end that it goes with; most pairs of the two never happen."""
    places = list(product(known.get("queue", ()), known.get("target", ())))
    if len(places) * len(_ENDINGS) > MOST:
        return
    for (queue, target), (outcome, reason) in product(places, _ENDINGS):
        yield {"queue": queue, "target": target, "outcome": outcome, "reason": reason}
