"""Named places where a test can kill a process, one before and one after each effect.

Without the variable `LAUNCHYARD_CRASH_AT=<name>[:<n>]` they do nothing; with it the process that
comes to that place for the n-th time (the first, when no n is given) kills itself. What the file
`LAUNCHYARD_CRASH_NOTE` then says tells a test that the place was reached.
"""

from __future__ import annotations

import os
import signal
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final

VARIABLE: Final = "LAUNCHYARD_CRASH_AT"
NOTE: Final = "LAUNCHYARD_CRASH_NOTE"
_EFFECTS: Final = (
    "journal.{}_commit",
    "claim.{}_send",
    "abort.{}_send",
    "launching.{}_send",
    "reports.{}_send",
    "heartbeat.{}_send",
    "reclaim.{}_send",
    "release.{}_send",
    "to_host.{}_send",
    "to_main.{}_send",
    "logs.{}_send",
    "outputs.{}_send",
    "prepare.{}_call",
    "submit.{}_call",
    "cancel.{}_call",
    "remove.{}_call",
    "fetch.{}_call",
    "build.{}_call",
)


def names() -> frozenset[str]:
    """Return the names of all places."""
    return frozenset(each.format(when) for each in _EFFECTS for when in ("before", "after"))


def reach(name: str) -> None:
    """Say that the process is at *name*; it may be its last word."""
    armed = _armed()
    if armed is not None and armed.name == name and next(armed.count) == armed.at:
        _note(name)
        os.kill(os.getpid(), signal.SIGKILL)


def _note(name: str) -> None:
    path = os.environ.get(NOTE)
    if path:
        with Path(path).open("a") as note:
            note.write(f"{name}\n")


class _Armed:
    """The place and the visit that kills."""

    def __init__(self, text: str) -> None:
        self.name, _, at = text.partition(":")
        self.at = int(at or 1)
        self.count = count(1)


@cache
def _armed() -> _Armed | None:
    text = os.environ.get(VARIABLE, "")
    return _Armed(text) if text else None
