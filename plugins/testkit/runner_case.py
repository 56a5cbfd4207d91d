"""What the contract of runners works with: a compute to try, and ways to drive it."""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import pytest

from launchyard.domain.attempt import ENDS
from launchyard.domain.naming import Owner, labels, target_name
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Handle, Launch, Observation, Runner, Seen

TEXT: Final = b"one\ntwo\nthree\n"
"""What `Work.LINES` writes."""


class Work(StrEnum):
    """What a job of the kit does."""

    SUCCEED = "succeed"
    FAIL = "fail with code 3"
    LONG = "write a line `up`, then run until it is ended"
    LINES = "write the lines one, two and three, and succeed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerCase:
    """A compute to try.

    `make` gives a runner as a new process would make it, over the same compute each time. `plan`
    gives the plan of some work under a name. `elsewhere` submits in another process, where the
    compute can tell.
    """

    make: Callable[[], Runner]
    plan: Callable[[str, Work], Any]
    elsewhere: Callable[[Launch], Handle] | None = None


class RunnerKit(ABC):
    """Ways to begin work and to wait for its end; what was begun ends with the test."""

    timeout_s = 120.0
    grace_s = 5.0

    @pytest.fixture
    @abstractmethod
    def case(self) -> Any:
        """Give, or yield, a `RunnerCase` with nothing running."""

    @pytest.fixture
    def runner(self, case: RunnerCase) -> Iterator[Runner]:
        """Give a runner, and end afterwards what was begun with it."""
        runner = case.make()
        self._begun: list[Handle] = []
        yield runner
        for handle in self._begun:
            runner.cancel(handle, 0.0, Reason.CANCELLED)
            self.end(runner, handle)
            runner.remove(handle)

    def launch(self, case: RunnerCase, work: Work) -> Launch:
        """Return the launch of a new owner's job."""
        owner = Owner(installation="kit", item=str(uuid.uuid4()), attempt=1, agent="kit")
        name = target_name(owner.installation, owner.item, owner.attempt)
        return Launch(
            owner=owner,
            name=name,
            labels=labels(owner, ""),
            plan=case.plan(name, work),
            deadline=boottime() + self.timeout_s,
        )

    def submit(self, runner: Runner, launch: Launch) -> Handle:
        """Submit *launch*, to be ended after the test."""
        handle = runner.submit(launch)
        self._begun.append(handle)
        return handle

    def begin(self, case: RunnerCase, runner: Runner, work: Work) -> Handle:
        """Submit some work of a new owner's."""
        return self.submit(runner, self.launch(case, work))

    def end(self, runner: Runner, handle: Handle) -> Observation:
        """Return the end of what *handle* names, which has to come."""
        watch = runner.watch()
        try:
            watch.add(handle)
            return self.told_end(watch.wait).observation
        finally:
            watch.close()

    def told_end(self, wait: Callable[[float], Any]) -> Seen:
        """Return the first end that is told."""
        until = time.monotonic() + self.timeout_s
        while time.monotonic() < until:
            for seen in wait(until - time.monotonic()):
                if isinstance(seen, Seen) and seen.observation.state in ENDS:
                    return seen
        raise AssertionError("no end was told")

    def log(self, runner: Runner, handle: Handle, start: int = 0) -> bytes:
        """Return the log of what is over from *start* to its end."""
        source, text = runner.log_sources(handle)[0], b""
        until = time.monotonic() + self.timeout_s
        while time.monotonic() < until:
            part = runner.read_log(handle, source, start, 4)
            text, start = text + part.data, part.to
            if part.end:
                return text
        raise AssertionError("the log has no end")

    def log_has(self, runner: Runner, handle: Handle, wanted: bytes) -> None:
        """Wait until the log begins with *wanted*."""
        source = runner.log_sources(handle)[0]
        until = time.monotonic() + self.timeout_s
        watch = runner.watch()
        try:
            while not runner.read_log(handle, source, 0, 1 << 16).data.startswith(wanted):
                assert time.monotonic() < until, f"the log never began with {wanted!r}"
                watch.wait(0.01)
        finally:
            watch.close()


def boottime() -> float:
    """Return the clock of deadlines."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
