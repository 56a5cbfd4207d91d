"""Exit codes; `docs/cli.md` has the same table."""

from __future__ import annotations

from enum import IntEnum


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
    DIFFERS = 9
    FAILED = 10
    CANCELLED = 11
    LOST = 12
    DRAINED = 75
    INTERRUPTED = 130
