"""Noticing ends: one epoll over the processes of everything that is watched."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from launchyard.ports.runner import Handle, Observation, Seen


@dataclass(frozen=True, slots=True)
class Standing:
    """How a thing stands, and while it runs a pidfd that fires at its next change."""

    observation: Observation
    pidfd: int | None = None


class LocalWatch:
    """A `Watch` over processes; *look* says how a handle stands, and its pidfd is ours then."""

    def __init__(self, look: Callable[[Handle], Standing]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._pidfds: dict[Handle, int | None] = {}  # None: its end waits to be told
        self._handles: dict[int, Handle] = {}
        self._untold: list[Seen] = []
        self._epoll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._bell, select.EPOLLIN)

    def add(self, handle: Handle) -> None:
        with self._lock:
            if handle in self._pidfds:
                return
            standing = self._look(handle)
            self._hold(handle, standing)
            self._untold.append(Seen(handle, standing.observation))
        self.wake()

    def discard(self, handle: Handle) -> None:
        with self._lock:
            fd = self._pidfds.pop(handle, None)
            if fd is not None:
                self._release(fd)
            self._untold = [seen for seen in self._untold if seen.handle != handle]

    def wait(self, timeout_s: float | None) -> Sequence[Seen]:
        fired = dict(self._epoll.poll(0 if self._untold else timeout_s))
        if fired.pop(self._bell, None) is not None:
            with suppress(BlockingIOError):
                os.eventfd_read(self._bell)
        with self._lock:
            for fd in fired:
                self._changed(fd)
            told, self._untold = self._untold, []
            for seen in told:
                if self._pidfds.get(seen.handle, 0) is None:
                    del self._pidfds[seen.handle]
        return told

    def wake(self) -> None:
        with suppress(OSError):
            os.eventfd_write(self._bell, 1)

    def close(self) -> None:
        with self._lock:
            for fd in self._handles:
                os.close(fd)
            self._handles.clear()
            self._pidfds.clear()
            self._epoll.close()
            os.close(self._bell)

    def _changed(self, fd: int) -> None:
        """Tell an end, or watch what has outlived its wrapper."""
        handle = self._handles.get(fd)
        if handle is None:
            return  # discarded meanwhile
        self._release(fd)
        standing = self._look(handle)
        self._hold(handle, standing)
        if standing.pidfd is None:
            self._untold.append(Seen(handle, standing.observation))

    def _hold(self, handle: Handle, standing: Standing) -> None:
        self._pidfds[handle] = standing.pidfd
        if standing.pidfd is not None:
            self._handles[standing.pidfd] = handle
            self._epoll.register(standing.pidfd, select.EPOLLIN)

    def _release(self, fd: int) -> None:
        del self._handles[fd]
        self._epoll.unregister(fd)
        os.close(fd)
