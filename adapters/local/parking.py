"""Wrappers that stand ready: all of a start is done but for the word that lets the job begin.

A wrapper waits for its deadline on a pipe whose other end is here. Whoever may start the job sends
it; where nobody does, because it is not used in time or this process is gone, the pipe closes and
the wrapper ends without a trace in its folder. So what is parked has not been started.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from launchyard.adapters.local.agenda import Agenda
from launchyard.adapters.local.folders import remove_empty
from launchyard.adapters.local.records import Records, Started, is_name
from launchyard.ports.runner import Launch

_MOST: Final = 16


def give_word(word: int, deadline: float) -> None:
    """Let the job of the wrapper at the pipe *word* begin, unless *deadline* has passed by then.

    Raises:
        OSError: the wrapper is gone.
    """
    try:
        os.write(word, b"%d\n" % (min(max(deadline, 0.0), 1e15) * 100))
    finally:
        os.close(word)


def clear_unused(root: str) -> None:
    """Remove what was made ready by a process that is gone: nobody starts it any more."""
    for name in filter(is_name, os.listdir(f"{root}/runs")):  # noqa: PTH208 - texts are wanted
        records = Records(root, name)
        if records.started() is not None:
            continue
        with suppress(OSError), records.locked(0.0):
            ownership = records.ownership()
            if ownership is not None and records.started() is None and records.job() is None:
                records.remove()
                remove_empty(ownership.folder)


@dataclass(frozen=True, slots=True)
class Parked:
    """A wrapper that waits, and for what."""

    launch: Launch
    records: Records
    started: Started
    word: int

    def drop(self) -> None:
        """End it, and take away that there was one."""
        os.close(self.word)
        pid = self.started.wrapper.pid
        with suppress(OSError):  # it is our child, so nobody else can have its number
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        with suppress(OSError):
            self.records.remove()
        remove_empty(self.launch.plan.folder)


class Parking:
    """The wrappers that wait, by name, each for *keep_s* seconds; for any thread."""

    def __init__(self, agenda: Agenda, keep_s: float) -> None:
        self._agenda, self._keep_s = agenda, keep_s
        self._lock = threading.RLock()
        self._parked: dict[str, Parked] = {}

    def __contains__(self, name: object) -> bool:
        with self._lock:
            return name in self._parked

    def put(self, name: str, make: Callable[[], Parked | None]) -> None:
        """Park what *make* returns; who takes *name* meanwhile waits for it."""
        with self._lock:
            made = None if name in self._parked or len(self._parked) >= _MOST else make()
            if made is not None:
                self._parked[name] = made
                self._agenda.add(self._keep_s, lambda: self._expire(name, made))

    def take(self, launch: Launch) -> Parked | None:
        """Give what was parked for this very *launch*; what was parked for another is dropped."""
        with self._lock:
            found = self._parked.pop(launch.name, None)
            if found is None or found.launch == replace(launch, deadline=found.launch.deadline):
                return found
            found.drop()
            return None

    def _expire(self, name: str, parked: Parked) -> None:
        with self._lock:
            if self._parked.get(name) is parked:
                del self._parked[name]
                parked.drop()
