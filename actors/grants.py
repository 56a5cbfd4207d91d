"""How the supervisor takes leases up and lets go of them: claims, heartbeats, reclaims."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from launchyard.actors.desk import Desk
from launchyard.actors.facts import Claimed, Reclaimed, Registered, Renewed, Reported
from launchyard.actors.messages import Cancel, CancelBuild, Drop, Ref
from launchyard.actors.reconciler import AskBack
from launchyard.actors.reporter import Forget, Outgoing
from launchyard.actors.table import handle_of, ref_of
from launchyard.domain.admission import free_slots, usage
from launchyard.domain.attempt import AttemptState
from launchyard.domain.attempts import Attempt, release, renewed, take_up
from launchyard.domain.exchange import (
    Command,
    CommandKind,
    Fact,
    ItemGrant,
    Reclaim,
    ReclaimVerdict,
    Report,
    Verdict,
)
from launchyard.domain.item import ItemState
from launchyard.domain.reason import Reason
from launchyard.ports import events, families

_log = logging.getLogger(__name__)


class Grants:
    """Decides about leases; called by the supervisor, in its thread."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.taking = True
        """Whether new work is taken; else it goes back to its place at once."""
        self.paused = False
        self.drain_asked = False
        self.last_claim = ""
        self._held: dict[str, ItemGrant] = {}
        """Next attempts of items whose last one has ended, but is not told to its end."""
        self._heard: dict[str, int] = {}
        """The last reports that the server has judged of items that it says are not ours."""

    def registered(self, fact: Registered) -> None:
        """Bring what the journal holds and what the server says together."""
        desk, table = self._desk, self._desk.table
        leases = {grant.item: grant for grant in fact.grant.leases}
        table.step.meta |= {"agent": fact.grant.agent, "installation": fact.grant.installation}
        for row in list(table.rows.values()):
            grant = leases.pop(row.item, None)
            if grant is not None and grant.attempt == row.attempt:
                self._renew(row, grant)
            elif grant is not None:
                self.take(grant)
            elif row.stale or not row.ended:
                self.lost(row)
        for grant in leases.values():
            self.take(grant)
        for row in list(table.rows.values()):
            desk.set_run_alarm(row)
            if row.finished:
                desk.settle(row)
            if not row.finished or not row.logs_complete:
                desk.adopt(row)
        desk.later(partial(desk.kit.reporter.put, Outgoing(())))

    def claimed(self, fact: Claimed) -> None:
        """Take up what a claim brought; what does not fit any more goes back to its place."""
        answer = fact.answer
        if answer.items:
            self.last_claim = fact.claim_id
            self._desk.later(self._desk.kit.look)
        for grant in answer.items:
            metrics = self._desk.session.metrics
            metrics.count(families.ITEMS_CLAIMED, {"queue": grant.queue})
            if grant.attempt == 1:  # a later one waited for the earlier ones, too
                waited_s = max(0, self._desk.now_ms() - grant.enqueued_at_ms) / 1000
                metrics.observe(families.JOB_QUEUE_WAIT, waited_s, {"queue": grant.queue})
            self.take(grant)
        for grant in answer.resolve:
            self.take(grant)
        self.obey(answer.commands)

    def renewed(self, fact: Renewed) -> None:
        """Note what a heartbeat brought."""
        answer = fact.answer
        for grant in answer.unlisted:
            self.take(grant)
        for lease in answer.stale:
            row = self._desk.table.rows.get(lease.item)
            if row is not None and row.lease == lease and not row.ended and not row.stale:
                self.lost(row)
        self.obey(answer.commands)

    def take(self, grant: ItemGrant) -> None:
        """Take one lease up, unless it is known already."""
        desk, table = self._desk, self._desk.table
        row = table.rows.get(grant.item)
        if table.is_gone(grant) or (row is not None and grant.attempt < row.attempt):
            return
        if row is not None and grant.attempt == row.attempt:
            if grant.token > row.token or row.stale:
                self._renew(row, grant)
                known = table.get(ref_of(row))
                if known is not None:
                    desk.resync(known)
            if grant.cancel:
                self.cancel(grant.item, grant.attempt)
            return
        if row is not None and row.ended and not row.stale and not row.aside:
            # The log of the attempt before is still on its way, and its thing to be removed.
            self._held[grant.item] = grant
            return
        if row is not None:
            self._superseded(row)
        self._begin(grant)

    def take_held(self) -> None:
        """Take up next attempts once all is told of the ones before."""
        for item, grant in list(self._held.items()):
            if item not in self._desk.table.rows:
                del self._held[item]
                self.take(grant)

    def obey(self, commands: Sequence[Command]) -> None:
        """Do what the server asks for; repeats are harmless."""
        for command in commands:
            match command.kind:
                case CommandKind.CANCEL:
                    self.cancel(command.item, command.attempt)
                case CommandKind.DRAIN:
                    self.drain_asked = True
                case CommandKind.PAUSE | CommandKind.RESUME:
                    self.paused = command.kind is CommandKind.PAUSE
                    self._desk.table.changed = True

    def cancel(self, item: str, attempt: int) -> None:
        """Begin to end an attempt for its user."""
        desk = self._desk
        row = desk.table.get(Ref(item, attempt))
        if row is None or row.ended or row.cancel is Reason.CANCELLED:
            return
        row = replace(row, cancel=Reason.CANCELLED)
        desk.table.put(row)
        if row.place is None:
            if row.state is AttemptState.BUILDING:
                desk.to_builder(CancelBuild(ref_of(row)))
            desk.end(row, AttemptState.CANCELLED, Reason.CANCELLED)
            return
        row = desk.note(row, Fact(at_ms=desk.now_ms(), state=AttemptState.CANCELLING))
        desk.send_cancel(row)

    def reported(self, fact: Reported) -> None:
        """Note which reports the server took, and ask back what it says is not ours."""
        desk = self._desk
        for report, answer in fact.answers:
            item, attempt = report.lease.item, report.lease.attempt
            row = desk.table.get(Ref(item, attempt))
            if row is None and item in desk.table.rows:
                continue  # the reports of a later attempt are numbered on from these
            if row is None:
                desk.table.step.sent[item] = report.seq
                desk.later(partial(desk.kit.reporter.put, Forget(item)))
            elif answer.verdict is Verdict.TAKEN:
                desk.table.step.sent[item] = max(report.seq, desk.table.step.sent.get(item, 0))
                row = replace(row, acked=max(row.acked, report.seq))
                desk.table.touch(row)
                desk.settle(row)
            elif answer.verdict is Verdict.GAP:
                self._renumber(row, answer.seq)
            elif answer.verdict is not Verdict.REFUSED:
                desk.session.metrics.count(families.FENCED_WRITES, {"operation": "report"})
                self._refused(row, report)

    def set_aside(self, item: str, detail: str) -> None:
        """Show that the server refuses an item's reports; the rest goes on."""
        row = self._desk.table.rows.get(item)
        if row is not None:
            self._desk.table.put(replace(row, aside=True, detail=detail))
            self._desk.session.board.put(f"reports of {item}", f"set aside: {detail}")

    def reclaimed(self, fact: Reclaimed) -> None:
        """Go on with an attempt, or let go of it."""
        desk, answer, heard = self._desk, fact.answer, self._heard.pop(fact.item, 0)
        row = desk.table.get(Ref(fact.item, fact.attempt))
        if row is None or not row.stale:
            return
        if answer.verdict is ReclaimVerdict.GRANTED and answer.token is not None:
            seq, acked = max(row.seq, answer.seq), max(row.acked, answer.seq)
            row = replace(row, token=answer.token, stale=False, acked=acked, seq=seq)
            desk.table.put(row)
            desk.resume(row)
            desk.resync(row)
        elif answer.verdict is ReclaimVerdict.OVER and row.ended:
            # What was not heard is still to tell: that the log is whole counts after the end, too.
            row = replace(row, stale=False, acked=max(row.acked, heard))
            desk.table.put(row)
            desk.table.step.sent[row.item] = row.acked
            desk.resume(row)
            desk.settle(row)
            if not row.logs_complete:
                desk.resync(row)
        else:
            self._superseded(row)

    def _begin(self, grant: ItemGrant) -> None:
        """Make a row of a lease that is new here."""
        desk, table = self._desk, self._desk.table
        row = table.keep_secrets(take_up(grant, desk.now_ms()))
        if row.place is None and not self._may_take(grant.resource):
            table.rows[row.item] = row
            table.step.releases.append(release(row))
            return
        table.put(row)
        if row.grant.resource not in desk.kit.targets:
            known = ", ".join(desk.kit.targets) or "none"
            text = f"this agent has no target {row.grant.resource}; it has {known}: name it under"
            text += " `targets` in its configuration; `launchyard plugins` shows which there are"
            desk.end(row, AttemptState.REJECTED, Reason.TARGET_MISSING, text)
        elif row.cancel is not None and row.place is None:
            desk.end(row, AttemptState.CANCELLED, Reason.CANCELLED)
        else:
            desk.set_run_alarm(row)
            desk.adopt(row)

    def _may_take(self, target: str) -> bool:
        desk = self._desk
        if desk.session.standing.refuses(target):
            return False
        limits = desk.kit.rules.limits
        used = usage(desk.table.rows.values(), limits)
        return self.taking and not self.paused and free_slots(used, limits) > 0

    def _renew(self, row: Attempt, grant: ItemGrant) -> None:
        """Put a known row under the lease that the server just told of."""
        desk = self._desk
        row = desk.table.keep_secrets(renewed(row, grant))
        desk.table.put(row)
        desk.resume(row)
        if grant.state is ItemState.QUEUED:
            events.LEASE_ODD.log(_log, item=row.item)

    def _refused(self, row: Attempt, report: Report) -> None:
        if report.lease.token != row.token:
            self._desk.resume(row)
            return
        self._heard[row.item] = report.seq
        if not row.stale:
            self.lost(row)

    def lost(self, row: Attempt) -> None:
        """Do nothing more for a row whose token is stale, and ask the server for it."""
        desk = self._desk
        if row.place is None and not row.ended:
            if row.state is AttemptState.BUILDING:
                desk.to_builder(CancelBuild(ref_of(row)))
            desk.forget(row)
            return
        desk.table.put(replace(row, stale=True))
        caller = desk.session.caller
        ask = Reclaim(
            caller=caller, item=row.item, attempt=row.attempt, place=row.place, token=row.token
        )
        desk.later(partial(desk.kit.reconciler.put, AskBack(ask)))

    def _superseded(self, row: Attempt) -> None:
        """Let go of an attempt that is another's: on a shared target nothing of it is touched."""
        desk, target = self._desk, self._desk.target_of(row)
        if target is not None and row.place is not None and not row.ended:
            ref = ref_of(row)
            if target.host_bound:
                handle = handle_of(row.place) if row.has_handle else None
                grace_s = desk.grace_s(row)
                desk.to_host(row, Cancel(ref, handle, grace_s, Reason.CANCELLED))
            else:
                desk.to_host(row, Drop(ref))
        elif row.state is AttemptState.BUILDING:
            desk.to_builder(CancelBuild(ref_of(row)))
        desk.forget(row)

    def _renumber(self, row: Attempt, known: int) -> None:
        """Number the unsent reports anew, from the last one that the server knows of."""
        desk = self._desk
        outbox = desk.kit.journal.load().outbox
        unsent = [r for r in outbox if r.lease.item == row.item and r.seq > row.acked]
        fresh = tuple(
            Report(lease=row.lease, seq=known + number, fact=report.fact)
            for number, report in enumerate(unsent, 1)
        )
        desk.table.step.sent[row.item] = max((r.seq for r in unsent), default=row.seq)
        desk.table.step.reports += fresh
        desk.table.put(replace(row, seq=known + len(fresh), acked=known))
        desk.later(partial(desk.kit.reporter.put, Forget(row.item)))
