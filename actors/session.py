"""What the actors of the main process share: the server, the clocks, the leases, the troubles."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from launchyard.actors.alarms import Alarms
from launchyard.actors.refusals import StandingBook
from launchyard.domain.exchange import Caller, LeaseRef
from launchyard.ports import events
from launchyard.ports.agent_status import ErrorView
from launchyard.ports.clock import Clock
from launchyard.ports.launch_server import LaunchServer, ServerError, StaleAgentError
from launchyard.ports.metrics import Metrics

T = TypeVar("T")
_log = logging.getLogger(__name__)
_MOST_WAIT_S: Final = 10.0


class LeaseBook:
    """The leases that this agent lists, and until when they hold; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._leases: dict[str, LeaseRef] = {}
        self._deadline = 0.0

    def keep(self, lease: LeaseRef) -> None:
        """List *lease* from now on, instead of an older one of its item."""
        with self._lock:
            self._leases[lease.item] = lease

    def drop(self, item: str) -> None:
        """List it no more."""
        with self._lock:
            self._leases.pop(item, None)

    def listed(self) -> tuple[LeaseRef, ...]:
        """Return what a heartbeat says."""
        with self._lock:
            return tuple(self._leases.values())

    @property
    def deadline(self) -> float:
        """Until when the leases hold, on CLOCK_BOOTTIME."""
        return self._deadline

    def renew(self, deadline: float) -> None:
        """Note a later deadline."""
        with self._lock:
            self._deadline = max(self._deadline, deadline)
            self._lock.notify_all()

    def wait_valid(self, clock: Clock, timeout_s: float) -> bool:
        """Wait until the leases hold; tell whether they do."""
        with self._lock:
            return self._lock.wait_for(lambda: clock.boottime() < self._deadline, timeout_s)


class Board:
    """The latest trouble of each sort, for people; a success takes it down. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._errors: dict[str, ErrorView] = {}

    def put(self, where: str, message: str) -> None:
        """Note a trouble; the log tells of it the first time only."""
        now = self._clock.now_ms()
        with self._lock:
            before = self._errors.get(where)
            again = before is not None and before.message == message
            times = before.times + 1 if before is not None and again else 1
            self._errors[where] = ErrorView(where=where, message=message, at_ms=now, times=times)
        if not again:
            events.TROUBLE.log(_log, where=where, what=message)

    def clear(self, where: str) -> None:
        """Note that it works again."""
        with self._lock:
            gone = self._errors.pop(where, None)
        if gone is not None:
            events.TROUBLE_OVER.log(_log, where=where)

    def has(self, where: str) -> bool:
        """Tell whether this sort of trouble stands."""
        with self._lock:
            return where in self._errors

    def views(self) -> tuple[ErrorView, ...]:
        """Return all troubles."""
        with self._lock:
            return tuple(self._errors.values())


@dataclass(frozen=True, slots=True)
class Fatal:
    """Why the agent cannot go on, and its exit code."""

    message: str
    code: int


@dataclass(slots=True)
class Session:
    """Shared by the main process's actors; all parts are thread-safe.

    `caller` is set once, before any actor that needs it is told anything. `leaving` is set when the
    server is told goodbye, and `quit` when the process is about to end: no wait outlasts it.
    `fatal` hears of what ends the agent.
    """

    server: LaunchServer
    clock: Clock
    metrics: Metrics
    alarms: Alarms
    fatal: Callable[[Fatal], None]
    caller: Caller = field(default_factory=lambda: Caller(agent="", epoch=0))
    installation: str = ""
    ttl_s: float = 45.0
    leases: LeaseBook = field(default_factory=LeaseBook)
    standing: StandingBook = field(default_factory=StandingBook)
    quit: threading.Event = field(default_factory=threading.Event)
    leaving: threading.Event = field(default_factory=threading.Event)
    board: Board = field(init=False)

    def __post_init__(self) -> None:
        self.board = Board(self.clock)

    def attempt(self, where: str, call: Callable[[], T]) -> T:
        """Make one call to the server; note its trouble, and stop the agent when it is stale.

        Once it has begun to take its leave that is what calls in flight are to be told.

        Raises:
            ServerError: as the call did.
        """
        try:
            answer = call()
        except StaleAgentError as e:
            if not self.leaving.is_set():
                self.fatal(Fatal(f"{e}; this one stops and touches nothing more", 1))
            raise
        except ServerError as e:
            self.board.put(where, f"{e}. {e.remedy}" if e.remedy else str(e))
            raise
        self.board.clear(where)
        return answer

    def patiently(self, where: str, call: Callable[[], T]) -> T | None:
        """Repeat *call* while a repeat may help; None when the process ends meanwhile.

        Raises:
            ServerError: a repeat would not help.
        """
        wait = Backoff()
        while not self.quit.is_set():
            try:
                return self.attempt(where, call)
            except ServerError as e:
                if not e.retry:
                    raise
            self.quit.wait(wait.next_s())
        return None


class Backoff:
    """Waits that double, with jitter, so that agents do not come back all at once."""

    def __init__(self, first_s: float = 0.25, most_s: float = _MOST_WAIT_S) -> None:
        self._first_s, self._most_s = first_s, most_s
        self._next_s = first_s

    def next_s(self) -> float:
        """Return how long to wait now."""
        wait_s, self._next_s = self._next_s, min(self._next_s * 2, self._most_s)
        return wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter is no secret

    def reset(self) -> None:
        """Begin anew after a success."""
        self._next_s = self._first_s
