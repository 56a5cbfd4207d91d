"""The breaker between an agent and a target: after too many faults in a row nothing is claimed.

It is closed while all is well, open for a wait after too many faults in a row, and then half open:
one attempt is the probe whose start closes it and whose fault opens it again, for twice as long.
Nothing here knows the time: it comes in, in seconds of any clock that goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import CLASS_OF, FailureClass, Reason

_SAY_NOTHING: Final = frozenset(
    {
        Reason.PREEMPTED,
        Reason.HOST_LOST,
        Reason.HOST_REBOOTED,
        Reason.HANDLE_UNKNOWN,
        Reason.NAME_TAKEN,
        Reason.SOURCE_UNREACHABLE,
        Reason.UNSCHEDULABLE,
        Reason.QUOTA_EXCEEDED,
        Reason.EVICTED,
    }
)
"""Reasons of class platform that say nothing of the target as it is now.

They tell of places that are gone, of clusters that do what they promise (also to a job that asks
for more than there is), of a single name, and of somebody else's server.
"""

FAULTS: Final = frozenset(
    reason for reason, of in CLASS_OF.items() if of is FailureClass.PLATFORM
) - _SAY_NOTHING | {Reason.DISK_FULL}
"""What speaks against a target: reasons of class platform, and a machine whose disk is full."""


class CircuitState(StrEnum):
    """CLOSED lets work through, OPEN none, HALF_OPEN one attempt at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitRules:
    """How many faults in a row open it (0: none do), and how long it then waits for a probe.

    By default as many as one item meets before the budgets of its own are spent.
    """

    failures: int = 4
    first_s: float = 30.0
    cap_s: float = 600.0

    def wait_s(self, trips: int) -> float:
        """Return the wait after *trips* openings without a success between them, 1 or more."""
        wait_s = self.first_s
        for _ in range(trips - 1):
            if wait_s >= self.cap_s:
                break
            wait_s *= 2
        return min(wait_s, self.cap_s)


@dataclass(frozen=True, slots=True, order=True)
class Victim:
    """An attempt whose fault was the target's, as it turned out."""

    item: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """The breaker of one target.

    `row` has the attempts of the present row of faults, `trips` counts openings since the last
    success, `until_s` is when a probe may go, `probe` the one that is on its way.
    """

    state: CircuitState = CircuitState.CLOSED
    row: tuple[Victim, ...] = ()
    trips: int = 0
    until_s: float = 0.0
    probe: Victim | None = None
    reason: Reason | None = None
    detail: str = ""

    @property
    def shut(self) -> bool:
        """Whether nothing more is taken now: it is open, or its probe is on its way."""
        return self.state is CircuitState.OPEN or self.probe is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault of the target's, as an attempt met it."""

    victim: Victim
    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """The breaker after a fault; `charged` tells that the fault is charged to the breaker.

    `refunded` are earlier attempts of the row, which were charged as any other until now.
    """

    circuit: Circuit
    charged: bool = False
    refunded: tuple[Victim, ...] = ()


def is_fault(state: AttemptState, reason: Reason | None) -> bool:
    """Tell whether an end speaks against its target."""
    return state is AttemptState.FAILED and reason in FAULTS


def failed(circuit: Circuit, rules: CircuitRules, fault: Fault, now_s: float) -> Judged:
    """Note a fault.

    Once the breaker has opened, the fault that opened it, those before it in the row, and all that
    come until it is closed again are charged to it, and not to what the items may use up.
    """
    if circuit.state is CircuitState.CLOSED:
        row = (*circuit.row, fault.victim) if rules.failures else ()
        if not row or len(row) < rules.failures:
            return Judged(replace(circuit, row=row))
        return Judged(_opened(circuit, rules, fault, now_s), charged=True, refunded=row[:-1])
    if circuit.probe == fault.victim:
        return Judged(_opened(circuit, rules, fault, now_s), charged=True)
    return Judged(circuit, charged=True)


def worked(circuit: Circuit, victim: Victim) -> Circuit:
    """Note that the target started an attempt; of an open breaker only its probe says enough."""
    if circuit.state is CircuitState.CLOSED:
        return replace(circuit, row=()) if circuit.row else circuit
    return Circuit() if circuit.probe == victim else circuit


def waited(circuit: Circuit, now_s: float) -> Circuit:
    """Return the breaker at *now_s*: half open once the wait is over."""
    if circuit.state is CircuitState.OPEN and now_s >= circuit.until_s:
        return replace(circuit, state=CircuitState.HALF_OPEN)
    return circuit


def took(circuit: Circuit, victim: Victim) -> Circuit:
    """Note that an attempt was taken on; the first one of a half open breaker is its probe."""
    if circuit.state is CircuitState.HALF_OPEN and circuit.probe is None:
        return replace(circuit, probe=victim)
    return circuit


def gone(circuit: Circuit, victim: Victim) -> Circuit:
    """Note that an attempt came to nothing that says anything of the target: another may probe."""
    return replace(circuit, probe=None) if circuit.probe == victim else circuit


def _opened(circuit: Circuit, rules: CircuitRules, fault: Fault, now_s: float) -> Circuit:
    trips = circuit.trips + 1
    return Circuit(
        state=CircuitState.OPEN,
        trips=trips,
        until_s=now_s + rules.wait_s(trips),
        reason=fault.reason,
        detail=fault.detail,
    )
