"""People's retries, dead letters, and what waits for its moment."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from sqlalchemy import bindparam, select

from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.listing import SqlListing
from launchyard.adapters.sql.modes import priority_in
from launchyard.adapters.sql.retries import QUEUE_OF, Retries
from launchyard.adapters.sql.rows import LISTED, item_view
from launchyard.adapters.sql.tables import DEAD, DELAYED, items, secrets
from launchyard.domain.item import ItemState
from launchyard.domain.reason import FailureClass
from launchyard.ports.records import ItemView, NewItem, StoreError, Trouble
from launchyard.ports.retries import BadEnd, DeadFilter, Ripe

NEXT_RIPE = select(items.c.not_before_ms).where(DELAYED).order_by(items.c.not_before_ms).limit(1)
RIPE = (
    select(items.c.seq, items.c.queue_n)
    .where(DELAYED, items.c.not_before_ms <= bindparam("now"))
    .order_by(items.c.not_before_ms)
    .limit(bindparam("most"))
)
DEAD_PAGE = (
    select(items.c.seq, items.c.reason)
    .where(
        items.c.queue_n == bindparam("queue_n"),
        DEAD,
        items.c.dead == bindparam("dead"),
        items.c.seq < bindparam("before"),
    )
    .order_by(items.c.seq.desc())
    .limit(bindparam("most"))
)
_ITEM = select(items).where(items.c.id == bindparam("id"))
_ITEM_BY_SEQ = select(items).where(items.c.seq == bindparam("seq"))
_LISTED = LISTED.where(items.c.seq == bindparam("seq"))
_OWN = select(secrets).where(secrets.c.item_seq == bindparam("seq"))
_PAGE = 500


class SqlAgain(SqlListing, Retries):
    """The `Retries` part of the store."""

    def retry(self, item: str, by: str) -> ItemView:
        with self._write():
            row = self._item_row(item)
            if row["state"] == ItemState.DONE:
                self._restart(row, by)
            elif row["not_before_ms"] is not None:
                self._set(row["seq"], not_before_ms=None)
            else:
                raise StoreError(
                    f"item {item} has not ended: it is {row['state']}", Trouble.CONFLICT
                )
            return self._shown(item)

    def _item_row(self, item: str) -> Row:
        row = self._db.one(_ITEM, id=item)
        if row is None:
            raise StoreError(f"there is no item {item!r}", Trouble.NOT_FOUND)
        return row

    def _restart(self, row: Row, by: str) -> None:
        """Begin an ended item's next attempt; all of its budgets are fresh."""
        queue = self._db.rows(QUEUE_OF, queue_n=row["queue_n"])[0]
        if queue["deleted_ms"] is not None:
            raise StoreError(f"the queue of item {row['id']} was deleted", Trouble.CONFLICT)
        if row["forgotten"]:
            names = ", ".join(json.loads(row["forgotten"]))
            raise StoreError(
                f"the secrets that came with item {row['id']} ({names}) were forgotten at its end;"
                " launch it anew with them",
                Trouble.CONFLICT,
            )
        self._keep(row, {}, "")
        self._begin_next(
            row,
            state=ItemState.DONE,
            fresh_from=row["attempt"] + 1,
            priority=priority_in(queue, row),
            detail=f"tried again by {by}" if by else "",
        )

    def duplicate(self, of: str, new: NewItem) -> ItemView:
        with self._write():
            row = self._item_row(of)
            own = {one["env"]: one["value"] for one in self._db.rows(_OWN, seq=row["seq"])}
            if row["forgotten"] or (own and new.submitter != row["submitter"]):
                names = ", ".join(own or json.loads(row["forgotten"]))
                why = f"are {row['submitter']}'s" if own else "were forgotten at its end"
                raise StoreError(
                    f"the secrets that came with item {of} ({names}) {why};"
                    " launch it anew with them",
                    Trouble.CONFLICT,
                )
            new = replace(new, secrets=own)
            self._insert(self._queue_row(new.entity, new.queue), new)
            return self._shown(new.id)

    def dead_letters(self, wanted: DeadFilter) -> Sequence[ItemView]:
        with self._db.read():
            seqs = self._dead(wanted)
            rows = [self._db.rows(_LISTED, seq=seq)[0] for seq in seqs]
        return [item_view(row, whole=False) for row in rows]

    def replay(self, wanted: DeadFilter, by: str) -> Sequence[str]:
        with self._write():
            rows = [self._db.rows(_ITEM_BY_SEQ, seq=seq)[0] for seq in self._dead(wanted)]
            for row in rows:
                self._restart(row, by)
            return [row["id"] for row in rows]

    def _dead(self, wanted: DeadFilter) -> list[int]:
        """Return the numbers of the dead letters that are wanted."""
        queue_n = self._queue_row(wanted.entity, wanted.queue)["n"]
        if wanted.items:
            return [self._named(item, queue_n, wanted) for item in wanted.items]
        before = self._before(wanted.before)
        lines = [self._letters(queue_n, one, before) for one in wanted.classes or FailureClass]
        merged = heapq.merge(*lines, key=lambda row: -row["seq"])
        right = (r["seq"] for r in merged if not wanted.reasons or r["reason"] in wanted.reasons)
        return list(islice(right, wanted.most))

    def _named(self, item: str, queue_n: int, wanted: DeadFilter) -> int:
        row = self._item_row(item)
        if row["queue_n"] != queue_n or not row["dead"]:
            where = f"{wanted.entity}/{wanted.queue}"
            raise StoreError(f"item {item} is no dead letter of {where}", Trouble.CONFLICT)
        return int(row["seq"])

    def _letters(self, queue_n: int, of: FailureClass, before: int) -> Iterator[Row]:
        """Give a queue's dead letters of one class page by page, the newest first.

        One class at a time: only then has an index all of it in order.
        """
        where = {"queue_n": queue_n, "dead": of.value, "most": _PAGE}
        while rows := self._db.rows(DEAD_PAGE, before=before, **where):
            yield from rows
            before = rows[-1]["seq"]

    def ripen(self) -> Ripe:
        now = self._clock.now_ms()
        with self._db.read():
            first = self._db.one(NEXT_RIPE)
        if first is None or first["not_before_ms"] > now:
            return Ripe(next_ms=first["not_before_ms"] if first else None)
        with self._write():
            due = self._db.rows(RIPE, now=now, most=self._settings.scan_most)
            for row in due:
                self._set(row["seq"], not_before_ms=None)
            ready = Counter(row["queue_n"] for row in due)
            after = self._db.one(NEXT_RIPE)
            return Ripe(
                ready=[self._ready(queue_n, count) for queue_n, count in ready.items()],
                next_ms=after["not_before_ms"] if after else None,
            )

    def _ready(self, queue_n: int, count: int) -> tuple[str, str, int]:
        queue: Any = self._db.rows(QUEUE_OF, queue_n=queue_n)[0]
        return (queue["entity"], queue["name"], count)

    def bad_ends(self) -> Sequence[BadEnd]:
        return self._bad_ends.take()
