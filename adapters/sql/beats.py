"""Heartbeats: one row is written, whatever the number of leases."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, select

from launchyard.adapters.sql.agents import SET_AGENT
from launchyard.adapters.sql.claims import SqlClaims
from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.fates import GRANT_BY_ID
from launchyard.adapters.sql.held import Held
from launchyard.adapters.sql.tables import items
from launchyard.domain.exchange import Heartbeat, HeartbeatAnswer, ItemGrant, LeaseRef
from launchyard.domain.item import ItemState
from launchyard.domain.lease import Token, unlisted_expires

_ITEM = select(items).where(items.c.id == bindparam("id"))


class SqlBeats(SqlClaims):
    """Compares what an agent lists with what the store knows."""

    def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer:
        with self._db.write():
            agent = self._caller(beat.caller)
            held = self._held_by(agent)
            now = self._clock.now_ms()
            self._db.run(
                SET_AGENT,
                b_n=agent["n"],
                lease_until_ms=self._lease_until(now),
                seen_ms=now,
                status=beat.status,
            )
            strange, listed = _compare(held, beat.leases)
            unlisted: Sequence[ItemGrant] = ()
            if held.missed or len(listed) < len(held.leases):
                unlisted = self._miss(agent, held, listed)
            return HeartbeatAnswer(
                ttl_s=self._settings.ttl_s,
                commands=held.commands,
                unlisted=tuple(unlisted),
                stale=tuple(ref for ref in strange if not self._ended_under(ref, agent)),
            )

    def _miss(self, agent: Row, held: Held, listed: set[str]) -> Sequence[ItemGrant]:
        """Count beats in which a lease was missing; hand it out once, then give it up."""
        found: list[ItemGrant] = []
        for item in held.leases:
            row = self._db.rows(GRANT_BY_ID, id=item)[0] if item not in listed else None
            if row is None:
                continue
            missed = row["missed"] + 1
            if unlisted_expires(missed):
                self._drop(row)
            else:
                self._set(row["seq"], missed=missed)
                found.append(self._grant(row, {}))
        if held.missed:
            self._heard(listed)
        self._changed(agent["n"])
        return found

    def _heard(self, listed: set[str]) -> None:
        """Begin the count of missing beats again for what is listed."""
        for item in listed:
            row = self._db.rows(_ITEM, id=item)[0]
            if row["missed"]:
                self._set(row["seq"], missed=0)

    def _ended_under(self, ref: LeaseRef, agent: Row) -> bool:
        """Tell whether a listed item is done by this very lease: its holder knows, or will."""
        row = self._db.one(_ITEM, id=ref.item)
        return (
            row is not None
            and row["state"] == ItemState.DONE
            and row["agent_n"] == agent["n"]
            and row["attempt"] == ref.attempt
            and Token(row["token_epoch"], row["token_counter"]) == ref.token
        )


def _compare(held: Held, leases: Sequence[LeaseRef]) -> tuple[list[LeaseRef], set[str]]:
    """Return the listed leases that are not held, and the items of those that are."""
    strange: list[LeaseRef] = []
    listed: set[str] = set()
    known = held.leases.get
    for ref in leases:
        token = ref.token
        if known(ref.item) == (ref.attempt, token.epoch, token.counter):
            listed.add(ref.item)
        else:
            strange.append(ref)
    return strange, listed
