"""Ending what runs, and what is left of it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from launchyard.adapters.local.agenda import Agenda
from launchyard.adapters.local.process import (
    Mark,
    Process,
    Stat,
    find_marked,
    held,
    send,
    send_group,
)
from launchyard.adapters.local.records import Records

_UNTIL_STARTED_S: Final = 0.01
_AGAIN_S: Final = 0.25
_SWEEP_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Target:
    """Something to end: its records, how its processes are known, and its wrapper if known."""

    records: Records
    mark: Mark
    wrapper: Process | None

    def living(self) -> list[Stat]:
        """Return its living processes but for the wrapper, which is to write the end."""
        name = self.records.name
        found = find_marked({name: self.mark})[name]
        return [one for one in found if one.process != self.wrapper]

    def wrapped(self) -> bool:
        """Tell whether its wrapper lives."""
        if self.wrapper is None:
            return False
        with held(self.wrapper) as fd:
            return fd is not None


class Ending:
    """Ends one thing: SIGTERM, then SIGKILL when the grace has passed, until nothing is left."""

    def __init__(
        self, find: Callable[[], Target | None], grace_s: float, over: Callable[[], None]
    ) -> None:
        self._find = find
        self._over = over
        self._kill_at_s = time.monotonic() + grace_s
        self._asked = False

    def hurry(self, grace_s: float) -> None:
        """Give it no more than *grace_s* from now."""
        self._kill_at_s = min(self._kill_at_s, time.monotonic() + grace_s)

    def __call__(self) -> float | None:
        """Do the next step; runs in the agenda's thread."""
        target = self._find()
        if target is None:
            self._over()
            return None
        wrapped, leader = target.wrapped(), target.mark.leader
        if leader is None and wrapped:
            return _UNTIL_STARTED_S  # it will see the wish, or we will see the job
        living = target.living()
        if not living and not wrapped:
            self._over()
            return None
        left_s = self._kill_at_s - time.monotonic()
        if not self._asked:
            self._asked = True
            _signal(leader, living, signal.SIGTERM)
            _signal(leader, living, signal.SIGCONT)  # what is stopped could not hear
        elif left_s <= 0:
            _signal(leader, living, signal.SIGKILL)
        return min(max(left_s, 0.0), _AGAIN_S) if left_s > 0 else _AGAIN_S / 10


def _signal(leader: Process | None, living: list[Stat], number: signal.Signals) -> None:
    """Signal each process once: many take a second SIGTERM for impatience."""
    reached = leader is not None and send_group(leader, number)
    for one in living:
        of_group = leader is not None and (one.process == leader or one.group == leader.pid)
        if not (reached and of_group):
            send(one.process, number)


class Sweeper:
    """Ends what ended attempts left behind; many ends cost one walk over the processes."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        self._lock = threading.Lock()
        self._marks: dict[str, Mark] = {}
        self._swept: set[str] = set()
        self._armed = False

    def add(self, name: str, mark: Mark) -> None:
        """Have the processes of *mark* ended soon; a name is taken once until `forget`."""
        with self._lock:
            if name in self._swept:
                return
            self._swept.add(name)
            self._marks[name] = mark
            armed, self._armed = self._armed, True
        if not armed:
            self._agenda.add(_SWEEP_S, self._sweep)

    def forget(self, name: str) -> None:
        """Take *name* as new when it comes again."""
        with self._lock:
            self._swept.discard(name)

    def _sweep(self) -> float | None:
        with self._lock:
            marks = dict(self._marks)
        found = find_marked(marks)
        for one in (one for living in found.values() for one in living):
            send(one.process, signal.SIGKILL)
        with self._lock:
            for name in marks:
                if not found[name]:
                    self._marks.pop(name, None)
            self._armed = bool(self._marks)
            return _SWEEP_S if self._armed else None
