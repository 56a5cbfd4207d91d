"""What the parts of the store share."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, select

from launchyard.adapters.sql.database import Database, Row
from launchyard.adapters.sql.settings import StoreSettings
from launchyard.adapters.sql.tables import entities, items, queues
from launchyard.domain.lease import Token
from launchyard.domain.rights import Principal
from launchyard.ports.clock import Clock
from launchyard.ports.records import StoreError, Trouble

_ENTITY = select(entities).where(entities.c.name == bindparam("name"))
_ENTITIES = select(entities).order_by(entities.c.name)
_QUEUE = select(queues).where(
    queues.c.entity_n == bindparam("entity_n"),
    queues.c.name == bindparam("name"),
    queues.c.deleted_ms.is_(None),
)
_QUEUE_NAMES = (
    select(queues.c.name)
    .where(queues.c.entity_n == bindparam("entity_n"), queues.c.deleted_ms.is_(None))
    .order_by(queues.c.name)
)
_SEQ = select(items.c.seq, items.c.attempt).where(items.c.id == bindparam("id"))


@dataclass(slots=True)
class Shared:
    """What a store and its readers know together: keys looked up, with when."""

    principals: dict[str, tuple[float, Principal]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a part of the store is made from. `restore_epoch` begins every token."""

    database: Database
    clock: Clock
    settings: StoreSettings
    shared: Shared
    installation: str
    restore_epoch: int


class Part:
    """A part of the store: a connection, a clock, and the look-ups that all parts need."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._db = base.database
        self._clock = base.clock
        self._settings = base.settings

    def _entity_n(self, name: str) -> int:
        """Return the number of an entity; NOT_FOUND carries near names."""
        row = self._db.one(_ENTITY, name=name)
        if row is None:
            names = [found["name"] for found in self._db.rows(_ENTITIES)]
            raise self._unknown("entity", name, names)
        return int(row["n"])

    def _queue_row(self, entity: str, name: str) -> Row:
        """Return a queue's row; NOT_FOUND carries near names."""
        entity_n = self._entity_n(entity)
        row = self._db.one(_QUEUE, entity_n=entity_n, name=name)
        if row is None:
            raise self._no_queue(entity_n, f"{entity}/{name}", name)
        return row

    def _find_queue(self, entity_n: int, name: str) -> Row | None:
        return self._db.one(_QUEUE, entity_n=entity_n, name=name)

    def _no_queue(self, entity_n: int, shown: str, name: str) -> StoreError:
        names = [found["name"] for found in self._db.rows(_QUEUE_NAMES, entity_n=entity_n)]
        error = self._unknown("queue", name, names)
        return StoreError(
            str(error).replace(repr(name), repr(shown), 1), error.trouble, known=error.known
        )

    @staticmethod
    def _unknown(what: str, name: str, names: Sequence[str]) -> StoreError:
        known = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"; did you mean {known[0]!r}?" if known else ""
        return StoreError(f"there is no {what} {name!r}{hint}", Trouble.NOT_FOUND, known=known)

    def _seq(self, item: str, attempt: int = 1) -> int:
        """Return the number of an item that has come to *attempt*."""
        row = self._db.one(_SEQ, id=item)
        if row is None:
            raise StoreError(f"there is no item {item!r}", Trouble.NOT_FOUND)
        if not 1 <= attempt <= row["attempt"]:
            raise StoreError(
                f"item {item!r} has no attempt {attempt}; the newest is {row['attempt']}",
                Trouble.NOT_FOUND,
            )
        return int(row["seq"])

    def _next_token(self, row: Any) -> dict[str, int]:
        """Return the columns of the token that follows the row's."""
        token = Token(row["token_epoch"], row["token_counter"])
        after = token.following(self._base.restore_epoch)
        return {"token_epoch": after.epoch, "token_counter": after.counter}
