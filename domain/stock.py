"""Agents that know no leases: W&B's own, which pop, acknowledge, and then say little.

Nothing of ours watches their jobs. The run that a job starts tells of it, and where there is none
the agent's own signs of life do; what nobody speaks for is lost, and never put back blindly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason

ACK_S: Final = 60.0
"""How long a popped item waits to be acknowledged before it is back in its place."""

SILENT_S: Final = 600.0
"""How long an agent, or the run of an acknowledged item, may say nothing."""

SCOPE: Final = "wandb"
RUN_PENDING: Final = "pending"
RUN_RUNNING: Final = "running"
RUN_CRASHED: Final = "crashed"

_STAGES: Final[Mapping[str, Reason]] = {
    "build": Reason.BUILD_FAILED,
    "run": Reason.SUBMIT_FAILED,
    "agent": Reason.AGENT_ERROR,
}
_AFTER: Final[Mapping[AttemptState, str]] = {
    AttemptState.SUCCEEDED: "finished",
    AttemptState.FAILED: "failed",
    AttemptState.CANCELLED: "killed",
    AttemptState.PREEMPTED: "preempted",
}
_NOT_MINE: Final = "Error acking run queue item"


def scope_of(agent: str) -> str:
    """Return the scope of what an agent runs: nobody else reaches it."""
    return f"{SCOPE}:{agent}"


def reason_of(stage: str) -> Reason:
    """Return why an item failed, by the stage that its agent tells."""
    return _STAGES.get(stage.lower(), Reason.AGENT_ERROR)


def is_about_another(message: str) -> bool:
    """Tell whether an agent reports a failure of an item that it was just refused.

    Stock agents do, although the item is somebody else's then.
    """
    return _NOT_MINE in message


def end_of(exit_code: int, *, cancelled: bool) -> tuple[AttemptState, Reason]:
    """Return how an attempt ended whose run ended with this code."""
    if exit_code == 0:
        return AttemptState.SUCCEEDED, Reason.COMPLETED
    if cancelled:
        return AttemptState.CANCELLED, Reason.CANCELLED
    return AttemptState.FAILED, Reason.EXIT_CODE


def run_state(exit_code: int) -> str:
    """Return the state of a run that ended, in W&B's words."""
    return "failed" if exit_code else "finished"


def run_state_after(end: AttemptState) -> str:
    """Return the state of a run that never told of its end, by that of its attempt."""
    return _AFTER.get(end, RUN_CRASHED)


def may_be_corrected(state: AttemptState | None, reason: str) -> bool:
    """Tell whether a late end of the run replaces what was written down for want of a sign."""
    return state is AttemptState.LOST and reason == Reason.AGENT_SILENT.value


def heard_until_ms(heard_ms: int) -> int:
    """Return until when a sign of life at *heard_ms* counts."""
    return heard_ms + round(SILENT_S * 1000)
