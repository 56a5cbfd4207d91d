"""LAUNCHING, reports, reclaims and releases: judged by `domain.reports`, made durable here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, select

from launchyard.adapters.sql.agents import SET_AGENT
from launchyard.adapters.sql.beats import SqlBeats
from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.rows import record, times
from launchyard.adapters.sql.tables import agents, items, queues
from launchyard.domain.attempt import ENDS, AttemptState, take
from launchyard.domain.exchange import (
    Answer,
    Caller,
    Fact,
    Launching,
    LeaseRef,
    Place,
    Reclaim,
    ReclaimAnswer,
    ReclaimVerdict,
    Release,
    Report,
    Verdict,
)
from launchyard.domain.item import ItemState, after_fact, move
from launchyard.domain.lease import Token
from launchyard.domain.reports import (
    Record,
    furthest,
    is_evidence,
    judge_launching,
    judge_reclaim,
    judge_report,
    launched_since,
    proves_log,
    same_place,
)
from launchyard.ports.records import StoreError, Trouble

ITEM = (
    select(items, agents.c.id.label("holder"))
    .outerjoin(agents, agents.c.n == items.c.holder_n)
    .where(items.c.id == bindparam("id"))
)
_CONFIG = select(queues.c.config_n).where(queues.c.n == bindparam("n"))
_STALE = Answer(verdict=Verdict.STALE)


class SqlReports(SqlBeats):
    """What holders write. Each element of a batch is judged on its own."""

    def launching(self, caller: Caller, batch: Sequence[Launching]) -> Sequence[Answer]:
        with self._write():
            agent = self._caller(caller)
            return [self._launch(agent, launching) for launching in batch]

    def _launch(self, agent: Row, launching: Launching) -> Answer:
        row = self._mine(agent, launching.lease)
        if isinstance(row, Answer):
            return row
        known = _record(row)
        verdict = judge_launching(known, launching.lease.attempt, launching.lease.token)
        if verdict is not Verdict.TAKEN:
            return Answer(verdict=verdict)
        if known.place and not same_place(known.place, launching.place):
            return Answer(verdict=Verdict.REFUSED, detail=_elsewhere(known.place))
        if not launching.place.name or not launching.place.scope:
            return Answer(verdict=Verdict.REFUSED, detail="a place needs a scope and a name")
        if known.item_state is ItemState.CLAIMED:
            state = move(known.item_state, ItemState.LAUNCHING)
            self._set(
                row["seq"],
                state=state.value,
                times=times(row, (state.value, self._clock.now_ms())),
                place_scope=launching.place.scope,
                place_name=launching.place.name,
                place_uid=launching.place.uid,
            )
        return Answer(verdict=Verdict.TAKEN, seq=known.seq)

    def _mine(self, agent: Row, lease: LeaseRef) -> Row | Answer:
        """Return the item's row, unless it is unknown or another agent's."""
        row = self._db.one(ITEM, id=lease.item)
        if row is None:
            return _unknown(lease)
        return row if self._is_holder(agent, row) else _STALE

    def _is_holder(self, agent: Row, row: Row) -> bool:
        """Tell whether the agent is the item's holder, or was the last one."""
        return bool(row["agent_n"] == agent["n"])

    def report(self, caller: Caller, batch: Sequence[Report]) -> Sequence[Answer]:
        with self._write():
            agent = self._caller(caller)
            return [self._report(agent, report) for report in batch]

    def _report(self, agent: Row, report: Report) -> Answer:
        row = self._db.one(ITEM, id=report.lease.item)
        if row is None:
            return _unknown(report.lease)
        if report.lease.attempt < row["attempt"]:
            return self._report_past(agent, row, report)
        known = _record(row)
        answer = judge_report(known, report) if self._is_holder(agent, row) else _STALE
        if answer.verdict is Verdict.TAKEN and answer.seq > known.seq:
            self._take_fact(row, known, report)
        elif answer.verdict is Verdict.STALE and is_evidence(known, report):
            self._end(row, report.fact, _log(report.fact))
            return Answer(verdict=Verdict.STALE, detail="this end is kept as evidence")
        elif answer.verdict is Verdict.STALE and proves_log(known, report):
            self._set(row["seq"], logs_complete=1)
        return answer

    def _take_fact(self, row: Row, known: Record, report: Report) -> None:
        """Write down a report that is the next one."""
        fact = report.fact
        values: dict[str, Any] = {"reported": report.seq, **_log(fact)}
        if fact.place and known.place and same_place(known.place, fact.place):
            values["place_uid"] = fact.place.uid or known.place.uid
        state = furthest(known, report)
        if state in ENDS and known.attempt_state not in ENDS:
            self._refund(row["agent_n"], fact.refunds)
            self._end(row, fact, values)
            return
        has_handle = bool(values.get("place_uid") or (known.place and known.place.uid))
        stands = after_fact(known.item_state, state, has_handle=has_handle)
        began = fact.state is AttemptState.RUNNING and not row["cancel"]
        if (fact.detail or began) and known.attempt_state not in ENDS:
            values["detail"] = fact.detail  # what it waited for is over once it runs
        self._set(
            row["seq"],
            state=stands.value,
            attempt_state=state.value,
            times=times(row, *self._seen(fact), (stands.value, self._clock.now_ms())),
            **values,
        )

    def _end(self, row: Row, fact: Fact, values: dict[str, Any]) -> None:
        """Write down the end that *fact* tells of."""
        end = fact.state or AttemptState.LOST
        done = (ItemState.DONE.value, self._clock.now_ms())
        self._conclude(
            row,
            end,
            reason=fact.reason.value if fact.reason else "",
            detail=fact.detail,
            exit_code=fact.exit_code,
            circuit=fact.circuit,
            times=times(row, *self._seen(fact), done),
            **values,
        )

    def _seen(self, fact: Fact) -> Sequence[tuple[str, int]]:
        if fact.state is None:
            return ()
        return ((fact.state.value, fact.at_ms or self._clock.now_ms()),)

    def reclaim(self, reclaim: Reclaim) -> ReclaimAnswer:
        with self._write():
            agent = self._caller(reclaim.caller)
            row = self._db.one(ITEM, id=reclaim.item)
            if row is None:
                raise StoreError(f"there is no item {reclaim.item!r}", Trouble.NOT_FOUND)
            if reclaim.attempt < row["attempt"] and self._past(row, reclaim.attempt):
                return ReclaimAnswer(verdict=ReclaimVerdict.OVER)
            known = _record(row)
            verdict = judge_reclaim(known, reclaim)
            if verdict is not ReclaimVerdict.GRANTED:
                return ReclaimAnswer(verdict=verdict)
            if reclaim.place and launched_since(known, reclaim):
                self._launched_since(row, reclaim.place)
            changed = self._hand_over(row, agent["n"])
            if agent["lease_until_ms"] is None:
                until = self._lease_until(self._clock.now_ms())
                self._db.run(SET_AGENT, b_n=agent["n"], lease_until_ms=until)
            token = Token(changed["token_epoch"], changed["token_counter"])
            return ReclaimAnswer(verdict=verdict, token=token, seq=known.seq)

    def _launched_since(self, row: Row, place: Place) -> None:
        """Take over a launch that a restore has made undone."""
        state = ItemState.LAUNCHED if place.uid else ItemState.LAUNCHING
        self._set(
            row["seq"],
            state=state.value,
            attempt_state=AttemptState.SUBMITTING.value,
            times=times(row, (state.value, self._clock.now_ms())),
            config_n=row["config_n"] or self._db.number(_CONFIG, n=row["queue_n"]),
            not_before_ms=None,
            detail="",
            place_scope=place.scope,
            place_name=place.name,
            place_uid=place.uid,
        )

    def release(self, caller: Caller, batch: Sequence[Release]) -> Sequence[Answer]:
        with self._write():
            agent = self._caller(caller)
            return [self._release(agent, release) for release in batch]

    def _release(self, agent: Row, release: Release) -> Answer:
        row = self._mine(agent, release.lease)
        if isinstance(row, Answer):
            return row
        known, lease = _record(row), release.lease
        if (lease.attempt, lease.token) != (known.attempt, known.token) or not known.holder:
            return self._released_before(agent, row, lease)
        values: dict[str, Any] = {"attempt_state": take(known.attempt_state, release.state).value}
        if release.state in ENDS:
            return Answer(verdict=Verdict.REFUSED, detail="an end is reported, not released")
        if release.place and known.place and same_place(known.place, release.place):
            values["place_uid"] = release.place.uid or known.place.uid
        self._set(row["seq"], **values)
        self._drop(row, released=True)
        return Answer(verdict=Verdict.TAKEN, seq=known.seq)

    def _released_before(self, agent: Row, row: Row, lease: LeaseRef) -> Answer:
        """Take a repeated release whose first answer was lost; any other old token is stale."""
        now = Token(row["token_epoch"], row["token_counter"])
        freed = row["holder_n"] is None and row["state"] != ItemState.DONE
        last = lease.token.following(self._base.restore_epoch) == now
        if freed and last and row["agent_n"] == agent["n"]:
            return Answer(verdict=Verdict.TAKEN, seq=row["reported"])
        return _STALE


def _log(fact: Fact) -> dict[str, Any]:
    """Return what is to be written of a log that *fact* says is complete."""
    return {"logs_complete": 1} if fact.logs_complete else {}


def _unknown(lease: LeaseRef) -> Answer:
    return Answer(verdict=Verdict.REFUSED, detail=f"there is no item {lease.item!r}")


def _record(row: Row) -> Record:
    return record(row, row["holder"] or "")


def _elsewhere(place: Place) -> str:
    return f"this attempt goes to {place.scope} as {place.name!r}, and nowhere else"
