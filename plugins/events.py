"""Passing events on to plugins, each in a thread of its own, and never at a job's expense."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from typing import Final

from launchyard.domain.review import JobEvent
from launchyard.plugins.guard import StrangerError
from launchyard.plugins.manager import Plugins
from launchyard.plugins.row import Row
from launchyard.ports import families
from launchyard.ports.metrics import Metrics

MOST: Final = 1000
"""Events that may wait for one plugin; of more, the oldest are dropped and counted."""


class Receivers:
    """The plugins that listen. Thread-safe."""

    def __init__(self, plugins: Plugins, metrics: Metrics | None, limit_s: float) -> None:
        rows = plugins.rows_with("job_event")
        self._receivers = tuple(_Receiver(plugins, row, metrics, limit_s) for row in rows)

    def __len__(self) -> int:
        return len(self._receivers)

    def put(self, event: JobEvent) -> None:
        """Pass *event* on; returns at once."""
        for receiver in self._receivers:
            receiver.put(event)

    def close(self, timeout_s: float) -> None:
        """Let each hear what it has not heard yet, all together for at most *timeout_s*."""
        for receiver in self._receivers:
            receiver.finish()
        for receiver in self._receivers:
            receiver.ended.wait(timeout_s)


class _Receiver:
    def __init__(self, plugins: Plugins, row: Row, metrics: Metrics | None, limit_s: float) -> None:
        self._plugins, self._row = plugins, row
        self._metrics, self._limit_s = metrics, limit_s
        self._waiting: deque[JobEvent] = deque()
        self._changed = threading.Condition()
        self._begun = self._finishing = False
        self.ended = threading.Event()

    def put(self, event: JobEvent) -> None:
        with self._changed:
            if self._row.state != "on":
                self._count("dropped")
                return
            if len(self._waiting) >= MOST:
                self._waiting.popleft()
                self._count("dropped")
            self._waiting.append(event)
            if not self._begun:
                self._begun = True
                name = f"events-{self._row.name}"
                threading.Thread(target=self._run, name=name, daemon=True).start()
            self._changed.notify()

    def finish(self) -> None:
        with self._changed:
            self._finishing = True
            if not self._begun:
                self.ended.set()
            self._changed.notify()

    def _run(self) -> None:
        try:
            while (event := self._next()) is not None:
                self._tell(event)
        finally:
            self.ended.set()

    def _next(self) -> JobEvent | None:
        with self._changed:
            while not self._waiting:
                if self._finishing:
                    return None
                self._changed.wait()
            return self._waiting.popleft()

    def _tell(self, event: JobEvent) -> None:
        try:
            self._plugins.ask(self._row, "job_event", self._limit_s, event=event)
        except StrangerError:
            self._count("failed")
        else:
            self._count("told")

    def _count(self, result: str) -> None:
        if self._metrics is not None:
            labels: Mapping[str, str] = {"plugin": self._row.name, "result": result}
            self._metrics.count(families.PLUGIN_EVENTS, labels)
