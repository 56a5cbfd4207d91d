"""What happens to one item's row when it loses its holder, ends, or gets a new one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from sqlalchemy import bindparam, delete, select, update

from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.file_tables import log_sources
from launchyard.adapters.sql.held import Lease, Leases
from launchyard.adapters.sql.named_secrets import OWN, SqlNamedSecrets
from launchyard.adapters.sql.part import Base
from launchyard.adapters.sql.rows import GRANT, grant, times
from launchyard.adapters.sql.tables import agents, items, secrets
from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import ItemGrant
from launchyard.domain.expiry import Fate, fate
from launchyard.domain.item import ItemState, move
from launchyard.domain.reason import Reason
from launchyard.ports.retries import BadEnd

SET_ITEM = update(items).where(items.c.seq == bindparam("b_seq"))
TOUCH = (
    update(agents)
    .where(agents.c.n == bindparam("b_n"))
    .values(leases_version=agents.c.leases_version + 1)
    .returning(agents.c.leases_version)
)
GRANT_BY_SEQ = GRANT.where(items.c.seq == bindparam("seq"))
GRANT_BY_ID = GRANT.where(items.c.id == bindparam("id"))
_FORGET = delete(secrets).where(secrets.c.item_seq == bindparam("b_seq"))
CURSORS = select(log_sources.c.source, log_sources.c.cursor).where(
    log_sources.c.item_seq == bindparam("seq"), log_sources.c.attempt == bindparam("attempt")
)


_T = TypeVar("_T")


class Notes(Generic[_T]):
    """What committed transactions noted, and nobody has asked for yet."""

    def __init__(self) -> None:
        self._new: list[_T] = []
        self._kept: list[_T] = []

    def begin(self) -> None:
        """Drop what a transaction that failed had noted."""
        self._new.clear()

    def note(self, one: _T) -> None:
        """Note something of the present transaction."""
        self._new.append(one)

    def commit(self) -> None:
        """Keep what the present transaction noted."""
        if self._new:
            self._kept += self._new
            del self._kept[:-_MOST_NOTES]
            self._new = []

    def take(self) -> list[_T]:
        """Return what was kept, once."""
        taken, self._kept = self._kept, []
        return taken


_MOST_NOTES = 10_000
"""Whoever never asks, such as a command that opens the store, must not fill the memory."""


class Fates(SqlNamedSecrets):
    """The moves of one item, each within a transaction that the caller holds."""

    def __init__(self, base: Base) -> None:
        super().__init__(base)
        self._leases = Leases()
        self._bad_ends = Notes[BadEnd]()
        self._given_up = Notes[str]()

    def _set(self, seq: int, **values: Any) -> None:
        self._db.run(SET_ITEM, b_seq=seq, **values)

    def _lease(self, agent_n: int | None, item: str, lease: Lease | None) -> None:
        """Note that an agent got a lease, or lost it."""
        if agent_n is not None:
            self._leases.note(agent_n, item, lease)

    @contextmanager
    def _write(self) -> Iterator[None]:
        """Hold a transaction that may change leases, and remember them once it is committed."""
        self._leases.begin()
        self._bad_ends.begin()
        self._given_up.begin()
        with self._db.write():
            yield
            for agent_n in self._leases.changed():
                self._leases.raised(agent_n, self._db.number(TOUCH, b_n=agent_n))
        self._leases.commit()
        self._bad_ends.commit()
        self._given_up.commit()

    def _fate(self, row: Row) -> Fate:
        return fate(ItemState(row["state"]), cancel=bool(row["cancel"]))

    def _drop(self, row: Row, *, released: bool = False) -> Fate:
        """Take an item from its holder, whose token is worth nothing from here on."""
        decided = self._fate(row)
        match decided:
            case Fate.REQUEUED:
                self._requeue(row)
            case Fate.OFFERED:
                self._offer(row, released=released)
            case Fate.CANCELLED:
                self._finish_cancelled(row, row["detail"])
        return decided

    def _requeue(self, row: Row) -> None:
        """Put an item back to its place in the queue: same order, same attempt."""
        self._set(
            row["seq"],
            state=ItemState.QUEUED.value,
            attempt_state=None,
            holder_n=None,
            config_n=None,
            missed=0,
            unheard_until_ms=None,
            **self._next_token(row),
        )
        self._lease(row["holder_n"], row["id"], None)

    def _offer(self, row: Row, *, released: bool) -> None:
        """Offer an item to whoever reaches its scope; a released one for as long as it takes."""
        until = self._clock.now_ms() + round(self._settings.host_lost_s * 1000)
        self._set(
            row["seq"],
            holder_n=None,
            missed=0,
            offered=1,
            offered_until_ms=None if released else until,
            **self._next_token(row),
        )
        self._lease(row["holder_n"], row["id"], None)

    def _finish_cancelled(self, row: Row, detail: str) -> None:
        self._finish(
            row,
            AttemptState.CANCELLED,
            reason=Reason.CANCELLED.value,
            detail=detail,
            cancel=1,
            not_before_ms=None,
        )

    def _finish(self, row: Row, end: AttemptState, **values: Any) -> None:
        """End an item; the token stays, so that its last holder may still add notes."""
        now = self._clock.now_ms()
        state = move(ItemState(row["state"]), ItemState.DONE)
        seen = ((end.value, now), (state.value, now))
        self._set(
            row["seq"],
            **{
                "state": state.value,
                "attempt_state": end.value,
                "holder_n": None,
                "missed": 0,
                "offered": 0,
                "offered_until_ms": None,
                "unheard_until_ms": None,
                "times": times(row, *seen),
                **values,
            },
        )
        if row["has_secrets"] and not values.get("dead"):
            self._forget(row)
        self._lease(row["holder_n"], row["id"], None)

    def _forget(self, row: Row) -> None:
        """Forget the secrets that came with an item; a dead letter keeps them for its replay."""
        names = [found["env"] for found in self._db.rows(OWN, seq=row["seq"])]
        if names:
            self._db.run(_FORGET, b_seq=row["seq"])
            self._set(row["seq"], forgotten=json.dumps(names))

    def _hand_over(self, row: Row, agent_n: int) -> dict[str, Any]:
        """Make an agent the holder, under a new token; return the columns that changed."""
        token = self._next_token(row)
        changed = {"holder_n": agent_n, "agent_n": agent_n, **token}
        self._lease(row["holder_n"], row["id"], None)
        self._lease(agent_n, row["id"], (row["attempt"], *token.values()))
        self._set(row["seq"], missed=0, offered=0, offered_until_ms=None, **changed)
        return changed

    def _grant(self, row: Row, changed: dict[str, Any]) -> ItemGrant:
        """Return what the holder is told: the row, its secrets, and how far its logs are."""
        seq = row["seq"]
        extra = dict(changed)
        if row["token_counter"]:  # somebody had it before, and may have sent logs
            cursors = self._db.rows(CURSORS, seq=seq, attempt=row["attempt"])
            extra["log_cursors"] = {r["source"]: r["cursor"] for r in cursors}
        if row["has_secrets"]:
            extra["secrets"] = self._sealed(row)
        return grant(row, extra)
