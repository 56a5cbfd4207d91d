"""A few threads that make calls side by side, as servers are mostly waited for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Crew:
    """At most *size* threads, begun when there is work; thread-safe.

    The threads stay, and with each of them its connection. They hold up no program's end.
    """

    def __init__(self, name: str, size: int) -> None:
        self._name, self._size = name, size
        self._lock = threading.Lock()
        self._calls = queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]()
        self._waiting = 0
        self._threads = 0

    def start(self, call: Callable[[], T]) -> Future[T]:
        """Begin *call* as soon as a thread is free."""
        made: Future[T] = Future()
        with self._lock:
            self._waiting += 1
            if self._waiting > self._threads < self._size:
                self._threads += 1
                name = f"{self._name}-{self._threads}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
        self._calls.put((made, call))
        return made

    def each(self, calls: Sequence[Callable[[], object]]) -> None:
        """Make all *calls*, one of them here; when all are over, raise what the first raised."""
        if not calls:
            return
        first, *others = calls
        begun = [self.start(call) for call in others]
        error: BaseException | None = None
        try:
            first()
        except Exception as e:  # noqa: BLE001 - it is raised once the others are over
            error = e
        errors = [error, *(one.exception() for one in begun)]
        for wrong in errors:
            if wrong is not None:
                raise wrong

    def close(self) -> None:
        """End the threads once what was begun is over; nothing may be begun any more."""
        for _ in range(self._size):
            self._calls.put(None)

    def _work(self) -> None:
        while (given := self._calls.get()) is not None:
            made, call = given
            try:
                made.set_result(call())
            except Exception as e:  # noqa: BLE001 - it is raised where the answer is asked for
                made.set_exception(e)
            finally:
                with self._lock:
                    self._waiting -= 1
