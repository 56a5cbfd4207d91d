"""Named secrets, as the vault sealed them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import bindparam, delete, select, update

from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.part import Part
from launchyard.adapters.sql.tables import entities, items, named_secrets, secrets
from launchyard.domain.secrets import references
from launchyard.ports.records import SealedSecrets, SecretRecord, StoreError, Trouble

_ALL = (
    select(named_secrets, entities.c.name.label("entity"))
    .join(entities, entities.c.n == named_secrets.c.entity_n)
    .order_by(entities.c.name, named_secrets.c.name)
)
_OF = _ALL.where(entities.c.name == bindparam("entity"))
_HERE = (
    named_secrets.c.entity_n == bindparam("b_entity_n"),
    named_secrets.c.name == bindparam("b_name"),
)
OWN = select(secrets).where(secrets.c.item_seq == bindparam("seq"))
_OF_ENTITY = select(named_secrets.c.name, named_secrets.c.sealed).where(
    named_secrets.c.entity_n == bindparam("entity_n")
)
_ITEM = (
    select(items.c.seq, items.c.entity_n, items.c.spec, items.c.has_secrets, entities.c.name)
    .join(entities, entities.c.n == items.c.entity_n)
    .where(items.c.id == bindparam("id"))
)
_ADD = named_secrets.insert()
_CHANGE = update(named_secrets).where(*_HERE)
_REMOVE = delete(named_secrets).where(*_HERE)


class SqlNamedSecrets(Part):
    """The `Secrets` part of the store."""

    def set_secret(self, secret: SecretRecord) -> SecretRecord:
        now = self._clock.now_ms()
        with self._db.write():
            n = self._entity_n(secret.entity)
            before = self._known(secret.entity).get(secret.name)
            values = {"sealed": secret.sealed, "set_by": secret.set_by, "changed_ms": now}
            if before:
                self._db.run(_CHANGE, b_entity_n=n, b_name=secret.name, **values)
            else:
                self._db.run(_ADD, entity_n=n, name=secret.name, created_ms=now, **values)
        return replace(secret, created_ms=before.created_ms if before else now, changed_ms=now)

    def secrets(self, entity: str = "") -> Sequence[SecretRecord]:
        with self._db.read():
            if entity:
                self._entity_n(entity)
                return list(self._known(entity).values())
            return [_record(row) for row in self._db.rows(_ALL)]

    def remove_secret(self, entity: str, name: str) -> None:
        with self._db.write():
            n, known = self._entity_n(entity), self._known(entity)
            if name not in known:
                raise self._unknown("secret", name, list(known))
            self._db.run(_REMOVE, b_entity_n=n, b_name=name)

    def sealed_secrets(self, item: str) -> SealedSecrets:
        with self._db.read():
            row = self._db.one(_ITEM, id=item)
            if row is None:
                raise StoreError(f"there is no item {item!r}", Trouble.NOT_FOUND)
            if not row["has_secrets"]:
                return SealedSecrets(item=item, entity=row["name"])
            names = references(json.loads(row["spec"]))
            values = self._sealed(row)
        return SealedSecrets(item=item, entity=row["name"], names=names, values=values)

    def _sealed(self, row: Row) -> dict[str, str]:
        """Return an item's secrets by variable: its own, and the named ones as they are now."""
        found = {r["env"]: r["value"] for r in self._db.rows(OWN, seq=row["seq"])}
        wanted = references(json.loads(row["spec"]))
        rows = self._db.rows(_OF_ENTITY, entity_n=row["entity_n"]) if wanted else ()
        kept = {r["name"]: r["sealed"] for r in rows}
        return found | {env: kept[name] for env, name in wanted.items() if name in kept}

    def _known(self, entity: str) -> dict[str, SecretRecord]:
        return {row["name"]: _record(row) for row in self._db.rows(_OF, entity=entity)}


def _record(row: Row) -> SecretRecord:
    return SecretRecord(
        entity=row["entity"],
        name=row["name"],
        sealed=row["sealed"],
        set_by=row["set_by"],
        created_ms=row["created_ms"],
        changed_ms=row["changed_ms"],
    )
