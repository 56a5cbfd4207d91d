"""Items, as submitters and readers use them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import bindparam, func, select, text

from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.directory import SqlDirectory
from launchyard.adapters.sql.fates import Fates
from launchyard.adapters.sql.rows import SHOWN, item_view
from launchyard.adapters.sql.tables import (
    ACTIVE,
    DEAD,
    DELAYED,
    DONE,
    WAITING,
    agents,
    attempts,
    items,
    secrets,
)
from launchyard.domain.attempt import AttemptState
from launchyard.domain.item import ItemState
from launchyard.domain.priority import DEFAULT, Priority, QueueMode
from launchyard.domain.secrets import references
from launchyard.ports.records import ItemView, NewItem, QueueCounts, StoreError, Trouble

_SHOWN = SHOWN.where(items.c.id == bindparam("id"))
_BY_KEY = select(items.c.id, items.c.body_digest).where(
    items.c.entity_n == bindparam("entity_n"),
    items.c.idempotency_key == bindparam("key"),
    items.c.idempotency_key != "",
)
_ADD = items.insert().returning(items.c.seq)
_ITEM = select(items).where(items.c.id == bindparam("id"))
_IN_QUEUE = select(func.count()).where(items.c.queue_n == bindparam("queue_n"))
COUNT_WAITING = _IN_QUEUE.where(WAITING)
COUNT_ACTIVE = _IN_QUEUE.where(ACTIVE)
COUNT_DONE = _IN_QUEUE.where(DONE)
COUNT_DELAYED = _IN_QUEUE.where(DELAYED, text("items.state = 'queued'"))
COUNT_DEAD = _IN_QUEUE.where(DEAD)
_SOONER = COUNT_WAITING.where(items.c.priority < bindparam("priority"))
_OLDER = COUNT_WAITING.where(
    items.c.priority == bindparam("priority"), items.c.seq <= bindparam("seq")
)
POSITION = select(_SOONER.scalar_subquery() + _OLDER.scalar_subquery())
"""Two counts, each of one stretch of the index: to compare pairs costs twenty times as much."""
OLDEST = (
    select(items.c.enqueued_ms)
    .where(items.c.queue_n == bindparam("queue_n"), WAITING)
    .order_by(items.c.priority, items.c.seq)
    .limit(1)
)
_ATTEMPTS = (
    select(attempts, agents.c.id.label("agent_id"), agents.c.name.label("agent_name"))
    .outerjoin(agents, agents.c.n == attempts.c.agent_n)
    .where(attempts.c.item_seq == bindparam("seq"))
    .order_by(attempts.c.attempt)
)


class SqlItems(SqlDirectory, Fates):
    """The `Items` part of the store."""

    def enqueue(self, new: NewItem) -> tuple[ItemView, bool]:
        try:
            with self._write():
                queue = self._queue_row(new.entity, new.queue)
                known = self._same(queue["entity_n"], new.idempotency_key, new.body_digest)
                if known:
                    return self._shown(known), False
                self._insert(queue, new)
                return self._shown(new.id), True
        except StoreError as e:
            if self._db.is_duplicate(e):
                raise StoreError(f"there is already an item {new.id!r}", Trouble.EXISTS) from None
            raise

    def repeated(self, entity: str, key: str, body_digest: str) -> ItemView | None:
        if not key:
            return None
        with self._db.read():
            known = self._same(self._entity_n(entity), key, body_digest)
            return self._shown(known) if known else None

    def _same(self, entity_n: int, key: str, body_digest: str) -> str:
        """Return the item that was put there with the same key, if any."""
        if not key:
            return ""
        row = self._db.one(_BY_KEY, entity_n=entity_n, key=key)
        if row and row["body_digest"] != body_digest:
            raise StoreError(
                f"the idempotency key {key!r} was used for another request,"
                f" which is item {row['id']}; send the same request, or use a new key",
                Trouble.CONFLICT,
            )
        return str(row["id"]) if row else ""

    def _insert(self, queue: Row, new: NewItem) -> None:
        now = self._clock.now_ms()
        seq = self._db.number(
            _ADD,
            id=new.id,
            entity_n=queue["entity_n"],
            queue_n=queue["n"],
            state=ItemState.QUEUED.value,
            priority=new.priority.value,
            token_epoch=self._base.restore_epoch,
            name=new.name,
            submitter=new.submitter,
            run_id=new.run_id,
            idempotency_key=new.idempotency_key,
            body_digest=new.body_digest,
            has_secrets=int(bool(new.secrets or references(new.spec))),
            retry=json.dumps(new.retry),
            not_before_ms=new.not_before_ms if (new.not_before_ms or 0) > now else None,
            enqueued_ms=now,
            times=json.dumps({ItemState.QUEUED.value: now}),
            spec=json.dumps(new.spec),
        )
        rows = [{"item_seq": seq, "env": k, "value": v} for k, v in new.secrets.items()]
        self._db.many(secrets.insert(), rows)

    def _shown(self, item: str) -> ItemView:
        row = self._db.one(_SHOWN, id=item)
        if row is None:
            raise StoreError(f"there is no item {item!r}", Trouble.NOT_FOUND)
        return item_view(row, whole=True)

    def item(self, item: str) -> ItemView:
        with self._db.read():
            return self._shown(item)

    def cancel(self, item: str, by: str) -> ItemView:
        with self._write():
            row = self._db.one(_ITEM, id=item)
            if row is None:
                raise StoreError(f"there is no item {item!r}", Trouble.NOT_FOUND)
            detail = f"cancelled by {by}" if by else ""
            if row["state"] == ItemState.QUEUED:
                self._finish_cancelled(row, detail)
            elif row["state"] != ItemState.DONE and not row["cancel"]:
                self._set(row["seq"], cancel=1, detail=detail)
            return self._shown(item)

    def set_priority(self, item: str, priority: Priority) -> ItemView:
        with self._write():
            row = self._db.one(_ITEM, id=item)
            if row is None:
                raise StoreError(f"there is no item {item!r}", Trouble.NOT_FOUND)
            if row["state"] != ItemState.QUEUED:
                raise StoreError(
                    f"item {item} waits no more: it is {row['state']}", Trouble.CONFLICT
                )
            if self._queue_view(row["queue_n"]).mode is QueueMode.FIFO and priority is not DEFAULT:
                raise StoreError(
                    "its queue serves by age alone; the queue's owner can set `mode: priority`",
                    Trouble.CONFLICT,
                )
            self._set(row["seq"], priority=priority.value)
            return self._shown(item)

    def attempts(self, item: str) -> Sequence[ItemView]:
        with self._db.read():
            now = self._shown(item)
            rows = self._db.rows(_ATTEMPTS, seq=self._seq(item))
        return [_earlier(now, row) for row in rows]

    def counts(self, entity: str, queue: str) -> QueueCounts:
        with self._db.read():
            n = self._queue_row(entity, queue)["n"]
            oldest = self._db.one(OLDEST, queue_n=n)
            return QueueCounts(
                waiting=self._db.number(COUNT_WAITING, queue_n=n),
                active=self._db.number(COUNT_ACTIVE, queue_n=n),
                done=self._db.number(COUNT_DONE, queue_n=n),
                delayed=self._db.number(COUNT_DELAYED, queue_n=n),
                dead=self._db.number(COUNT_DEAD, queue_n=n),
                oldest_waiting_ms=oldest["enqueued_ms"] if oldest else None,
            )


def _earlier(now: ItemView, row: Row) -> ItemView:
    """Return the item as it stood at the end of the attempt in *row*."""
    return replace(
        now,
        attempt=row["attempt"],
        retries=0,
        not_before_ms=None,
        dead="",
        state=ItemState.DONE,
        attempt_state=AttemptState(row["attempt_state"]),
        agent=row["agent_id"] or "",
        agent_name=row["agent_name"] or "",
        place_scope=row["place_scope"],
        place_name=row["place_name"],
        place_uid=row["place_uid"],
        reason=row["reason"],
        detail=row["detail"],
        exit_code=row["exit_code"],
        logs_complete=bool(row["logs_complete"]),
        times_ms=json.loads(row["times"]),
    )
