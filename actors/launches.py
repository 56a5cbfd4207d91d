"""How an attempt gets onto its target: plan, build, fenced write, submit."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final

from launchyard.actors.desk import Desk
from launchyard.actors.facts import Due, Fenced, ReviewDone
from launchyard.actors.messages import Build, BuildDone, BuildFailed, Ref, SubmitFailed
from launchyard.actors.table import ref_of
from launchyard.domain.admission import free_builds, free_launches, usage
from launchyard.domain.attempt import AttemptState
from launchyard.domain.attempts import (
    Attempt,
    Product,
    fenced,
    is_building,
    release,
    without_handle,
)
from launchyard.domain.config.problem import DocumentError
from launchyard.domain.exchange import Answer, Fact, Launching, Verdict
from launchyard.domain.reason import Reason
from launchyard.ports import events, families

S = AttemptState
_log = logging.getLogger(__name__)
RETRY: Final = "retry:"
_TRIES: Final = 5
_LONGEST_S: Final = 30.0
_PREPARED: Final = 2


class Launches:
    """Decides about attempts on their way; called by the supervisor, in its thread."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.starting = True
        """Whether attempts may take their next step; not any more while draining."""
        self._tries: dict[Ref, int] = {}
        self._building: set[Ref] = set()

    def advance(self) -> None:
        """Let every attempt go on that may, oldest first."""
        desk = self._desk
        if not self.starting or not desk.table.early:
            desk.session.standing.wait(builds=0, launches=0)
            return
        limits = desk.kit.rules.limits
        used = usage(desk.table.rows.values(), limits)
        launches, builds = free_launches(used, limits), free_builds(used, limits)
        waiting_builds = waiting_launches = 0
        for item in list(desk.table.early):
            row = desk.table.rows[item]
            if row.stale or row.asked:
                continue
            if not is_building(row) and desk.circuits.holds(row):
                self._give_back(row)
                continue
            if desk.kit.reviews.needs(row):
                desk.kit.reviews.ask(row)
                continue
            if is_building(row):
                self._build(row)
                continue
            needs_build = self._plan(row)
            if needs_build is None:
                continue
            if needs_build and builds > 0:
                builds -= 1
                self._build(row)
            elif not needs_build and launches > 0:
                launches -= 1
                self._ask(row)
            else:
                waiting_builds += needs_build
                waiting_launches += not needs_build
        desk.session.standing.wait(builds=waiting_builds, launches=waiting_launches)
        self._prepare()

    def _prepare(self) -> None:
        """Have what was asked about made ready on this machine, where that is not too much at once.

        A start takes longer than the answer; in a crowd nobody waits for a single one.
        """
        desk, asked = self._desk, self._desk.table.step.launches
        for wish in asked if len(asked) <= _PREPARED else ():
            row = desk.table.rows[wish.lease.item]
            target = desk.target_of(row)
            if target is not None and target.host_bound:
                desk.prepare(row, target)

    def answered(self, fact: Fenced) -> None:
        """Submit what the fenced write permits, and nothing else."""
        for asked, answer in fact.answers:
            row = self._desk.table.get(Ref(asked.lease.item, asked.lease.attempt))
            if row is None or row.ended or not row.asked:
                continue
            if row.token != asked.lease.token:
                self._desk.table.put(replace(row, asked=False))
            else:
                self._permit(row, asked, answer)

    def reviewed(self, fact: ReviewDone) -> None:
        """Go on with what came of a launch, end it, or give it back where nobody could judge."""
        desk, word = self._desk, fact.reviewed
        desk.kit.reviews.done(fact.ref)
        row = desk.table.get(fact.ref)
        if row is None or row.ended or row.reviewed:
            return
        end = S.REJECTED if row.state in {S.CLAIMED, S.SUBMITTING} else S.FAILED
        if word is None:
            desk.end(row, S.FAILED, Reason.SPEC_INVALID, fact.problem)
        elif word.unable and row.place is None:
            self._give_back(row)
            desk.later(desk.kit.look)
        elif word.rejection is not None:
            desk.end(row, end, Reason.REVIEW_REJECTED, word.text)
            desk.later(desk.kit.look)
        else:
            now = word.review
            grant = replace(row.grant, spec=now.spec, queue_config=now.config)
            row = replace(row, grant=grant, reviewed=True)
            desk.table.plans.pop(row.item, None)  # of the launch as it was
            desk.table.put(row)
            if row.place is not None:
                desk.resync(row)

    def built(self, message: BuildDone) -> None:
        """Keep the product; the attempt then goes on to its target."""
        desk, made = self._desk, message.built
        self._building.discard(message.ref)
        self._tries.pop(message.ref, None)
        row = desk.table.get(message.ref)
        if row is None or row.ended:
            return
        product = Product(
            key=made.key, path=made.path, image=made.image, cache=made.cache, folder=message.folder
        )
        row = replace(row, product=product)
        desk.table.put(row)
        if row.place is not None:
            desk.resync(row)

    def not_built(self, message: BuildFailed) -> None:
        """End the attempt, or try again where that may help."""
        desk, ref = self._desk, message.ref
        row = desk.table.get(ref)
        if row is not None and not row.ended and message.retry and self._again(ref):
            return
        self._building.discard(ref)
        if row is None or row.ended:
            return
        end = S.CANCELLED if message.reason is Reason.CANCELLED else S.FAILED
        desk.end(row, end, message.reason, message.detail)

    def not_submitted(self, message: SubmitFailed) -> None:
        """Try again where that may help; a passed deadline only waits for the next lease."""
        desk, ref = self._desk, message.ref
        row = desk.table.get(ref)
        if row is None or row.ended:
            return
        if message.unsure:
            desk.unsure.add(ref)
        if message.reason is Reason.DEADLINE_PASSED:
            row = without_handle(row)
            desk.table.put(row)
            if row.cancel is not None:
                desk.end(row, S.CANCELLED, Reason.CANCELLED)
            else:
                desk.note(row, Fact(at_ms=desk.now_ms(), detail=message.detail))
                self._alarm(ref, 1.0)
        elif row.has_handle:
            events.JOB_THERE.log(_log, item=row.item, detail=message.detail)
        elif message.retry and self._again(ref):
            desk.session.board.put(f"submit of {row.item}", message.detail)
            desk.note(row, Fact(at_ms=desk.now_ms(), detail=message.detail))
        else:
            desk.end(row, S.FAILED, message.reason, message.detail)

    def not_found(self, ref: Ref) -> None:
        """Go on with an attempt that turned out not to be on its target yet."""
        desk = self._desk
        row = desk.table.get(ref)
        if row is None or row.ended or row.has_handle:
            return
        desk.unsure.discard(ref)
        if row.cancel is not None:
            desk.end(row, S.CANCELLED, Reason.CANCELLED)
        elif desk.kit.reviews.needs(row):
            desk.kit.reviews.ask(row)
        elif self._plan(row):
            self._build(row)
        elif self._plan(row) is False:
            desk.resync(row)

    def due(self, fact: Due) -> None:
        """Try something again whose time has come."""
        desk = self._desk
        row = desk.table.rows.get(fact.what.removeprefix(RETRY))
        if row is None or row.ended or row.stale or row.has_handle:
            return
        if ref_of(row) in self._building:
            self._building.discard(ref_of(row))
            self._build(row)
        elif row.place is not None:
            if desk.session.leases.deadline > desk.session.clock.boottime():
                desk.resync(row)
            else:
                self._alarm(ref_of(row), 1.0)

    def rebuild(self) -> None:
        """Say all builds again: the build host began anew."""
        self._building.clear()
        for row in list(self._desk.table.active()):
            if row.stale or row.product is not None:
                continue
            if row.state is S.BUILDING and not self._desk.kit.reviews.needs(row):
                self._build(row)
            elif row.place is not None and not row.has_handle:
                self._desk.resync(row)

    def _give_back(self, row: Attempt) -> None:
        """Put a row that is on no target back to its item's place in line."""
        self._desk.table.early.pop(row.item, None)
        self._desk.table.step.releases.append(release(row))

    def _plan(self, row: Attempt) -> bool | None:
        """Plan the row; tell whether it needs a build, or None when it has failed."""
        desk = self._desk
        try:
            return desk.needs_build(row)
        except DocumentError as e:
            desk.end(row, S.FAILED, Reason.SPEC_INVALID, str(e))
        except Exception as e:  # noqa: BLE001 - a plugin's planner may raise anything
            events.PLAN_FAILED.caught(_log, item=row.item)
            desk.end(row, S.FAILED, Reason.AGENT_ERROR, f"planning failed: {e!r}")
        return None

    def _ask(self, row: Attempt) -> None:
        """Ask for leave to make side effects."""
        desk, target = self._desk, self._desk.target_of(row)
        if target is None:
            return
        desk.table.touch(replace(row, asked=True))
        wish = Launching(lease=row.lease, place=desk.place_of(row, target))
        desk.table.step.launches.append(wish)

    def _permit(self, row: Attempt, asked: Launching, answer: Answer) -> None:
        desk = self._desk
        match answer.verdict:
            case Verdict.TAKEN:
                row = fenced(row, asked.place, desk.now_ms())
                desk.table.put(row)
                desk.resync(row)
            case Verdict.CANCELLED:
                desk.end(row, S.CANCELLED, Reason.CANCELLED)
            case Verdict.STALE:
                desk.session.metrics.count(families.FENCED_WRITES, {"operation": "launching"})
                desk.forget(row)
            case _:
                desk.end(row, S.FAILED, Reason.SUBMIT_FAILED, answer.detail)

    def _build(self, row: Attempt) -> None:
        desk, ref = self._desk, ref_of(row)
        if ref in self._building:
            return
        job = desk.planned(row).build
        if job is None:
            return
        self._building.add(ref)
        desk.note(row, Fact(at_ms=desk.now_ms(), state=S.BUILDING))
        desk.to_builder(Build(ref, job))

    def _again(self, ref: Ref) -> bool:
        """Set an alarm for another try; false when there were enough of them.

        There are never enough for what may run: who gave it up would start it a second time.
        """
        tries = self._tries.get(ref, 0) + 1
        self._tries[ref] = tries
        if tries >= _TRIES and ref not in self._desk.unsure:
            return False
        self._alarm(ref, min(self._desk.kit.rules.submit_again_s * tries, _LONGEST_S))
        return True

    def _alarm(self, ref: Ref, wait_s: float) -> None:
        fact, inbox = Due(RETRY + ref.item), self._desk.kit.inbox
        self._desk.session.alarms.after(fact.what, wait_s, lambda: inbox.put(fact))
