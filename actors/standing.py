"""What the supervisor makes of what worker processes tell."""

from __future__ import annotations

import logging
from dataclasses import replace

from launchyard.actors.desk import BUILD, Desk
from launchyard.actors.facts import HostFailed, HostSaid
from launchyard.actors.launches import Launches
from launchyard.actors.messages import (
    BuildDone,
    BuildFailed,
    Cancel,
    Drop,
    FromHost,
    NotFound,
    Ref,
    Remove,
    Removed,
    SeenNow,
    Shipped,
    SubmitFailed,
    Submitted,
)
from launchyard.actors.table import place_in, ref_of
from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.exchange import Fact
from launchyard.domain.reason import Reason
from launchyard.ports import events, families
from launchyard.ports.runner import Observation

S = AttemptState
_log = logging.getLogger(__name__)


class Standing:
    """Decides about what was seen on targets; called by the supervisor, in its thread."""

    def __init__(self, desk: Desk, launches: Launches) -> None:
        self._desk, self._launches = desk, launches

    def said(self, fact: HostSaid) -> None:
        """Note everything that a worker process told."""
        for message in fact.messages:
            self._note(fact.host, message)

    def began(self, host: str) -> None:
        """Tell a worker process that replaced another all that it should be doing."""
        if host == BUILD:
            self._launches.rebuild()
            return
        for row in list(self._desk.table.rows.values()):
            if row.grant.resource == host:
                self._desk.resync(row)

    def failed(self, fact: HostFailed) -> None:
        """End what a worker process that cannot work at all was to do, unless it may be running."""
        desk = self._desk
        for row in list(desk.table.active()):
            building = row.state is S.BUILDING and row.product is None
            launched = row.place is not None and row.grant.resource == fact.host
            if launched and ref_of(row) in desk.unsure:
                desk.note(row, Fact(at_ms=desk.now_ms(), detail=fact.message))
            elif (fact.host == BUILD and building) or (launched and not row.has_handle):
                reason = Reason.BUILDER_MISSING if building else Reason.TARGET_UNREACHABLE
                desk.end(row, S.FAILED, reason, fact.message)

    def ran_out(self, item: str) -> None:
        """Stop an attempt whose time limit has passed."""
        desk = self._desk
        row = desk.table.rows.get(item)
        if row is None or row.ended or row.cancel is not None or row.stale:
            return
        limit_s = desk.run_limit_s(row)
        if limit_s is None or row.running_ms is None:
            return
        if desk.now_ms() - row.running_ms < limit_s * 1000:
            desk.set_run_alarm(row)
            return
        row = replace(row, cancel=Reason.RUN_TIMEOUT)
        desk.table.put(row)
        desk.send_cancel(row)

    def _note(self, host: str, message: FromHost) -> None:
        match message:
            case Submitted():
                self._submitted(host, message)
            case SeenNow():
                self._seen(host, message)
            case Shipped():
                self._shipped(message)
            case Removed(ref):
                row = self._desk.table.get(ref)
                if row is not None and row.finished:
                    self._desk.forget(row)
            case _:
                self._note_launch(message)

    def _note_launch(self, message: FromHost) -> None:
        match message:
            case SubmitFailed():
                self._launches.not_submitted(message)
            case NotFound(ref):
                self._launches.not_found(ref)
            case BuildDone():
                self._launches.built(message)
            case BuildFailed():
                self._launches.not_built(message)
            case _:
                events.MESSAGE_IDLE.log(_log, what=message)

    def _shipped(self, message: Shipped) -> None:
        desk, row = self._desk, self._desk.table.get(message.ref)
        if row is not None and row.ended:
            fact = Fact(at_ms=desk.now_ms(), logs_complete=True, detail=message.detail)
            desk.settle(desk.note(row, fact))

    def _submitted(self, host: str, message: Submitted) -> None:
        desk = self._desk
        row = desk.table.get(message.ref)
        if row is None:
            self._stranger(host, message.ref, Drop(message.ref))
            return
        state = S.PENDING if row.state is S.SUBMITTING else None
        fact = Fact(at_ms=desk.now_ms(), state=state, place=place_in(message.handle))
        row = desk.note(row, fact)
        desk.send_cancel(row)

    def _seen(self, host: str, message: SeenNow) -> None:
        desk, seen = self._desk, message.observation
        row = desk.table.get(message.ref)
        if row is None:
            if seen.state in ENDS:
                # Stopped because it had become another's: nobody else gives back what it holds.
                self._stranger(host, message.ref, Remove(message.ref, message.handle))
            return
        if message.ref in desk.adopting:
            desk.adopting.discard(message.ref)
            labels = {"target": host, "result": _adoption(seen)}
            desk.session.metrics.count(families.JOBS_ADOPTED, labels)
        fact = Fact(
            at_ms=seen.at_ms or desk.now_ms(),
            state=seen.state,
            place=place_in(message.handle),
            reason=seen.reason,
            detail=seen.detail,
            exit_code=seen.exit_code,
            suspended=seen.suspended,
            logs_complete=message.shipped and seen.state in ENDS,
        )
        row = desk.note(row, fact)
        if row.ended:
            desk.session.alarms.clear(f"run-{row.item}")

    def _stranger(self, host: str, ref: Ref, message: Drop | Remove | Cancel) -> None:
        events.JOB_NOT_OURS.log(_log, item=ref.item, attempt=ref.attempt)
        self._desk.table.step.to_hosts.setdefault(host, []).append(message)


def _adoption(seen: Observation) -> str:
    """Say in one word how something stood that was started before us."""
    if seen.state not in ENDS:
        return "adopted"
    return "missing" if seen.reason is Reason.HANDLE_UNKNOWN else "finished_meanwhile"
