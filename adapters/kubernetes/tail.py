"""Following the logs of containers: a stream for each that runs, over a bounded pool of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from launchyard.adapters.kubernetes.client import Cluster, Stream
from launchyard.adapters.kubernetes.errors import KubernetesError
from launchyard.adapters.kubernetes.paths import POD_KIND

_AHEAD_B: Final = 1 << 20
_BREATH_S: Final = 0.5
_QUIET_S: Final = 2.0
_REFUSED: Final = frozenset({400, 404})


@dataclass(frozen=True, slots=True)
class Container:
    """One container of one pod."""

    namespace: str
    pod: str
    uid: str
    name: str


class Tail:
    """What was read of one container's log and not yet taken; thread-safe.

    The API tells of lines and times, never of bytes; so whoever begins anew reads from the
    beginning, and skips what is known.
    """

    def __init__(self, cluster: Cluster, container: Container, start: int) -> None:
        self._cluster, self._container = cluster, container
        self._changed = threading.Condition()
        self._data, self._start = bytearray(), start
        self._stream: Stream | None = None
        self.done = False
        self.last = False
        """Whether the container is over, so that what cannot be had now never will be."""
        self.heard_s = 0.0
        self._closed = False

    def take(self, start: int, most_b: int) -> bytes | None:
        """Return what is there from *start* on; None when that was let go already."""
        with self._changed:
            if not self._start <= start <= self._start + len(self._data):
                return None
            del self._data[: start - self._start]
            self._start = start
            self._changed.notify_all()
            return bytes(self._data[:most_b])

    def wait(self, timeout_s: float) -> None:
        """Wait until something is there, or nothing more will be."""
        with self._changed:
            self._changed.wait_for(lambda: self._data or self.done or self._closed, timeout_s)

    def follow(self) -> None:
        """Read until the container has ended, or `cut` is called."""
        place = POD_KIND.path(self._container.namespace, self._container.pod)
        query = {"container": self._container.name, "follow": "true"}
        with self._changed:
            skip = self._start + len(self._data)
            self.heard_s = time.monotonic()
        try:
            stream = self._stream = self._cluster.stream(f"{place}/log", query)
        except KubernetesError as e:
            # Not begun yet; or gone, and its log with it.
            if e.status in _REFUSED:
                self._settle(done=self.last or e.status == 404)  # noqa: PLR2004 - HTTP's
                return
            raise
        try:
            if self._pour(stream, skip):
                self._settle(done=True)
        finally:
            self._stream = None
            stream.release()

    def cut(self) -> None:
        """Read nothing more for now."""
        stream = self._stream
        if stream is not None:
            stream.cut()

    def close(self) -> None:
        """Read nothing more for ever."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.cut()

    def _settle(self, *, done: bool) -> None:
        with self._changed:
            self.done = done
            self._changed.notify_all()

    def _pour(self, stream: Stream, skip: int) -> bool:
        """Keep what comes; tell whether that was all."""
        for chunk in stream.chunks():
            piece, skip = chunk[skip:], max(skip - len(chunk), 0)
            with self._changed:
                self.heard_s = time.monotonic()
                self._data += piece
                self._changed.notify_all()
                # The log waits on its node for who reads slowly; here it would cost memory.
                while len(self._data) > _AHEAD_B and not self._closed:
                    self._changed.wait(_BREATH_S)
                if self._closed:
                    return False
        return True


class Pool:
    """At most so many streams at a time; one that is quiet makes room for one that waits."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._running: dict[Tail, threading.Thread] = {}
        self._resting: dict[Tail, float] = {}
        self._closed = False

    def ensure(self, tail: Tail) -> None:
        """Have *tail* followed, as soon as there is room."""
        now = time.monotonic()
        with self._lock:
            if self._closed or tail.done or tail in self._running:
                return
            if self._resting.get(tail, 0.0) > now:
                return
            if len(self._running) >= self._most:
                _cut_quietest(self._running, now)
                return
            thread = threading.Thread(target=self._follow, args=(tail,), name="log", daemon=True)
            self._running[tail] = thread
            thread.start()

    def follows(self, tail: Tail) -> bool:
        """Tell whether *tail* is being followed."""
        with self._lock:
            return tail in self._running

    def close(self) -> None:
        """Follow nothing more."""
        with self._lock:
            self._closed = True
            running = dict(self._running)
        for tail in running:
            tail.close()
        for thread in running.values():
            thread.join(1.0)

    def _follow(self, tail: Tail) -> None:
        wait_s = 0.0
        try:
            tail.follow()
            wait_s = _BREATH_S
        except KubernetesError as e:
            wait_s = max(_BREATH_S, e.retry_after_s)
        finally:
            with self._lock:
                self._running.pop(tail, None)
                self._resting = {t: at for t, at in self._resting.items() if at > time.monotonic()}
                if not tail.done:
                    self._resting[tail] = time.monotonic() + wait_s


def _cut_quietest(tails: Iterable[Tail], now: float) -> None:
    quietest = min(tails, key=lambda tail: tail.heard_s)
    if now - quietest.heard_s > _QUIET_S:
        quietest.cut()
