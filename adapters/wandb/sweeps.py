"""Runs of sweeps begin only while their sweep goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from launchyard.adapters.wandb import run_operations as runs
from launchyard.adapters.wandb.book import Held
from launchyard.adapters.wandb.line import Line, checked, field_of, inner

_GOES_ON: Final = frozenset({"RUNNING", "PAUSED"})
"""States of a sweep in which it may begin another run."""


def sweeps_over(line: Line, asked: Sequence[Held]) -> dict[str, str]:
    """Say of items whose sweep is over why they do not run; all sweeps are asked in one request.

    Raises:
        ServerError: the server did not say how they stand.
    """
    refs = {held.item: _ref(held) for held in asked if held.sweep}
    distinct = list(dict.fromkeys(refs.values()))
    if not distinct:
        return {}
    reply = checked(line.ask(runs.sweeps(distinct)), len(distinct))
    states = {}
    for number, ref in enumerate(distinct):
        state = inner(field_of(reply, number), "sweep", "state")
        states[ref] = state.upper() if isinstance(state, str) else ""
    return {
        item: f"the sweep {ref.sweep} is {states[ref].lower() or 'unknown'}, so no run begins"
        for item, ref in refs.items()
        if states[ref] not in _GOES_ON
    }


def _ref(held: Held) -> runs.SweepRef:
    return runs.SweepRef(held.entity, held.project, held.sweep)
