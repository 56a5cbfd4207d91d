"""What follows an attempt's end: its history, and the next attempt or the end of its item."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, or_, select, update

from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.fates import Fates
from launchyard.adapters.sql.modes import priority_in
from launchyard.adapters.sql.rows import times
from launchyard.adapters.sql.tables import DEAD, agents, attempts, entities, items, queues
from launchyard.domain.attempt import AttemptState
from launchyard.domain.circuit import Victim, is_fault
from launchyard.domain.exchange import Answer, Report, Verdict
from launchyard.domain.item import ItemState, move
from launchyard.domain.lease import Token
from launchyard.domain.reason import Reason
from launchyard.domain.reports import Record, judge_report
from launchyard.domain.retry import WANTED_ENDS, Budget, End, Retry, Stop, decide, failure_class
from launchyard.domain.retry_wire import effective
from launchyard.ports.retries import BadEnd

QUEUE_OF = (
    select(
        *(queues.c.retry, queues.c.name, queues.c.mode, queues.c.deleted_ms),
        entities.c.name.label("entity"),
    )
    .join(entities, entities.c.n == queues.c.entity_n)
    .where(queues.c.n == bindparam("queue_n"))
)
SPENT = select(attempts.c.budget).where(
    attempts.c.item_seq == bindparam("seq"),
    attempts.c.attempt >= bindparam("fresh_from"),
    attempts.c.budget != "",
)
PAST = (
    select(attempts, agents.c.id.label("holder"))
    .outerjoin(agents, agents.c.n == attempts.c.agent_n)
    .where(attempts.c.item_seq == bindparam("seq"), attempts.c.attempt == bindparam("attempt"))
)
_SET_PAST = update(attempts).where(
    attempts.c.item_seq == bindparam("b_seq"), attempts.c.attempt == bindparam("b_attempt")
)
_REFUND = (
    update(attempts)
    .where(
        attempts.c.item_seq
        == select(items.c.seq).where(items.c.id == bindparam("b_item")).scalar_subquery(),
        attempts.c.attempt == bindparam("b_attempt"),
        attempts.c.agent_n == bindparam("b_agent"),
        or_(
            attempts.c.budget == Budget.PLATFORM.value,
            attempts.c.budget == Budget.AGENT.value,
        ),
    )
    .values(budget=Budget.CIRCUIT.value)
    .returning(attempts.c.item_seq)
)
_FALLEN = select(items).where(items.c.id == bindparam("item"), DEAD)
_KEPT = tuple(c.name for c in attempts.c if c.name not in {"item_seq", "attempt", "budget"})
_AFRESH: Mapping[str, Any] = {
    "state": ItemState.QUEUED.value,
    "attempt_state": None,
    "holder_n": None,
    "agent_n": None,
    "missed": 0,
    "offered": 0,
    "offered_until_ms": None,
    "unheard_until_ms": None,
    "cancel": 0,
    "place_scope": "",
    "place_name": "",
    "place_uid": "",
    "reason": "",
    "exit_code": None,
    "logs_complete": 0,
    "config_n": None,
    "dead": "",
}
_STALE = Answer(verdict=Verdict.STALE)


class Retries(Fates):
    """Ends of attempts, each within a transaction that the caller holds."""

    def _conclude(self, row: Row, end: AttemptState, **values: Any) -> None:
        """End an attempt; what follows from it is in the same transaction.

        *values* are the last facts of the attempt. A good end costs nothing more than itself.
        """
        circuit = values.pop("circuit", False)
        if end in WANTED_ENDS or row["cancel"]:
            self._finish(row, end, **values)
            return
        reason = values.get("reason")
        how = End(
            state=end,
            reason=Reason(reason) if reason else None,
            at_ms=self._clock.now_ms(),
            exit_code=values.get("exit_code"),
            circuit=circuit,
        )
        queue, decision = self._decide(row, how)
        self._note(queue, how, retried=isinstance(decision, Retry))
        if isinstance(decision, Retry):
            self._try_again(row, how, decision, values)
        else:
            self._finish(row, end, dead=failure_class(how).value, **values)

    def _spent(self, row: Row) -> list[Budget]:
        """Return what the item's retries were charged to since its budgets were fresh."""
        if row["attempt"] == row["fresh_from"]:
            return []
        rows = self._db.rows(SPENT, seq=row["seq"], fresh_from=row["fresh_from"])
        return [Budget(one["budget"]) for one in rows]

    def _refund(self, agent_n: int, victims: Sequence[Victim]) -> None:
        """Charge earlier attempts of an agent's to its breaker, as it opened after them."""
        paid_for = set[str]()
        for item, attempt in ((one.item, one.attempt) for one in victims):
            if self._db.one(_REFUND, b_item=item, b_attempt=attempt, b_agent=agent_n):
                paid_for.add(item)
        for item in dict.fromkeys(victim.item for victim in victims):
            row = self._db.one(_FALLEN, item=item)
            if row is None or not is_fault(AttemptState(row["attempt_state"]), _reason(row)):
                continue
            mine = row["agent_n"] == agent_n and Victim(item, row["attempt"]) in victims
            if mine or item in paid_for:
                self._judge_again(row, circuit=mine)

    def _judge_again(self, row: Row, *, circuit: bool) -> None:
        """Put a dead letter back, if what was refunded pays for one more attempt of it."""
        how = End(
            state=AttemptState(row["attempt_state"]),
            reason=_reason(row),
            at_ms=self._clock.now_ms(),
            exit_code=row["exit_code"],
            circuit=circuit,
        )
        queue, decision = self._decide(row, how)
        if isinstance(decision, Retry) and queue["deleted_ms"] is None:
            self._note(queue, how, retried=True)
            self._keep(row, {}, decision.budget.value)
            self._begin_next(
                row,
                state=ItemState.DONE,
                priority=priority_in(queue, row),
                not_before_ms=decision.not_before_ms,
                detail=_what_follows(row, how, decision),
            )

    def _decide(self, row: Row, how: End) -> tuple[Row, Retry | Stop]:
        """Return the item's queue, and what its policy says of an end of the present attempt."""
        queue = self._db.rows(QUEUE_OF, queue_n=row["queue_n"])[0]
        policy = effective(json.loads(queue["retry"]), json.loads(row["retry"]))
        return queue, decide(policy, self._spent(row), how, self._settings.random())

    def _note(self, queue: Row, how: End, *, retried: bool) -> None:
        """Have an end counted, once the transaction is committed."""
        where = {"entity": queue["entity"], "queue": queue["name"]}
        self._bad_ends.note(BadEnd(**where, failure=failure_class(how), retried=retried))

    def _try_again(self, row: Row, how: End, decision: Retry, values: Mapping[str, Any]) -> None:
        """Put the item back for its next attempt, which waits for its moment."""
        done = move(ItemState(row["state"]), ItemState.DONE)
        now = self._clock.now_ms()
        final = {"times": times(row, (how.state.value, now), (done.value, now)), **values}
        self._keep(row, {**final, "attempt_state": how.state.value}, decision.budget.value)
        self._begin_next(
            row,
            state=done,
            reported=values.get("reported", row["reported"]),
            not_before_ms=decision.not_before_ms,
            detail=_what_follows(row, how, decision),
        )

    def _keep(self, row: Row, final: Mapping[str, Any], budget: str) -> None:
        """Write an attempt into the history, as *final* leaves it."""
        kept = {name: final.get(name, row[name]) for name in _KEPT}
        self._db.run(
            attempts.insert(), item_seq=row["seq"], attempt=row["attempt"], budget=budget, **kept
        )

    def _begin_next(self, row: Row, *, state: ItemState, **values: Any) -> None:
        """Make an ended item wait for its next attempt: same place in line, new token."""
        move(state, ItemState.QUEUED)
        queued = json.dumps({ItemState.QUEUED.value: self._clock.now_ms()})
        changed = {**_AFRESH, **self._next_token(row), "times": queued, **values}
        self._set(row["seq"], attempt=row["attempt"] + 1, **changed)
        self._lease(row["holder_n"], row["id"], None)

    def _past(self, row: Row, attempt: int) -> Row | None:
        """Return an earlier attempt of an item."""
        return self._db.one(PAST, seq=row["seq"], attempt=attempt)

    def _report_past(self, agent: Row, row: Row, report: Report) -> Answer:
        """Take what the holder of an earlier attempt still has to say: that its log is complete.

        What it reported before is known; its end is final. Under an old token it may still say
        that the log is complete, for the end may have been taken as evidence only.
        """
        past = self._past(row, report.lease.attempt)
        if past is None or past["agent_n"] != agent["n"]:
            return _STALE
        known = _record(past)
        answer = judge_report(known, report)
        values: dict[str, Any] = {"logs_complete": 1} if report.fact.logs_complete else {}
        if answer.verdict is Verdict.TAKEN and answer.seq > known.seq:
            values["reported"] = report.seq
        if values:
            where = {"b_seq": row["seq"], "b_attempt": known.attempt}
            self._db.run(_SET_PAST, **where, **values)
        return answer


def _reason(row: Row) -> Reason | None:
    return Reason(row["reason"]) if row["reason"] else None


def _what_follows(row: Row, how: End, decision: Retry) -> str:
    """Return why an item waits for its next attempt, for people."""
    return (
        f"attempt {row['attempt']} {how.state} ({how.reason or 'no reason was given'});"
        f" retry {decision.number} of {decision.of} for {decision.budget}"
    )


def _record(past: Row) -> Record:
    """Return what `domain.reports` needs to judge what is said of an earlier attempt."""
    return Record(
        attempt=past["attempt"],
        token=Token(past["token_epoch"], past["token_counter"]),
        seq=past["reported"],
        item_state=ItemState.DONE,
        attempt_state=AttemptState(past["attempt_state"]),
        place=None,
        holder=past["holder"] or "",
    )
