"""Noticing changes: one stream of the engine's events for all containers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from launchyard.adapters.docker.client import Engine, Stream
from launchyard.domain.attempt import ENDS
from launchyard.domain.naming import ITEM
from launchyard.ports import events
from launchyard.ports.runner import Handle, Observation, RunnerError, Seen

_log = logging.getLogger(__name__)
_CONNECT_S: Final = 2.0
_SOON_S: Final = 1.0
_ANYWAY_S: Final = 60.0
_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 15.0


class DockerWatch:
    """A `Watch` over containers; *look* asks the engine how one stands.

    The stream may break, and an engine under load drops events: whenever it is there anew, and
    once a minute, everything that is watched is looked at.
    """

    def __init__(self, engine: Engine, look: Callable[[Handle], Observation]) -> None:
        self._engine, self._look = engine, look
        self._changed = threading.Condition()
        self._told: dict[Handle, Observation | None] = {}
        self._by_uid: dict[str, Handle] = {}
        self._untold: list[Seen] = []
        self._woken = False
        self._due = time.monotonic() + _ANYWAY_S
        self._hears, self._closed = threading.Event(), threading.Event()
        self._stream: Stream | None = None
        self._thread: threading.Thread | None = None

    def add(self, handle: Handle) -> None:
        with self._changed:
            if handle in self._told:
                return
            self._told[handle] = None
            self._by_uid[handle.uid] = handle
            if self._thread is None:
                self._thread = threading.Thread(target=self._hear, name="events", daemon=True)
                self._thread.start()
        # From here on every change is heard; so what the look misses, an event tells.
        self._hears.wait(_CONNECT_S)
        self._see([handle])

    def discard(self, handle: Handle) -> None:
        with self._changed:
            self._forget(handle)
            self._untold = [seen for seen in self._untold if seen.handle != handle]

    def wait(self, timeout_s: float | None) -> Sequence[Seen]:
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            with self._changed:
                told = self._sleep(until)
                if told is not None:
                    return told
                self._due = time.monotonic() + _ANYWAY_S
                handles = tuple(self._told)
            self._see(handles)

    def wake(self) -> None:
        with self._changed:
            self._woken = True
            self._changed.notify()

    def close(self) -> None:
        self._closed.set()
        with self._changed:
            self._told.clear()
            self._by_uid.clear()
            stream, thread = self._stream, self._thread
        if stream is not None:
            stream.close()
        if thread is not None:
            thread.join(_CONNECT_S)

    def _sleep(self, until: float | None) -> Sequence[Seen] | None:
        """Sleep until there is something to tell; None when it is time to look at everything."""
        while True:
            told, self._untold = self._untold, []
            if told or self._woken:
                self._woken = False
                return told
            now = time.monotonic()
            if now >= self._due:
                return None
            if until is not None and now >= until:
                return ()
            self._changed.wait(min(self._due, until or self._due) - now)

    def _forget(self, handle: Handle) -> None:
        self._told.pop(handle, None)
        self._by_uid.pop(handle.uid, None)

    def _see(self, handles: Iterable[Handle]) -> None:
        """Ask how *handles* stand, and keep what is news."""
        for handle in handles:
            try:
                seen = self._look(handle)
            except RunnerError as e:
                events.TARGET_SILENT.log(_log, name=handle.name, error=e)
                self._look_again(_SOON_S)
                continue
            with self._changed:
                if handle not in self._told or self._told[handle] == seen:
                    continue
                self._told[handle] = seen
                self._untold.append(Seen(handle, seen))
                if seen.state in ENDS:
                    self._forget(handle)
                self._changed.notify()

    def _look_again(self, wait_s: float) -> None:
        with self._changed:
            self._due = min(self._due, time.monotonic() + wait_s)
            self._changed.notify()

    def _hear(self) -> None:
        """Hear events until the watch is closed; in a thread of its own."""
        wait_s = _FIRST_WAIT_S
        while not self._closed.is_set():
            try:
                wait_s = self._listen(wait_s)
            except RunnerError as e:
                if not self._closed.is_set():
                    events.EVENTS_DEAF.log(_log, error=e)
            self._hears.clear()
            self._look_again(0.0)
            self._closed.wait(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    def _listen(self, wait_s: float) -> float:
        """Hear one stream to its end; return how long to wait for the next."""
        stream = self._stream = self._engine.events(ITEM)
        try:
            return wait_s if self._closed.is_set() else self._told_by(stream, wait_s)
        finally:
            stream.release()

    def _told_by(self, stream: Stream, wait_s: float) -> float:
        self._hears.set()
        self._look_again(0.0)
        for event in stream:
            uid = str((event.get("Actor") or {}).get("ID") or event.get("id"))
            with self._changed:
                handle = self._by_uid.get(uid)
            if handle is not None:
                self._see([handle])
            wait_s = _FIRST_WAIT_S
        return wait_s
