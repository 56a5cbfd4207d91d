"""Agents that know no leases, and what becomes of their items: judged by `domain.stock`."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass

from sqlalchemy import bindparam, select, text, update

from launchyard.adapters.sql.agents import AGENT, AGENT_VIEW, SET_AGENT, agent_view
from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.reports import SqlReports
from launchyard.adapters.sql.rows import GRANT, times
from launchyard.adapters.sql.run_tables import runs
from launchyard.adapters.sql.tables import agents, items
from launchyard.domain.attempt import AttemptState, take
from launchyard.domain.exchange import AgentHello, Caller, ClaimRequest, ItemGrant
from launchyard.domain.item import ItemState, move
from launchyard.domain.reason import Reason
from launchyard.domain.stock import (
    ACK_S,
    RUN_CRASHED,
    RUN_PENDING,
    SILENT_S,
    heard_until_ms,
    scope_of,
)
from launchyard.ports.records import AgentView, StoreError, Trouble
from launchyard.ports.tracking import RunKey

_EPOCH = 1
"""A stock agent begins once: its next start is another agent."""

_STOPPED = "stopped"
_HELD = GRANT.add_columns(
    agents.c.id.label("holder"), agents.c.seen_ms.label("agent_seen_ms"), agents.c.stock
).outerjoin(agents, agents.c.n == items.c.holder_n)
HELD_BY_ID = _HELD.where(items.c.id == bindparam("id"))
UNHEARD = (
    _HELD.where(items.c.unheard_until_ms.is_not(None), items.c.unheard_until_ms <= bindparam("now"))
    .order_by(items.c.unheard_until_ms)
    .limit(bindparam("most"))
)
_GRACE = update(items).where(items.c.unheard_until_ms.is_not(None))
_GRACE_CLAIMED = _GRACE.where(text("items.state = 'claimed'"))
RUN_OF = (
    select(runs)
    .where(runs.c.item_seq == bindparam("seq"), runs.c.attempt == bindparam("attempt"))
    .order_by(runs.c.n.desc())
    .limit(1)
)
SET_RUN = update(runs).where(runs.c.n == bindparam("b_n"))
RUN = select(runs).where(
    runs.c.entity_n == bindparam("entity_n"),
    runs.c.project == bindparam("project"),
    runs.c.name == bindparam("name"),
)
ADD_RUN = runs.insert()
_NOT_BEGUN = f"its agent said nothing for {SILENT_S:.0f} s, and no run of it began"
_FELL_SILENT = f"its run said nothing for {SILENT_S:.0f} s"


@dataclass(slots=True)
class Silent:
    """What a scan did with items of stock agents."""

    moved: list[Row]
    requeued: int = 0
    lost: int = 0


class SqlStock(SqlReports):
    """The `StockAgents` part of the store, and the scan of its items."""

    def stock_hello(self, hello: AgentHello) -> AgentView:
        agent = self.hello(hello).agent
        name = f"{hello.name}-{secrets.token_hex(3)}"
        with self._write():
            row = self._stock_row(agent, new=True)
            now = self._clock.now_ms()
            until = heard_until_ms(now)
            self._db.run(SET_AGENT, b_n=row["n"], stock=1, name=name, lease_until_ms=until)
        return self._view_of(agent)

    def stock_heard(self, agent: str, status: str = "") -> AgentView:
        with self._write():
            row = self._stock_row(agent)
            now = self._clock.now_ms()
            # One that was told to stop says once more that it polls, after it has said goodbye.
            over = status == _STOPPED or bool(row["drain"] and row["status"] == _STOPPED)
            told = {"status": _STOPPED if over else status} if status else {}
            until = None if over else heard_until_ms(now)
            self._db.run(SET_AGENT, b_n=row["n"], seen_ms=now, lease_until_ms=until, **told)
        return self._view_of(agent)

    def stock_pop(self, agent: str, queue: str) -> ItemGrant | None:
        self.stock_heard(agent)
        wish = ClaimRequest(
            caller=Caller(agent=agent, epoch=_EPOCH),
            claim_id=secrets.token_hex(8),
            queues=(queue,),
            free=1,
        )
        return next(iter(self.claim(wish).items), None)

    def stock_ack(self, item: str, run: RunKey) -> bool:
        with self._write():
            row = self._db.one(HELD_BY_ID, id=item)
            if row is None or not row["stock"]:
                return False
            if row["state"] != ItemState.CLAIMED:
                return self._acked_before(row, run)
            now = self._clock.now_ms()
            move(ItemState(row["state"]), ItemState.LAUNCHING)
            self._set(
                row["seq"],
                state=move(ItemState.LAUNCHING, ItemState.LAUNCHED).value,
                attempt_state=take(AttemptState.CLAIMED, AttemptState.PENDING).value,
                place_scope=scope_of(row["holder"]),
                place_name=run.name,
                place_uid=run.name,
                run_id=run.name,
                unheard_until_ms=heard_until_ms(now),
                times=times(row, (ItemState.LAUNCHED.value, now)),
            )
            self._expect_run(row, run)
            return True

    def _acked_before(self, row: Row, run: RunKey) -> bool:
        """Tell whether this acknowledgement is the one that counted, sent again.

        The name of a run that the launch chose says nothing: every agent would use it.
        """
        spec = json.loads(row["spec"])
        chosen = isinstance(spec, dict) and bool(spec.get("run_id"))
        return bool(row["state"] == ItemState.LAUNCHED and row["place_name"] == run.name) and (
            not chosen
        )

    def _expect_run(self, row: Row, run: RunKey) -> None:
        """Have the row of the item's run, which is to begin; each attempt has a log of its own."""
        now = self._clock.now_ms()
        where = {"entity_n": self._entity_n(run.entity), "project": run.project, "name": run.name}
        known = self._db.one(RUN, **where)
        link = {"item_seq": row["seq"], "attempt": row["attempt"]}
        if known is None:
            values = {"state": RUN_PENDING, "created_ms": now, "heard_ms": now}
            self._db.run(ADD_RUN, **where, **link, **values, submitter=row["submitter"])
        else:
            anew = {"stop": 0, "exit_code": None, "log_lines": 0, "state": RUN_PENDING}
            self._db.run(SET_RUN, b_n=known["n"], **link, **anew)

    def stock_failed(self, item: str, reason: Reason, detail: str) -> bool:
        with self._write():
            row = self._db.one(HELD_BY_ID, id=item)
            if row is None or not row["stock"]:
                return False
            self._end_stock(row, AttemptState.FAILED, reason, detail)
            return True

    def _end_stock(self, row: Row, end: AttemptState, reason: Reason, detail: str) -> None:
        """End an item of a stock agent; one whose end was asked for is cancelled."""
        if row["cancel"] and end is not AttemptState.SUCCEEDED:
            end, reason = AttemptState.CANCELLED, Reason.CANCELLED
        self._conclude(row, end, reason=reason.value, detail=detail, logs_complete=1)

    def _look_after_stock(self, now: int, most: int) -> Silent:
        """Put back what nobody acknowledged, and give up what nobody speaks for."""
        done = Silent([])
        for row in self._db.rows(UNHEARD, now=now, most=most):
            if row["state"] == ItemState.QUEUED:  # restored by a release that left the mark
                self._set(row["seq"], unheard_until_ms=None)
                continue
            if row["state"] == ItemState.CLAIMED:
                self._drop(row)
                done.requeued += 1
            elif not self._give_up(row, now):
                continue
            else:
                done.lost += 1
            done.moved.append(row)
        return done

    def _give_up(self, row: Row, now: int) -> bool:
        """End an item that nobody has spoken for, or note until when somebody has."""
        run = self._db.one(RUN_OF, seq=row["seq"], attempt=row["attempt"])
        began = run is not None and run["state"] != RUN_PENDING
        heard = run["heard_ms"] if run is not None and began else row["agent_seen_ms"]
        until = heard_until_ms(heard or 0)
        if until > now:
            self._set(row["seq"], unheard_until_ms=until)
            return False
        if run is not None:
            self._db.run(SET_RUN, b_n=run["n"], state=RUN_CRASHED)
        why = _FELL_SILENT if began else _NOT_BEGUN
        self._end_stock(row, AttemptState.LOST, Reason.AGENT_SILENT, why)
        return True

    def _grace_stock(self, now: int) -> None:
        """Give everybody a full term to be heard again."""
        self._db.run(_GRACE, unheard_until_ms=heard_until_ms(now))
        self._db.run(_GRACE_CLAIMED, unheard_until_ms=now + round(ACK_S * 1000))

    def _stock_row(self, agent: str, *, new: bool = False) -> Row:
        row = self._db.one(AGENT, id=agent)
        if row is None or not (row["stock"] or new):
            raise StoreError(f"there is no W&B agent {agent!r}", Trouble.NOT_FOUND)
        return row

    def _view_of(self, agent: str) -> AgentView:
        with self._db.read():
            return agent_view(self._db.rows(AGENT_VIEW, id=agent)[0], self._clock.now_ms())
