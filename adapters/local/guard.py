"""Keeping the log of a job that writes without end from filling the disk."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from launchyard.adapters.local.agenda import Agenda

_SLACK_B: Final = 1024 * 1024


class LogGuard:
    """Cuts logs that have grown far beyond what will ever be shipped; looks now and then.

    A log is cut back to its quota, which nobody reads beyond, once it is twice as long. Between
    two looks a job can write as fast as the disk takes it.
    """

    def __init__(self, agenda: Agenda, every_s: float) -> None:
        self._agenda = agenda
        self._every_s = every_s
        self._lock = threading.Lock()
        self._logs: dict[str, int] = {}
        self._armed = False

    def __contains__(self, log: str) -> bool:
        return log in self._logs

    def add(self, log: str, quota_b: int) -> None:
        """Look after *log* while its job runs."""
        with self._lock:
            self._logs[log] = quota_b
            armed, self._armed = self._armed, True
        if not armed:
            self._agenda.add(self._every_s, self._look)

    def discard(self, log: str) -> None:
        """Look no longer after *log*."""
        with self._lock:
            self._logs.pop(log, None)

    def _look(self) -> float | None:
        with self._lock:
            logs = dict(self._logs)
            self._armed = bool(logs)
        for log, quota_b in logs.items():
            with suppress(FileNotFoundError):
                if Path(log).stat().st_size > 2 * quota_b + _SLACK_B:
                    os.truncate(log, quota_b)
        return self._every_s if logs else None
