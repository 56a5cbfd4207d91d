"""Whose turn it is to be read: many logs, and a bounded number of threads and streams."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from typing import Final

from launchyard.adapters.kubernetes.errors import KubernetesError
from launchyard.adapters.kubernetes.tail import NEAR_S, Tail

_BREATH_S: Final = 0.5
_LONGEST_S: Final = 30.0
_QUIET_S: Final = 10.0
_IDLE_S: Final = 5.0
_VISIT_S: Final = 0.25


class _Line:
    """Logs that wait for their turn, by the time from which on it may come."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Tail]] = []
        self._number = 0

    def put(self, tail: Tail, due: float) -> None:
        self._number += 1
        heapq.heappush(self._heap, (due, self._number, tail))

    def pop(self, now: float) -> Tail | None:
        """Return the first whose time has come."""
        return heapq.heappop(self._heap)[2] if self._heap and self._heap[0][0] <= now else None

    @property
    def due(self) -> float:
        return self._heap[0][0] if self._heap else float("inf")


class Pool:
    """Reads at most so many logs at a time, new ones first; *over* hears of what was read.

    While all threads follow logs, the others are visited one after another, four in a second
    together; one that had something to say takes the place of one that is quiet. What *over* tells
    to be of no more interest here is not read again.
    """

    def __init__(self, most: int, over: Callable[[Tail], bool]) -> None:
        self._most, self._over = most, over
        self._lock = threading.Lock()
        self._work, self._crowd = threading.Condition(self._lock), threading.Condition(self._lock)
        self._fresh, self._again = _Line(), _Line()
        self._known: set[Tail] = set()
        self._running: set[Tail] = set()
        self._threads: set[threading.Thread] = set()
        self._idle = 0
        self._visitor: threading.Thread | None = None
        self._closed = False

    def want(self, tail: Tail, after_s: float = 0.0) -> None:
        """Have *tail* read, not before *after_s* have passed; asking again changes nothing."""
        with self._lock:
            if not self._closed and tail not in self._known:
                self._known.add(tail)
                self._fresh.put(tail, time.monotonic() + after_s)
                self._call()

    def close(self) -> None:
        """Read nothing more."""
        with self._lock:
            self._closed = True
            running = tuple(self._running)
            threads = (*self._threads, *((self._visitor,) if self._visitor else ()))
            self._work.notify_all()
            self._crowd.notify_all()
        for tail in running:
            tail.close()
        for thread in threads:
            thread.join(1.0)

    def _call(self) -> None:
        """See to it that somebody looks at the lines."""
        if self._idle:
            self._work.notify()
        elif len(self._threads) < self._most:
            thread = threading.Thread(target=self._serve, name="log", daemon=True)
            self._threads.add(thread)
            thread.start()
        else:
            self._call_visitor()

    def _call_visitor(self) -> None:
        if self._visitor is None:
            self._visitor = threading.Thread(target=self._visit, name="log-visitor", daemon=True)
            self._visitor.start()
        self._crowd.notify()

    def _serve(self) -> None:
        """Follow one log after another; in a thread that ends when there are none."""
        while (tail := self._next()) is not None:
            wait_s = _read(tail, follow=True)
            with self._lock:
                self._running.discard(tail)
                left = self._put_back(tail, wait_s)
            if left:
                tail.tell()

    def _next(self) -> Tail | None:
        with self._lock:
            until = time.monotonic() + _IDLE_S
            while not self._closed:
                now = time.monotonic()
                tail = self._pop(now)
                if tail is not None:
                    self._running.add(tail)
                    if min(self._fresh.due, self._again.due) < float("inf"):
                        self._call()  # somebody else sees to the next one
                    return tail
                if not self._known - self._running and now >= until:
                    break
                self._idle += 1
                self._work.wait(min(self._fresh.due, self._again.due, now + _IDLE_S) - now)
                self._idle -= 1
            self._threads.discard(threading.current_thread())
            return None

    def _pop(self, now: float) -> Tail | None:
        """Return who is next, the right to read being taken."""
        while (tail := self._fresh.pop(now) or self._again.pop(now)) is not None:
            if tail.claim():
                return tail
            self._known.discard(tail)
        return None

    def _put_back(self, tail: Tail, wait_s: float) -> bool:
        """Have a log wait for its next turn; true if it is to be read elsewhere."""
        tail.release()
        left = tail.wants and self._over(tail)
        if left or not tail.wants:
            self._known.discard(tail)
            return left
        self._again.put(tail, time.monotonic() + wait_s)
        self._call()
        return False

    def _visit(self) -> None:
        """Look in on those that nobody follows, as long as everybody is busy."""
        while True:
            with self._lock:
                self._crowd.wait_for(lambda: self._closed or self._is_crowded())
                tail = None if self._closed else self._pop(time.monotonic())
                if self._closed:
                    return
            if tail is not None:
                self._look_in(tail)
            with self._lock:
                self._crowd.wait_for(lambda: self._closed, _VISIT_S)

    def _is_crowded(self) -> bool:
        due = min(self._fresh.due, self._again.due)
        return len(self._running) >= self._most and due < float("inf")

    def _look_in(self, tail: Tail) -> None:
        before = tail.heard_b
        wait_s = _read(tail, follow=False)
        with self._lock:
            quiet = min(self._running, key=lambda one: one.heard_s, default=None)
            late_s = time.monotonic() - quiet.heard_s if quiet is not None else 0.0
            if tail.heard_b > before and late_s > _QUIET_S and tail.wants:
                tail.release()
                self._fresh.put(tail, 0.0)
                left = False
            else:
                left, quiet = self._put_back(tail, wait_s), None
        if left:
            tail.tell()
        if quiet is not None:
            quiet.cut()


def _read(tail: Tail, *, follow: bool) -> float:
    """Read a log; return how long to leave it alone, longer and longer while that is in vain."""
    before, asked_s = tail.heard_b, 0.0
    try:
        tail.read(follow=follow)
    except KubernetesError as e:
        asked_s = e.retry_after_s
    if tail.paused:
        asked_s = NEAR_S  # news of its container's end may be on their way
    tail.tries = 0 if tail.heard_b > before or tail.was_cut else min(tail.tries + 1, 10)
    return max(min(_BREATH_S * 2.0**tail.tries, _LONGEST_S), asked_s)
