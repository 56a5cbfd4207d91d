"""Whether an attempt that ended badly is followed by another one, and when.

Every kind of failure has a budget of its own, so that a cluster's preemptions never use up what
was meant for a flaky network. Nothing here knows the time or rolls dice: both come in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from launchyard.domain.attempt import AttemptState
from launchyard.domain.circuit import is_fault
from launchyard.domain.reason import CLASS_OF, FailureClass, Reason

S = AttemptState


class Budget(StrEnum):
    """What a retry is charged to: the class of the failure, or one of four kinds beside them.

    EXIT_CODE pays for codes that the policy lists, PREEMPTED for machines that were taken away,
    LOST for attempts that nobody can find any more, CIRCUIT for faults of a target that failed
    others as well, so that its agent keeps off it.
    """

    USER = "user"
    BUILD = "build"
    PLATFORM = "platform"
    AGENT = "agent"
    POLICY = "policy"
    EXIT_CODE = "exit_code"
    PREEMPTED = "preempted"
    LOST = "lost"
    CIRCUIT = "circuit"


DEFAULT_BUDGETS: Final[Mapping[Budget, int]] = MappingProxyType(
    {
        Budget.USER: 0,
        Budget.BUILD: 0,
        Budget.PLATFORM: 3,
        Budget.AGENT: 3,
        Budget.POLICY: 0,
        Budget.EXIT_CODE: 3,
        Budget.PREEMPTED: 10,
        Budget.LOST: 0,
        Budget.CIRCUIT: 20,
    }
)
"""How many retries each kind has where nobody says otherwise: what is not the user's own fault.

LOST has none, because a lost attempt may still be running somewhere (PROTOCOL 3.6).
"""

WANTED_ENDS: Final = frozenset({S.SUCCEEDED, S.CANCELLED, S.REJECTED})
"""Ends that somebody wanted: no policy makes another attempt of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long a retry waits: `first_s`, times `factor` for each one before it, up to `cap_s`.

    Up to `jitter` (0 to 1) of that is taken off by chance, so that a thousand items that failed
    together do not come back together.
    """

    first_s: float = 10.0
    factor: float = 2.0
    cap_s: float = 600.0
    jitter: float = 0.2

    def delay_s(self, retries: int, random: float) -> float:
        """Return how long to wait after *retries* earlier ones; *random* is from 0 up to 1."""
        wait_s = self.first_s
        for _ in range(retries):
            if wait_s >= self.cap_s:  # and before the number outgrows a float
                break
            wait_s *= self.factor
        return min(wait_s, self.cap_s) * (1 - self.jitter * random)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """What is tried again. `may_override` is the queue's word on its items' own policies."""

    budgets: Mapping[Budget, int] = field(default_factory=lambda: DEFAULT_BUDGETS)
    retry_codes: tuple[int, ...] = ()
    never_codes: tuple[int, ...] = ()
    backoff: Backoff = field(default_factory=Backoff)
    may_override: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How an attempt ended; `cancelled` means that its end had been asked for.

    `circuit` means that the agent's breaker took the blame, which only counts for faults.
    """

    state: AttemptState
    reason: Reason | None
    at_ms: int
    exit_code: int | None = None
    cancelled: bool = False
    circuit: bool = False


class Why(StrEnum):
    """Why there is no further attempt."""

    WANTED = "wanted"
    NEVER_CODE = "never_code"
    BUDGET_SPENT = "budget_spent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Another attempt, not before a moment; `number` counts the retries of this budget from 1."""

    budget: Budget
    number: int
    of: int
    not_before_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """No further attempt. `budget` is the one that has nothing left, for BUDGET_SPENT."""

    why: Why
    budget: Budget | None = None


def decide(policy: RetryPolicy, history: Sequence[Budget], end: End, random: float) -> Retry | Stop:
    """Say what follows *end*; *history* has what each earlier retry was charged to.

    *random* is from 0 up to 1 and moves the moment within the policy's jitter.
    """
    if end.state in WANTED_ENDS or end.cancelled:
        return Stop(why=Why.WANTED)
    budget = budget_of(policy, end)
    if budget is None:
        return Stop(why=Why.NEVER_CODE)
    used, most = sum(spent is budget for spent in history), policy.budgets[budget]
    if used >= most:
        return Stop(why=Why.BUDGET_SPENT, budget=budget)
    wait_ms = round(policy.backoff.delay_s(used, random) * 1000)
    return Retry(budget=budget, number=used + 1, of=most, not_before_ms=end.at_ms + wait_ms)


def budget_of(policy: RetryPolicy, end: End) -> Budget | None:
    """Return what a retry after *end* is charged to; None for a code that is never retried."""
    if end.state is S.LOST:
        return Budget.LOST
    if end.state is S.PREEMPTED or end.reason is Reason.PREEMPTED:
        return Budget.PREEMPTED
    if end.circuit and is_fault(end.state, end.reason):
        return Budget.CIRCUIT
    if end.exit_code is not None and end.exit_code in policy.never_codes:
        return None
    if end.exit_code is not None and end.exit_code in policy.retry_codes:
        return Budget.EXIT_CODE
    return Budget(failure_class(end).value)


def failure_class(end: End) -> FailureClass:
    """Return who has to act on *end*; without a reason a time limit is a policy, else the user."""
    if end.reason is not None:
        return CLASS_OF[end.reason]
    return FailureClass.POLICY if end.state is S.TIMED_OUT else FailureClass.USER
