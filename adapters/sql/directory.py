"""Entities, keys and queues."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy import Select, TextClause, bindparam, select, update

from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.modes import Modes
from launchyard.adapters.sql.tables import (
    ACTIVE,
    DELAYED,
    WAITING,
    configs,
    entities,
    items,
    keys,
    queues,
)
from launchyard.domain.documents import Json
from launchyard.domain.priority import QueueMode
from launchyard.domain.rights import EntityKind, Principal, Role
from launchyard.ports.records import Entity, KeyRecord, Queue, QueueChange, StoreError, Trouble

_KEYS = select(keys).order_by(keys.c.created_ms, keys.c.id)
_KEY = select(keys).where(keys.c.digest == bindparam("digest"), keys.c.revoked_ms.is_(None))
_REVOKE = update(keys).where(keys.c.id == bindparam("b_id"), keys.c.revoked_ms.is_(None))
_KEY_BY_ID = select(keys.c.id).where(keys.c.id == bindparam("id"))
_ENTITIES = select(entities).order_by(entities.c.name)
_VIEW = (
    select(queues, entities.c.name.label("entity"), configs.c.document, configs.c.variables)
    .join(entities, entities.c.n == queues.c.entity_n)
    .join(configs, configs.c.n == queues.c.config_n)
)
_QUEUES = _VIEW.where(queues.c.deleted_ms.is_(None)).order_by(entities.c.name, queues.c.name)
_QUEUES_OF = _QUEUES.where(entities.c.name == bindparam("entity"))
_QUEUE = _VIEW.where(queues.c.n == bindparam("n"))
_CHANGE = update(queues).where(queues.c.n == bindparam("b_n"))
_ADD_CONFIG = configs.insert().returning(configs.c.n)
_ADD_QUEUE = queues.insert().returning(queues.c.n)


def _any_item(where: TextClause) -> Select[tuple[int]]:
    """Select one item of a queue that *where* is true of."""
    return select(items.c.seq).where(items.c.queue_n == bindparam("queue_n"), where).limit(1)


_ANY_WAITING = _any_item(WAITING)
_ANY_DELAYED = _any_item(DELAYED)
_ANY_ACTIVE = _any_item(ACTIVE)


class SqlDirectory(Modes):
    """The `Directory` part of the store."""

    def add_entity(self, entity: Entity) -> Entity:
        new = replace(entity, created_ms=entity.created_ms or self._clock.now_ms())
        self._add(
            f"an entity {new.name!r}",
            lambda: self._db.run(
                entities.insert(), name=new.name, kind=new.kind.value, created_ms=new.created_ms
            ),
        )
        return new

    def entities(self) -> Sequence[Entity]:
        with self._db.read():
            rows = self._db.rows(_ENTITIES)
        return [
            Entity(name=r["name"], kind=EntityKind(r["kind"]), created_ms=r["created_ms"])
            for r in rows
        ]

    def add_key(self, key: KeyRecord) -> KeyRecord:
        new = replace(key, created_ms=key.created_ms or self._clock.now_ms())

        def add() -> None:
            if new.entity:
                self._entity_n(new.entity)
            self._db.run(
                keys.insert(),
                id=new.id,
                user=new.user,
                entity=new.entity,
                role=new.role.value,
                label=new.label,
                digest=new.digest,
                created_ms=new.created_ms,
                revoked_ms=new.revoked_ms,
            )

        self._add("such a key", add)
        return new

    def keys(self, user: str = "") -> Sequence[KeyRecord]:
        with self._db.read():
            rows = self._db.rows(_KEYS)
        return [_key(row) for row in rows if not user or row["user"] == user]

    def revoke_key(self, key_id: str) -> None:
        with self._db.write():
            if self._db.one(_KEY_BY_ID, id=key_id) is None:
                raise StoreError(f"there is no key {key_id!r}", Trouble.NOT_FOUND)
            self._db.run(_REVOKE, b_id=key_id, revoked_ms=self._clock.now_ms())
        self._base.shared.principals.clear()

    def principal(self, digest: str) -> Principal | None:
        """Return whom a key speaks for; asked on every request, so it is remembered shortly."""
        known = self._base.shared.principals.get(digest)
        now = self._clock.boottime()
        if known and 0 <= now - known[0] < self._settings.keys_for_s:
            return known[1]
        with self._db.read():
            row = self._db.one(_KEY, digest=digest)
        if row is None:
            self._base.shared.principals.pop(digest, None)
            return None
        found = _principal(row)
        self._base.shared.principals[digest] = (now, found)
        return found

    def add_queue(self, queue: Queue) -> Queue:
        new = replace(queue, created_ms=queue.created_ms or self._clock.now_ms())

        def add() -> None:
            self._db.number(
                _ADD_QUEUE,
                entity_n=self._entity_n(new.entity),
                name=new.name,
                resource=new.resource,
                config_n=self._add_config(new.config, new.template_variables),
                paused=int(new.paused),
                **settings_of(new),
                created_ms=new.created_ms,
            )

        self._add(f"a queue {new.entity}/{new.name}", add)
        return new

    def queue(self, entity: str, name: str) -> Queue:
        with self._db.read():
            n = self._queue_row(entity, name)["n"]
            return self._queue_view(n)

    def _queue_view(self, n: int) -> Queue:
        return _queue(self._db.rows(_QUEUE, n=n)[0])

    def queues(self, entity: str = "") -> Sequence[Queue]:
        with self._db.read():
            rows = self._db.rows(_QUEUES_OF, entity=entity) if entity else self._db.rows(_QUEUES)
        return [_queue(row) for row in rows]

    def change_queue(self, entity: str, name: str, change: QueueChange) -> Queue:
        values: dict[str, object] = {}
        if change.overridable is not None:
            values["overridable"] = _paths(change.overridable)
        if change.limit is not None or change.no_limit:
            values["most_active"] = None if change.no_limit else change.limit
        if change.paused is not None:
            values["paused"] = int(change.paused)
        if change.retry is not None:
            values["retry"] = json.dumps(change.retry)
        if change.mode is not None:
            values["mode"] = change.mode.value
        with self._db.write():
            n = self._queue_row(entity, name)["n"]
            before = self._queue_view(n)
            values |= self._new_config(before, change.config, change.template_variables)
            self._set_mode(n, before.mode, change.mode or before.mode)
            if values:
                self._db.run(_CHANGE, b_n=n, **values)
            return self._queue_view(n)

    def delete_queue(self, entity: str, name: str) -> None:
        with self._db.write():
            n = self._queue_row(entity, name)["n"]
            waiting = ((_ANY_WAITING, "wait"), (_ANY_DELAYED, "wait"))
            for found, what in (*waiting, (_ANY_ACTIVE, "run")):
                if self._db.one(found, queue_n=n):
                    raise StoreError(
                        f"queue {entity}/{name} has items that {what};"
                        " cancel them, or wait for their end",
                        Trouble.NOT_EMPTY,
                    )
            self._db.run(_CHANGE, b_n=n, deleted_ms=self._clock.now_ms())

    def put_queue(self, queue: Queue, *, dry_run: bool = False) -> Queue:
        with self._db.read() if dry_run else self._db.write():
            found = self._find_queue(self._entity_n(queue.entity), queue.name)
            if found is not None:
                before = self._queue_view(found["n"])
                self._check_put(found["n"], before, queue)
                return queue if dry_run else self._replace_queue(before, found["n"], queue)
        return queue if dry_run else self.add_queue(queue)

    def _check_put(self, n: int, before: Queue, queue: Queue) -> None:
        """Refuse what a queue cannot become."""
        if before.resource != queue.resource:
            raise StoreError(
                f"queue {queue.entity}/{queue.name} is on {before.resource}, and its target cannot"
                " be changed; make another queue, or delete this one first",
                Trouble.CONFLICT,
            )
        self._check_mode(n, before.mode, queue.mode)

    def _replace_queue(self, before: Queue, n: int, queue: Queue) -> Queue:
        """Give a queue all settings of *queue*, and those alone."""
        self._set_mode(n, before.mode, queue.mode)
        variables = queue.template_variables or {}
        values = settings_of(queue) | self._new_config(before, queue.config, variables)
        self._db.run(_CHANGE, b_n=n, paused=int(queue.paused), **values)
        return self._queue_view(n)

    def _new_config(self, before: Queue, config: Json, variables: Json) -> dict[str, object]:
        """Return the column that changes when one of the two is given and not what it was."""
        now = (
            before.config if config is None else config,
            before.template_variables if variables is None else variables or None,
        )
        if now == (before.config, before.template_variables):
            return {}
        return {"config_n": self._add_config(*now)}

    def _add_config(self, config: object, variables: Json) -> int:
        """Keep a configuration beside the older ones, which running items still have."""
        document, described = json.dumps(config), json.dumps(variables or {})
        return self._db.number(_ADD_CONFIG, document=document, variables=described)

    def _add(self, what: str, write: Callable[[], None]) -> None:
        """Run *write* in a transaction; a name that is taken is EXISTS."""
        try:
            with self._db.write():
                write()
        except StoreError as e:
            if self._db.is_duplicate(e):
                raise StoreError(f"there is already {what}", Trouble.EXISTS) from None
            raise


def settings_of(queue: Queue) -> dict[str, object]:
    """Return the columns of a queue's settings that have no history."""
    return {
        "overridable": _paths(queue.overridable),
        "mode": queue.mode.value,
        "most_active": queue.limit,
        "retry": json.dumps(queue.retry),
    }


def _paths(paths: tuple[str, ...] | None) -> str | None:
    return None if paths is None else json.dumps(paths)


def _key(row: Row) -> KeyRecord:
    return KeyRecord(
        id=row["id"],
        user=row["user"],
        entity=row["entity"],
        role=Role(row["role"]),
        label=row["label"],
        digest=row["digest"],
        created_ms=row["created_ms"],
        revoked_ms=row["revoked_ms"],
    )


def _principal(row: Row) -> Principal:
    role = Role(row["role"])
    if row["entity"]:
        return Principal(user=row["user"], key_id=row["id"], roles={row["entity"]: role})
    return Principal(user=row["user"], key_id=row["id"], roles={}, everywhere=role)


def _queue(row: Row) -> Queue:
    paths = row["overridable"]
    return Queue(
        entity=row["entity"],
        name=row["name"],
        resource=row["resource"],
        config=json.loads(row["document"]),
        overridable=None if paths is None else tuple(json.loads(paths)),
        limit=row["most_active"],
        paused=bool(row["paused"]),
        mode=QueueMode(row["mode"]),
        template_variables=json.loads(row["variables"]) or None,
        retry=json.loads(row["retry"]),
        created_ms=row["created_ms"],
    )
