"""Named places where a test can kill the server: before and after each commit.

Without the variable `LAUNCHYARD_CRASH_AT=<name>[:<n>]` they do nothing; with it the process that
comes to that place for the n-th time (the first, when no n is given) kills itself.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import count

BEFORE = "store.before_commit"
AFTER = "store.after_commit"


def crash_at(text: str) -> Callable[[str], None]:
    """Return what is called with the name of each place; *text* is the variable's value."""
    name, _, at = text.partition(":")
    if name not in {BEFORE, AFTER}:
        return lambda _: None
    visits = count(1)

    def reach(place: str) -> None:
        if place == name and next(visits) == int(at or 1):
            os.kill(os.getpid(), signal.SIGKILL)

    return reach
