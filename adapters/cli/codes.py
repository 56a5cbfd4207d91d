"""Exit codes; `docs/cli.md` has the same table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from launchyard.domain.attempt import AttemptState
from launchyard.ports.operator import Failure


class Code(IntEnum):
    """How a command ended. What became of a job is 10 or more, so that usage is never mixed up."""

    OK = 0
    ERROR = 1
    USAGE = 2
    CONFIG = 3
    AUTH = 4
    NOT_FOUND = 5
    CONFLICT = 6
    UNREACHABLE = 7
    TIMEOUT = 8
    FAILED = 10
    CANCELLED = 11
    LOST = 12
    DRAINED = 75
    INTERRUPTED = 130


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
