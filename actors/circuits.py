"""The breakers of this agent's targets, and who hears of them; `domain.circuit` has the rules."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from launchyard.actors.session import Session
from launchyard.domain.attempt import AttemptState
from launchyard.domain.attempts import Attempt
from launchyard.domain.circuit import (
    Circuit,
    CircuitRules,
    CircuitState,
    Fault,
    Victim,
    failed,
    gone,
    is_fault,
    took,
    waited,
    worked,
)
from launchyard.domain.exchange import Fact, Refusal
from launchyard.domain.why import WaitReason
from launchyard.ports import events, families
from launchyard.ports.agent_status import CircuitView

_log = logging.getLogger(__name__)
CIRCUIT: Final = "circuit:"
_REASON: Final = WaitReason.CIRCUIT_OPEN.value
_GAUGE: Final[Mapping[CircuitState, int]] = {
    CircuitState.CLOSED: 0,
    CircuitState.OPEN: 1,
    CircuitState.HALF_OPEN: 2,
}
_MOST_DETAIL: Final = 300


class Circuits:
    """One breaker per target; called by the supervisor, in its thread.

    They are closed when the agent starts: a target that is still broken opens its own again.
    """

    def __init__(
        self, session: Session, targets: tuple[str, ...], wake: Callable[[str], None]
    ) -> None:
        self._session, self._wake = session, wake
        self._circuits = dict.fromkeys(targets, Circuit())
        for target in targets:
            self._show(target, Circuit())

    @property
    def views(self) -> tuple[CircuitView, ...]:
        """What people see of the breakers."""
        return tuple(
            CircuitView(
                target=target,
                state=circuit.state.value,
                failures=len(circuit.row),
                trips=circuit.trips,
                detail=_words(circuit, self._moment(circuit)),
            )
            for target, circuit in list(self._circuits.items())
        )

    def hear(self, before: Attempt, row: Attempt, news: Fact, rules: CircuitRules) -> Fact:
        """Judge what became of *row*; return what the server is told of it."""
        target, victim = row.grant.resource, _victim(row)
        circuit = self._circuits.get(target)
        if circuit is None:
            return news
        if row.reason is not None and not before.ended and is_fault(row.state, row.reason):
            fault = Fault(victim=victim, reason=row.reason, detail=row.detail)
            judged = failed(circuit, rules, fault, self._session.clock.boottime())
            self._set(target, judged.circuit)
            return replace(news, circuit=judged.charged, refunds=judged.refunded)
        runs = row.running_ms is not None and before.running_ms is None
        if runs or row.suspended or row.state is AttemptState.SUCCEEDED:
            self._set(target, worked(circuit, victim))
        elif row.ended:
            self._set(target, gone(circuit, victim))
        return news

    def holds(self, row: Attempt) -> bool:
        """Tell whether *row* must not go to its target now; the first that may is the probe."""
        circuit = self._circuits.get(row.grant.resource)
        if circuit is None or circuit.state is CircuitState.CLOSED:
            return False
        circuit = took(circuit, _victim(row))
        self._set(row.grant.resource, circuit)
        return circuit.probe != _victim(row)

    def look(self, rows: Mapping[str, Attempt], rules: CircuitRules) -> None:
        """Let another probe go for one that is no longer there; obey rules that were read anew."""
        for target, circuit in list(self._circuits.items()):
            probe = circuit.probe
            if rules.failures == 0:
                self._set(target, Circuit())
            elif probe is not None and (
                probe.item not in rows or rows[probe.item].attempt != probe.attempt
            ):
                self._set(target, gone(circuit, probe))

    def due(self, what: str) -> None:
        """Let a probe go, if the wait is over."""
        target = what.removeprefix(CIRCUIT)
        self._set(target, waited(self._circuits[target], self._session.clock.boottime()))

    def _set(self, target: str, circuit: Circuit) -> None:
        before = self._circuits[target]
        if circuit == before:
            return
        self._circuits[target] = circuit
        if (circuit.state, circuit.probe, circuit.trips) != (
            before.state,
            before.probe,
            before.trips,
        ):
            self._show(target, circuit)
        if circuit.state is CircuitState.CLOSED and before.trips:
            events.CIRCUIT_CLOSED.log(_log, target=target)
        if circuit.trips > before.trips:
            words = _words(circuit, self._moment(circuit))
            events.CIRCUIT_OPENED.log(_log, target=target, detail=words)
            self._session.metrics.count(families.CIRCUIT_TRIPS, {"target": target})
            wait_s = circuit.until_s - self._session.clock.boottime()
            what = CIRCUIT + target
            self._session.alarms.after(what, max(0.0, wait_s), lambda: self._wake(what))

    def _show(self, target: str, circuit: Circuit) -> None:
        """Tell the server, the metrics and people how the breaker stands."""
        session, words = self._session, _words(circuit, self._moment(circuit))
        gauge = _GAUGE[circuit.state]
        session.metrics.gauge(families.CIRCUIT_STATE, gauge, {"target": target})
        if circuit.state is CircuitState.CLOSED:
            session.standing.accept(target, _REASON)
            return
        most = 0 if circuit.shut else 1
        session.standing.refuse(target, Refusal(reason=_REASON, detail=words, most=most))

    def _moment(self, circuit: Circuit) -> str:
        """Return when the wait is over, on the clock that people read."""
        clock = self._session.clock
        at_ms = clock.now_ms() + round((circuit.until_s - clock.boottime()) * 1000)
        return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%S UTC")


def _words(circuit: Circuit, moment: str) -> str:
    if circuit.state is CircuitState.CLOSED:
        return ""
    last = f"; the last fault: {circuit.reason}: {circuit.detail[:_MOST_DETAIL]}"
    if circuit.state is CircuitState.OPEN:
        return f"nothing is taken before {moment}{last}"
    if circuit.probe is not None:
        return f"item {circuit.probe.item} shows whether it works again{last}"
    return f"the next item shows whether it works again{last}"


def _victim(row: Attempt) -> Victim:
    return Victim(row.item, row.attempt)
