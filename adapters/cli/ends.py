"""Exit codes of what can happen to a call, and of what can become of a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from launchyard.adapters.cli.codes import Code
from launchyard.domain.attempt import AttemptState
from launchyard.ports.operator import Failure

OF_FAILURE: Final[Mapping[Failure, Code]] = {
    Failure.AUTH: Code.AUTH,
    Failure.NOT_FOUND: Code.NOT_FOUND,
    Failure.CONFLICT: Code.CONFLICT,
    Failure.INVALID: Code.CONFIG,
    Failure.UNREACHABLE: Code.UNREACHABLE,
    Failure.TIMEOUT: Code.TIMEOUT,
    Failure.OTHER: Code.ERROR,
}

_ENDS: Final[Mapping[AttemptState, Code]] = {
    AttemptState.SUCCEEDED: Code.OK,
    AttemptState.CANCELLED: Code.CANCELLED,
    AttemptState.LOST: Code.LOST,
    AttemptState.PREEMPTED: Code.LOST,
}


def of_end(state: AttemptState | None) -> Code:
    """Return the code that tells how a job ended; None is an item that never had an attempt."""
    return _ENDS.get(state, Code.FAILED) if state is not None else Code.CANCELLED
