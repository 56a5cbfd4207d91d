"""Heartbeats: one row is written, whatever the number of leases."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from sqlalchemy import bindparam, select

from launchyard.adapters.sql.agents import SET_AGENT
from launchyard.adapters.sql.claims import SqlClaims
from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.fates import GRANT_BY_ID
from launchyard.adapters.sql.held import Lease
from launchyard.adapters.sql.tables import MISSED, items
from launchyard.domain.exchange import Heartbeat, HeartbeatAnswer, ItemGrant, LeaseRef
from launchyard.domain.item import ItemState
from launchyard.domain.lease import Token, unlisted_expires
from launchyard.domain.wire import to_json

LEASES = select(items.c.id, items.c.attempt, items.c.token_epoch, items.c.token_counter).where(
    items.c.holder_n == bindparam("agent_n")
)
MISSING = select(items.c.id, items.c.seq).where(items.c.holder_n == bindparam("agent_n"), MISSED)
_ITEM = select(items).where(items.c.id == bindparam("id"))


class SqlBeats(SqlClaims):
    """Compares what an agent lists with what the store knows."""

    def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer:
        with self._write():
            agent = self._caller(beat.caller)
            now = self._clock.now_ms()
            self._db.run(
                SET_AGENT,
                b_n=agent["n"],
                lease_until_ms=self._lease_until(now),
                seen_ms=now,
                status=beat.status,
                standing=json.dumps(to_json(beat.standing)),
            )
            held = self._held(agent)
            if beat.digest:
                return self._judge_digest(agent, beat)
            strange, listed = _compare(held, beat.leases)
            self._heard(agent, listed)
            missing = (
                [item for item in held if item not in listed] if len(listed) < len(held) else []
            )
            return HeartbeatAnswer(
                ttl_s=self._settings.ttl_s,
                commands=tuple(self._commands(agent, beat.status)),
                unlisted=tuple(self._missed(missing)),
                stale=tuple(ref for ref in strange if not self._ended_under(ref, agent)),
            )

    def given_up(self) -> Sequence[str]:
        return self._given_up.take()

    def _judge_digest(self, agent: Row, beat: Heartbeat) -> HeartbeatAnswer:
        """Take a digest for the list when it is that of what is held; else ask for the list."""
        missing = bool(self._db.rows(MISSING, agent_n=agent["n"]))
        known = self._leases.digest(agent["n"])
        return HeartbeatAnswer(
            ttl_s=self._settings.ttl_s,
            commands=tuple(self._commands(agent, beat.status)),
            relist=missing or beat.digest != known,
        )

    def _held(self, agent: Row) -> dict[str, Lease]:
        """Return the leases of an agent by item; they are read only when others changed them."""
        n, version = agent["n"], agent["leases_version"]
        known = self._leases.get(n, version)
        if known is None:
            rows = self._db.rows(LEASES, agent_n=n)
            known = {row[0]: (row[1], row[2], row[3]) for row in rows}
            self._leases.put(n, version, known)
        return known

    def _missed(self, missing: Sequence[str]) -> Iterator[ItemGrant]:
        """Count a beat in which leases were missing; hand each out once, then give it up."""
        for item in missing:
            row = self._db.rows(GRANT_BY_ID, id=item)[0]
            missed = row["missed"] + 1
            if unlisted_expires(missed):
                self._drop(row)
                self._given_up.note(item)
            else:
                self._set(row["seq"], missed=missed)
                yield self._grant(row, {})

    def _heard(self, agent: Row, listed: set[str]) -> None:
        """Begin the count of missing beats again for what is listed."""
        for row in self._db.rows(MISSING, agent_n=agent["n"]):
            if row["id"] in listed:
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


def _compare(held: dict[str, Lease], leases: Sequence[LeaseRef]) -> tuple[list[LeaseRef], set[str]]:
    """Return the listed leases that are not held, and the items of those that are."""
    strange: list[LeaseRef] = []
    listed: set[str] = set()
    known = held.get
    for ref in leases:
        token = ref.token
        if known(ref.item) == (ref.attempt, token.epoch, token.counter):
            listed.add(ref.item)
        else:
            strange.append(ref)
    return strange, listed
