"""How the agent ends (PROTOCOL 11): what goes back, what is waited for, what is handed over."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import Final

from launchyard.actors.desk import Desk
from launchyard.actors.facts import Due, Released, Stop, StopMode
from launchyard.actors.grants import Grants
from launchyard.actors.launches import Launches
from launchyard.actors.messages import CancelBuild, Flush, Flushed, Ref
from launchyard.actors.poller import CloseDown
from launchyard.actors.reconciler import SayGoodbye
from launchyard.actors.table import ref_of
from launchyard.domain.attempt import AttemptState
from launchyard.domain.attempts import Attempt, release
from launchyard.domain.exchange import Fact, Verdict
from launchyard.domain.reason import Reason
from launchyard.ports import events

_log = logging.getLogger(__name__)
DRAIN: Final = "drain:"
SUBMITS_S: Final = 15.0
FLUSH_S: Final = 3.0
RELEASE_S: Final = 8.0
STOP_S: Final = 15.0
"""How long a job that was told to end may take beyond its own grace."""

AWAY: Final = 75
"""The exit code when the server could not be told everything (EX_TEMPFAIL)."""


class Phase(StrEnum):
    """How far the drain is; each begins when nothing is left to wait for in the one before."""

    RUNNING = "running"
    SUBMITS = "submits"
    JOBS = "jobs"
    STOPS = "stops"
    FLUSH = "flush"
    RELEASE = "release"
    BYE = "bye"
    OVER = "over"


class Draining:
    """Ends the agent's work step by step; called by the supervisor, in its thread."""

    def __init__(self, desk: Desk, grants: Grants, launches: Launches) -> None:
        self._desk, self._grants, self._launches = desk, grants, launches
        self.phase = Phase.RUNNING
        self._mode = StopMode.DRAIN
        self._late: set[Phase] = set()
        self._releasing: dict[Ref, None] = {}
        self._flushing: set[str] = set()
        self._cursors: dict[Ref, dict[str, int]] = {}
        self._unheard = False

    @property
    def begun(self) -> bool:
        """Whether the agent is ending."""
        return self.phase is not Phase.RUNNING

    def stop(self, fact: Stop) -> None:
        """Begin to end, or end in another way than before."""
        desk = self._desk
        events.AGENT_ENDS.log(_log, mode=fact.mode.value, by=fact.by or "itself")
        changed, self._mode = fact.mode is not self._mode, fact.mode
        if not self.begun:
            self._grants.taking = False
            desk.later(partial(desk.kit.poller.put, CloseDown()))
            self._enter(Phase.SUBMITS, SUBMITS_S)
        elif changed and self.phase is Phase.JOBS:
            self._late.discard(Phase.JOBS)
            self._enter(Phase.JOBS, self._jobs_s())
        self._launches.starting = fact.mode is StopMode.WAIT_ALL
        if fact.mode is not StopMode.WAIT_ALL:
            self._give_back_early()
        if fact.mode is StopMode.CANCEL or self._policy == "cancel":
            for row in self._host_bound():
                self._stop(row, Reason.CANCELLED)

    def released(self, fact: Released) -> None:
        """Forget what was given back; what the server did not hear stays in the journal."""
        desk = self._desk
        for given, answer in fact.answers:
            ref = Ref(given.lease.item, given.lease.attempt)
            self._releasing.pop(ref, None)
            row = desk.table.get(ref)
            if answer is None:
                self._unheard = True
            elif row is not None and answer.verdict in {Verdict.TAKEN, Verdict.STALE}:
                desk.forget(row)

    def flushed(self, host: str, message: Flushed) -> None:
        """Note how far a worker process's logs are shipped."""
        self._flushing.discard(host)
        self._cursors.update({ref: dict(c) for ref, c in message.cursors.items()})

    def goodbye(self, *, heard: bool) -> None:
        """The last word: the process may end."""
        told = heard or not self._desk.table.rows
        self._over(0 if told and not self._unheard else AWAY)

    def due(self, fact: Due) -> None:
        """Note that a phase has taken as long as it may."""
        phase = Phase(fact.what.removeprefix(DRAIN))
        if phase is not Phase.JOBS or self._jobs_s() is not None:
            self._late.add(phase)

    def advance(self) -> None:
        """Go on as far as possible; called at the end of every step while draining."""
        while self.phase is not Phase.OVER and self._next_phase():
            pass

    def _next_phase(self) -> bool:
        """Go one phase on if nothing holds this one; tell whether it went."""
        late = self.phase in self._late
        match self.phase:
            case Phase.SUBMITS if late or not (self._submitting() or self._releasing):
                self._enter(Phase.JOBS, self._jobs_s())
            case Phase.JOBS if late and self._waiting():
                self._enter(Phase.STOPS, self._preempt())
            case Phase.JOBS | Phase.STOPS if late or not self._waiting():
                self._enter(Phase.FLUSH, FLUSH_S)
                self._flush()
            case Phase.FLUSH if late or not (self._flushing or self._unsaid()):
                self._enter(Phase.RELEASE, RELEASE_S)
                self._release()
            case Phase.RELEASE if late or not self._releasing:
                self._unheard = self._unheard or late
                self._enter(Phase.BYE, FLUSH_S)
                desk = self._desk
                desk.later(partial(desk.kit.reconciler.put, SayGoodbye()))
            case Phase.BYE if late:
                self.goodbye(heard=False)
            case _:
                return False
        return True

    def _enter(self, phase: Phase, limit_s: float | None) -> None:
        self.phase = phase
        if limit_s is not None:
            fact, inbox = Due(DRAIN + phase.value), self._desk.kit.inbox
            self._desk.session.alarms.after("drain", limit_s, lambda: inbox.put(fact))
        else:
            self._desk.session.alarms.clear("drain")

    @property
    def _policy(self) -> str:
        return self._desk.kit.rules.host_bound_on_exit

    def _active(self) -> Iterator[Attempt]:
        return (row for row in self._desk.table.active() if ref_of(row) not in self._releasing)

    def _host_bound(self) -> list[Attempt]:
        return [row for row in self._active() if row.place is not None and self._is_bound(row)]

    def _is_bound(self, row: Attempt) -> bool:
        target = self._desk.target_of(row)
        return target is not None and target.host_bound

    def _submitting(self) -> bool:
        """Whether an attempt is on its way to its target, and nobody knows whether it is there."""
        return any(
            row.asked or (row.place is not None and not row.has_handle and not row.stale)
            for row in self._active()
        )

    def _jobs_s(self) -> float | None:
        """Return how long jobs may take to their end; None is as long as it takes."""
        wait_all = self._mode is StopMode.WAIT_ALL
        return None if wait_all else self._desk.kit.rules.drain_timeout_s

    def _preempt(self) -> float:
        """Stop the jobs that took longer than they may; return how long that may take.

        They would end with the container and be waited for without end on a host that is gone, so
        this is their end: a preemption, which is no fault of theirs and which a queue may retry.
        """
        rows = self._waiting()
        events.DRAIN_PREEMPTS.log(_log, jobs=len(rows))
        for row in rows:
            self._stop(row, Reason.PREEMPTED)
        return STOP_S + max(map(self._desk.grace_s, rows))

    def _waiting(self) -> list[Attempt]:
        return [row for row in self._active() if self._must_wait(row)]

    def _must_wait(self, row: Attempt) -> bool:
        """Whether this attempt's end is to be waited for."""
        if row.stale:
            return False
        if self._mode is StopMode.WAIT_ALL:
            return True
        waits = self._mode is StopMode.CANCEL or self._policy in {"wait", "cancel"}
        return waits and self._is_bound(row)

    def _unsaid(self) -> bool:
        """Whether something is still on its way to the server."""
        return any(row.acked < row.seq and not row.stale for row in self._desk.table.rows.values())

    def _give_back_early(self) -> None:
        """Put back what has not been launched: it keeps its place and its attempt."""
        desk = self._desk
        for item in list(desk.table.early):
            row = desk.table.rows[item]
            ref = ref_of(row)
            if row.asked or ref in self._releasing:
                continue
            if row.state is AttemptState.BUILDING:
                desk.to_builder(CancelBuild(ref))
            self._releasing[ref] = None
            desk.table.step.releases.append(release(row))

    def _stop(self, row: Attempt, reason: Reason) -> None:
        """Have a job ended; who was told to end before hears it again."""
        desk = self._desk
        if row.cancel is not Reason.CANCELLED:
            row = replace(row, cancel=reason)
            desk.table.put(row)
            if reason is Reason.CANCELLED:
                row = desk.note(row, Fact(at_ms=desk.now_ms(), state=AttemptState.CANCELLING))
        desk.send_cancel(row)

    def _flush(self) -> None:
        """Have the logs shipped as far as they are."""
        desk = self._desk
        for name in desk.kit.hosts.running():
            if name in desk.kit.targets:
                self._flushing.add(name)
                desk.table.step.to_hosts.setdefault(name, []).append(Flush(0))

    def _release(self) -> None:
        """Hand over all that goes on without us."""
        desk = self._desk
        for row in self._active():
            if row.stale or row.asked:
                continue
            ref = ref_of(row)
            self._releasing[ref] = None
            given = replace(release(row), log_cursors=self._cursors.get(ref, {}))
            desk.table.step.releases.append(given)

    def _over(self, code: int) -> None:
        if self.phase is Phase.OVER:
            return
        self.phase = Phase.OVER
        text = "" if code == 0 else "the server could not be told everything; the journal keeps it"
        done: Callable[[int, str], None] = self._desk.kit.done
        self._desk.later(partial(done, code, text))
