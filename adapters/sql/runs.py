"""Runs, and the items of stock agents that follow them."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import bindparam, delete, select

from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.rows import times
from launchyard.adapters.sql.run_tables import run_files, runs
from launchyard.adapters.sql.stock import ADD_RUN, HELD_BY_ID, RUN, SET_RUN, SqlStock
from launchyard.adapters.sql.tables import agents, items
from launchyard.domain.attempt import AttemptState, take
from launchyard.domain.documents import Json
from launchyard.domain.item import ItemState
from launchyard.domain.stock import (
    RUN_CRASHED,
    RUN_PENDING,
    RUN_RUNNING,
    end_of,
    heard_until_ms,
    may_be_corrected,
    run_state,
    run_state_after,
)
from launchyard.ports.records import StoreError, Trouble
from launchyard.ports.tracking import Run, RunChange, RunKey, RunNews

_ITEM = (
    select(
        items.c.id,
        items.c.attempt,
        items.c.cancel,
        items.c.state,
        items.c.attempt_state,
        items.c.reason,
        agents.c.stock,
    )
    .outerjoin(agents, agents.c.n == items.c.agent_n)
    .where(items.c.seq == bindparam("seq"))
)
_DROP = delete(runs).where(runs.c.n == bindparam("b_n"))
_CONSOLE = "console marks"
"""Where `about` has what a server noted of a run's console; no client can write it."""

_DROP_FILES = delete(run_files).where(run_files.c.owner == bindparam("b_owner"))


class SqlRuns(SqlStock):
    """The `Runs` part of the store."""

    def run(self, key: RunKey) -> Run | None:
        with self._db.read():
            row = self._run_row(key)
            return self._run_of(key, row) if row else None

    def tell_run(self, change: RunChange) -> tuple[Run, bool]:
        with self._write():
            row = self._run_row(change.key)
            values = self._said(change, row)
            if row is None:
                where = {"project": change.key.project, "name": change.key.name}
                entity_n = self._entity_n(change.key.entity)
                now = self._clock.now_ms()
                self._db.run(ADD_RUN, entity_n=entity_n, **where, **values, created_ms=now)
            else:
                self._db.run(SET_RUN, b_n=row["n"], **values)
            now_is = self._run_row(change.key)
            if now_is is None:
                raise StoreError("the run is gone", Trouble.NOT_FOUND)
            self._item_runs(now_is)
            return self._run_of(change.key, now_is), row is None or row["state"] == RUN_PENDING

    def _said(self, change: RunChange, row: Row | None) -> dict[str, Any]:
        """Return the columns that a run's own words set."""
        about = json.loads(row["about"]) if row else {}
        values: dict[str, Any] = {
            "about": json.dumps({**about, **change.about}),
            "heard_ms": self._clock.now_ms(),
        }
        if row is None or row["state"] == RUN_PENDING:
            values |= {"state": RUN_RUNNING, "submitter": change.submitter}
        elif not change.summary:  # a run that is resumed, or tells more of itself
            values |= {"state": RUN_RUNNING} if row["exit_code"] is None else {}
        if change.config is not None:
            values["config"] = json.dumps(change.config)
        if change.summary is not None:
            values["summary"] = json.dumps(change.summary)
        if change.attempt:
            values |= self._prove(change, row)
        elif change.item and (row is None or row["item_seq"] is None):
            values |= self._link(change)
        return values

    def _prove(self, change: RunChange, row: Row | None) -> dict[str, Any]:
        """Return the columns of a run whose attempt speaks; one that is of another begins anew."""
        found = self._db.one(HELD_BY_ID, id=change.item)
        if found is None or found["attempt"] != change.attempt:
            raise StoreError(f"attempt {change.attempt} is over", Trouble.NOT_FOUND)
        link: dict[str, Any] = {"item_seq": found["seq"], "attempt": found["attempt"]}
        if row is None or all(row[name] == value for name, value in link.items()):
            return link
        return {**link, "state": RUN_RUNNING, "exit_code": None, "stop": 0}

    def _link(self, change: RunChange) -> dict[str, Any]:
        """Return which attempt a run is of, if what it says can be."""
        found = self._db.one(HELD_BY_ID, id=change.item)
        if found is None or found["entity"] != change.key.entity:
            return {}
        return {"item_seq": found["seq"], "attempt": found["attempt"]}

    def _item_runs(self, run: Row) -> None:
        """Write down that the item of a stock agent runs, once its run has begun."""
        row = self._followed(run)
        if row is None or row["state"] == ItemState.DONE:
            return
        now = self._clock.now_ms()
        state = take(AttemptState(row["attempt_state"]), AttemptState.RUNNING)
        self._set(
            row["seq"],
            attempt_state=state.value,
            unheard_until_ms=heard_until_ms(now),
            times=times(row, (AttemptState.RUNNING.value, now)),
        )

    def hear_run(self, key: RunKey, news: RunNews) -> Run:
        with self._write():
            row = self._run_row(key)
            if row is None:
                raise StoreError(f"there is no run {key.name!r}", Trouble.NOT_FOUND)
            lines = ("log_lines", "history_lines", "event_lines")
            counts = {name: getattr(news, name) for name in lines}
            values: dict[str, Any] = {k: v for k, v in counts.items() if v is not None}
            if news.summary is not None:
                values["summary"] = json.dumps(news.summary)
            if news.console is not None:
                about = json.loads(row["about"])
                values["about"] = json.dumps({**about, _CONSOLE: news.console})
            if news.exit_code is not None:
                values |= {"exit_code": news.exit_code, "state": run_state(news.exit_code)}
            self._db.run(SET_RUN, b_n=row["n"], heard_ms=self._clock.now_ms(), **values)
            if news.exit_code is not None:
                self._item_ends(row, news.exit_code)
            now_is = self._run_row(key)
            return self._run_of(key, now_is or row)

    def _item_ends(self, run: Row, exit_code: int) -> None:
        row = self._followed(run)
        if row is None:
            return
        end, reason = end_of(exit_code, cancelled=bool(row["cancel"]))
        if row["state"] != ItemState.DONE:
            self._conclude(
                row,
                end,
                reason=reason.value,
                exit_code=exit_code,
                detail="",
                logs_complete=1,
            )
        elif may_be_corrected(AttemptState(row["attempt_state"]), row["reason"]):
            self._set(
                row["seq"],
                attempt_state=end.value,
                reason=reason.value,
                exit_code=exit_code,
                detail="the run told of its end after it had been given up",
                dead="" if end is AttemptState.SUCCEEDED else row["dead"],
                times=times(row, (end.value, self._clock.now_ms())),
            )

    def _followed(self, run: Row) -> Row | None:
        """Return the item that follows a run: one of a stock agent, at this attempt."""
        if run["item_seq"] is None:
            return None
        found = self._db.one(_ITEM, seq=run["item_seq"])
        if found is None or not found["stock"] or found["attempt"] != run["attempt"]:
            return None
        return self._db.one(HELD_BY_ID, id=found["id"])

    def stop_run(self, key: RunKey) -> bool:
        with self._write():
            row = self._run_row(key)
            if row is None:
                return False
            self._db.run(SET_RUN, b_n=row["n"], stop=1)
            return True

    def delete_run(self, key: RunKey) -> bool:
        with self._write():
            row = self._run_row(key)
            if row is None:
                return False
            self._db.run(_DROP_FILES, b_owner=key.owner)
            self._db.run(_DROP, b_n=row["n"])
            return True

    def _run_row(self, key: RunKey) -> Row | None:
        entity_n = self._entity_n(key.entity)
        return self._db.one(RUN, entity_n=entity_n, project=key.project, name=key.name)

    def _run_of(self, key: RunKey, row: Row) -> Run:
        item = self._db.one(_ITEM, seq=row["item_seq"]) if row["item_seq"] is not None else None
        here = item is not None and item["attempt"] == row["attempt"]
        about = json.loads(row["about"])
        console = about.pop(_CONSOLE, None)
        return Run(
            key=key,
            state=_state(row, item),
            item=item["id"] if item is not None else "",
            attempt=row["attempt"],
            stock=bool(here and item is not None and item["stock"]),
            cancel=bool(row["stop"] or (here and item is not None and item["cancel"])),
            exit_code=row["exit_code"],
            submitter=row["submitter"],
            about=about,
            console=console,
            config=_document(row["config"]),
            summary=_document(row["summary"]),
            log_lines=row["log_lines"],
            history_lines=row["history_lines"],
            event_lines=row["event_lines"],
            created_ms=row["created_ms"],
            heard_ms=row["heard_ms"],
        )


def _state(run: Row, item: Row | None) -> str:
    """Return a run's state: one that cannot speak any more is what became of its attempt.

    A run of a stock agent is settled with its item.
    """
    if item is None or item["stock"] or run["state"] not in {RUN_PENDING, RUN_RUNNING}:
        return str(run["state"])
    if item["attempt"] != run["attempt"]:
        return RUN_CRASHED
    over = item["state"] == ItemState.DONE and item["attempt_state"]
    return run_state_after(AttemptState(item["attempt_state"])) if over else str(run["state"])


def _document(text: str) -> Json:
    found: Json = json.loads(text)
    return found
