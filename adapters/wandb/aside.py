"""Calls that block, made in a thread of their own, so that waiting for them can end."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from launchyard.domain.reason import Reason
from launchyard.ports.source import SourceError

_TICK_S: Final = 0.05
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """When to stop: at a moment of the monotonic clock, or once *cancelled* answers true."""

    deadline_s: float
    cancelled: Callable[[], bool] = field(default=lambda: False)
    what: str = "the job"

    def check(self) -> None:
        """Raise `SourceError` when it is time."""
        if self.cancelled():
            raise SourceError(f"fetching {self.what} was cancelled", reason=Reason.CANCELLED)
        if self.left_s() <= 0:
            text = f"{self.what} did not arrive in time"
            raise SourceError(text, reason=Reason.SOURCE_UNREACHABLE, retry=True)

    def left_s(self) -> float:
        """Return how long there is left."""
        return self.deadline_s - time.monotonic()

    def rest(self, pause_s: float) -> None:
        """Let *pause_s* pass, unless it is time to stop before."""
        end = time.monotonic() + pause_s
        while (left_s := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left_s, _TICK_S))


class Aside:
    """One thread that makes one call after another for one caller.

    A call that is no longer waited for goes on until its own time-out; `stopped` tells it so.
    """

    def __init__(self) -> None:
        self._calls = queue.SimpleQueue[Callable[[], Any] | None]()
        self._answers = queue.SimpleQueue[tuple[Any, BaseException | None]]()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="wandb-jobs", daemon=True)
        self._thread.start()

    def stopped(self) -> bool:
        """Whether nobody waits any longer."""
        return self._stopped.is_set()

    def wait(self, call: Callable[[], T], until: Until) -> T:
        """Return what *call* gives or raise what it raises; or raise when it is time to stop."""
        until.check()
        self._calls.put(call)
        while True:
            try:
                value, error = self._answers.get(timeout=_TICK_S)
            except queue.Empty:
                until.check()
                continue
            if error is not None:
                raise error
            made: T = value
            return made

    def close(self) -> None:
        """End the thread, now or when its call ends."""
        self._stopped.set()
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None and not self._stopped.is_set():
            try:
                self._answers.put((call(), None))
            except Exception as e:  # noqa: BLE001 - it is raised where the call was asked for
                self._answers.put((None, e))
