"""The breaker between an agent and a target."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.attempt import AttemptState
from launchyard.domain.circuit import (
    FAULTS,
    Circuit,
    CircuitRules,
    CircuitState,
    Fault,
    Judged,
    Victim,
    failed,
    gone,
    is_fault,
    took,
    waited,
    worked,
)
from launchyard.domain.reason import CLASS_OF, FailureClass, Reason
from launchyard.domain.retry import Budget, End, Retry, RetryPolicy, decide

S = AttemptState
RULES = CircuitRules(failures=3, first_s=10, cap_s=60)
PLATFORM = [r for r in Reason if CLASS_OF[r] is FailureClass.PLATFORM]
A, B, C, D = (Victim(name, 1) for name in "abcd")


def fault(victim: Victim) -> Fault:
    """Return a fault that *victim* met."""
    return Fault(victim=victim, reason=Reason.SUBMIT_FAILED, detail="no")


def tripped(now_s: float = 0) -> Judged:
    """Return what three faults in a row make of a closed breaker."""
    circuit = Circuit()
    for victim in (A, B):
        circuit = failed(circuit, RULES, fault(victim), now_s).circuit
    return failed(circuit, RULES, fault(C), now_s)


def test_faults_are_the_platforms_and_full_disks() -> None:
    """A user's failure, a bad build or what a cluster does by design opens nothing."""
    assert {Reason.SUBMIT_FAILED, Reason.TARGET_UNREACHABLE, Reason.DISK_FULL} == FAULTS
    assert FAULTS - {Reason.DISK_FULL} <= set(PLATFORM)
    assert is_fault(S.FAILED, Reason.SUBMIT_FAILED)
    assert not is_fault(S.LOST, Reason.SUBMIT_FAILED)
    assert not is_fault(S.FAILED, None)


def test_a_row_of_faults_opens_it_and_takes_all_blame() -> None:
    """The last of the row is charged to the breaker, and those before it are given back."""
    judged = tripped(now_s=100)
    assert (judged.charged, judged.refunded) == (True, (A, B))
    circuit = judged.circuit
    assert (circuit.state, circuit.until_s, circuit.trips) == (CircuitState.OPEN, 110, 1)
    assert circuit.shut


def test_one_that_worked_breaks_the_row() -> None:
    """Faults count in a row alone."""
    circuit = failed(Circuit(), RULES, fault(A), 0).circuit
    circuit = failed(circuit, RULES, fault(B), 0).circuit
    circuit = worked(circuit, D)
    judged = failed(circuit, RULES, fault(C), 0)
    assert judged == Judged(Circuit(row=(C,)))


def test_only_the_probe_tells_how_an_open_one_goes_on() -> None:
    """What was on its way before it opened neither closes it nor lengthens its wait."""
    circuit = tripped().circuit
    assert worked(circuit, D) == circuit
    late = failed(circuit, RULES, fault(D), 5)
    assert late == Judged(circuit, charged=True)
    assert waited(circuit, 9.9) == circuit
    half = waited(circuit, 10)
    assert (half.state, half.shut) == (CircuitState.HALF_OPEN, False)
    probing = took(half, A)
    assert probing.shut
    assert took(probing, B).probe == A
    assert worked(probing, B) == probing
    assert worked(probing, A) == Circuit()


def test_a_probe_that_fails_doubles_the_wait_up_to_the_longest() -> None:
    """And one that came to nothing by itself makes room for another."""
    circuit, now, waits = tripped().circuit, 0.0, []
    for _ in range(5):
        waits.append(circuit.until_s - now)
        now = circuit.until_s
        circuit = failed(took(waited(circuit, now), A), RULES, fault(A), now).circuit
    assert waits == [10, 20, 40, 60, 60]
    half = took(waited(circuit, circuit.until_s), A)
    assert gone(half, B) == half
    assert took(gone(half, A), B).probe == B


def test_it_can_be_switched_off() -> None:
    """With no number of failures nothing is counted."""
    off = CircuitRules(failures=0)
    assert failed(Circuit(row=(A,)), off, fault(B), 0) == Judged(Circuit())


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["failed", "worked", "gone", "took", "waited"]),
        st.sampled_from([A, B, C, D]),
        st.floats(0, 100),
    ),
    max_size=60,
)


@given(STEPS, st.integers(0, 5))
def test_whatever_happens_it_stays_in_its_bounds(
    steps: list[tuple[str, Victim, float]], most: int
) -> None:
    """The row is shorter than the limit, waits are bounded, only a half open one has a probe.

    Every fault is charged to the breaker or is in the row, so that none is forgotten; and from
    every state a wait, a probe and its success lead back to where all began.
    """
    rules = CircuitRules(failures=most, first_s=1, cap_s=60)
    circuit, now = Circuit(), 0.0
    for what, victim, later in steps:
        now += later
        match what:
            case "failed":
                judged = failed(circuit, rules, fault(victim), now)
                assert judged.charged or not most or judged.circuit.row[-1] == victim
                assert judged.charged or not judged.refunded
                circuit = judged.circuit
            case "waited":
                circuit = waited(circuit, now)
            case _:
                circuit = {"worked": worked, "gone": gone, "took": took}[what](circuit, victim)
        assert len(circuit.row) < max(1, most)
        assert circuit.until_s <= now + 60
        assert circuit.probe is None or circuit.state is CircuitState.HALF_OPEN
        assert (circuit.state is CircuitState.CLOSED) == (circuit.trips == 0)
    probing = took(waited(circuit, now + 60), D)
    assert worked(probing, probing.probe or D) == Circuit()


@pytest.mark.parametrize("reason", list(Reason))
def test_what_the_breaker_takes_costs_the_item_nothing_else(reason: Reason) -> None:
    """It has a budget of its own, which an agent's word opens for faults alone."""
    ended = End(state=S.FAILED, reason=reason, at_ms=0, circuit=True)
    policy = RetryPolicy(budgets=dict.fromkeys(Budget, 0) | {Budget.CIRCUIT: 20})
    decision = decide(policy, [], ended, 0)
    assert isinstance(decision, Retry) == (reason in FAULTS)


@pytest.mark.parametrize("reason", sorted(FAULTS))
def test_one_item_alone_opens_it_before_its_own_budgets_are_spent(reason: Reason) -> None:
    """By the defaults a broken target kills no item, not even the only one that there is."""
    circuit, history = Circuit(), list[Budget]()
    for attempt in range(1, 10):
        if circuit.trips:
            break
        judged = failed(
            circuit, CircuitRules(), Fault(victim=Victim("a", attempt), reason=reason), 0
        )
        ended = End(state=S.FAILED, reason=reason, at_ms=0, circuit=judged.charged)
        decision = decide(RetryPolicy(), history, ended, 0)
        assert isinstance(decision, Retry)
        circuit, history = judged.circuit, [*history, decision.budget]
    assert [victim.attempt for victim in judged.refunded] == list(range(1, len(history)))
    assert history[-1] is Budget.CIRCUIT
