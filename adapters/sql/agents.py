"""Agents: how they begin, how they end, and how people see them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, func, select, update

from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.fates import GRANT_BY_SEQ
from launchyard.adapters.sql.retries import Retries
from launchyard.adapters.sql.tables import agents, entities, items
from launchyard.domain.exchange import AgentGrant, AgentHello, AgentStanding, Caller
from launchyard.domain.wire import from_json
from launchyard.ports.records import AgentView, StoreError, Trouble

AGENT = select(agents).where(agents.c.id == bindparam("id"))
SET_AGENT = update(agents).where(agents.c.n == bindparam("b_n"))
_ADD = agents.insert().returning(agents.c.n)
_ACTIVE = (
    select(func.count())
    .select_from(items)
    .where(items.c.holder_n == agents.c.n)
    .correlate(agents)
    .scalar_subquery()
)
_VIEWS = select(agents, entities.c.name.label("entity"), _ACTIVE.label("active")).join(
    entities, entities.c.n == agents.c.entity_n
)
AGENTS_OF = _VIEWS.where(agents.c.entity_n == bindparam("entity_n"))
AGENT_VIEW = _VIEWS.where(agents.c.id == bindparam("id"))
HELD = select(items).where(items.c.holder_n == bindparam("agent_n")).order_by(items.c.seq)


class SqlAgents(Retries):
    """Who works for this server."""

    def hello(self, hello: AgentHello) -> AgentGrant:
        with self._write():
            entity_n = self._entity_n(hello.entity)
            for queue in hello.queues:
                if self._find_queue(entity_n, queue) is None:
                    raise self._no_queue(entity_n, f"{hello.entity}/{queue}", queue)
            known = self._db.one(AGENT, id=hello.agent) if hello.agent else None
            if known and known["entity_n"] == entity_n:
                return self._again(known, hello)
            return self._first(entity_n, hello)

    def _first(self, entity_n: int, hello: AgentHello) -> AgentGrant:
        agent = secrets.token_hex(8)
        n = self._db.number(_ADD, id=agent, entity_n=entity_n, epoch=1, **self._of_hello(hello))
        self._leases.put(n, 0, {})
        return self._agent_grant(agent, 1)

    def _again(self, known: Row, hello: AgentHello) -> AgentGrant:
        """Begin a known agent's next epoch; it takes its leases over."""
        n, epoch = known["n"], known["epoch"] + 1
        self._db.run(SET_AGENT, b_n=n, epoch=epoch, drain=0, **self._of_hello(hello))
        rows = [
            self._db.rows(GRANT_BY_SEQ, seq=row["seq"])[0] for row in self._db.rows(HELD, agent_n=n)
        ]
        leases = tuple(self._grant(row, {}) for row in rows)
        return self._agent_grant(known["id"], epoch, leases)

    def _agent_grant(self, agent: str, epoch: int, leases: Any = ()) -> AgentGrant:
        return AgentGrant(
            agent=agent,
            epoch=epoch,
            ttl_s=self._settings.ttl_s,
            installation=self._base.installation,
            leases=leases,
        )

    def _of_hello(self, hello: AgentHello) -> dict[str, Any]:
        now = self._clock.now_ms()
        return {
            "name": hello.name,
            "queues": json.dumps(hello.queues),
            "scopes": json.dumps(hello.scopes),
            "max_jobs": hello.max_jobs,
            "hostname": hello.hostname,
            "version": hello.version,
            "status": "polling",
            "standing": "{}",
            "started_ms": now,
            "seen_ms": now,
            "lease_until_ms": self._lease_until(now),
        }

    def _lease_until(self, now: int) -> int:
        return now + round(self._settings.ttl_s * 1000)

    def _caller(self, caller: Caller) -> Row:
        """Return the agent's row, if it is this very start of it that speaks.

        Raises:
            StoreError: STALE_AGENT for another epoch, NOT_FOUND for a stranger.
        """
        row = self._db.one(AGENT, id=caller.agent)
        if row is None:
            raise StoreError(
                f"there is no agent {caller.agent!r}; say hello first", Trouble.NOT_FOUND
            )
        if self._base.restore_epoch and row["epoch"] < caller.epoch:
            # Epochs are this database's own: it is a restored one, and has lost the agent's start.
            self._db.run(SET_AGENT, b_n=row["n"], epoch=caller.epoch)
        elif row["epoch"] != caller.epoch:
            raise StoreError(
                f"agent {caller.agent!r} was started again, or has ended: epoch {caller.epoch}"
                f" is over, the present one is {row['epoch']}",
                Trouble.STALE_AGENT,
            )
        return row

    def goodbye(self, caller: Caller) -> None:
        with self._write():
            agent = self._caller(caller)
            for row in self._db.rows(HELD, agent_n=agent["n"]):
                self._drop(row)
            values = {"epoch": agent["epoch"] + 1, "status": "stopped", "lease_until_ms": None}
            self._db.run(SET_AGENT, b_n=agent["n"], **values)

    def agents(self, entity: str = "") -> Sequence[AgentView]:
        with self._db.read():
            rows = (
                self._db.rows(AGENTS_OF, entity_n=self._entity_n(entity))
                if entity
                else self._db.rows(_VIEWS)
            )
        now = self._clock.now_ms()
        return sorted((agent_view(row, now) for row in rows), key=lambda a: (a.name, a.id))

    def ask_drain(self, agent: str) -> AgentView:
        with self._write():
            row = self._db.one(AGENT, id=agent)
            if row is None:
                raise StoreError(f"there is no agent {agent!r}", Trouble.NOT_FOUND)
            self._db.run(SET_AGENT, b_n=row["n"], drain=1)
            return agent_view(self._db.rows(AGENT_VIEW, id=agent)[0], self._clock.now_ms())

    def ask_pause(self, agent: str, *, paused: bool) -> AgentView:
        with self._write():
            row = self._db.one(AGENT, id=agent)
            if row is None:
                raise StoreError(f"there is no agent {agent!r}", Trouble.NOT_FOUND)
            self._db.run(SET_AGENT, b_n=row["n"], paused=int(paused))
            return agent_view(self._db.rows(AGENT_VIEW, id=agent)[0], self._clock.now_ms())


def agent_view(row: Row, now_ms: int) -> AgentView:
    """Return an agent for people."""
    until = row["lease_until_ms"]
    standing = from_json(AgentStanding, json.loads(row["standing"]))
    return AgentView(
        id=row["id"],
        name=row["name"],
        entity=row["entity"],
        hostname=row["hostname"],
        version=row["version"],
        epoch=row["epoch"],
        queues=tuple(json.loads(row["queues"])),
        scopes=tuple(json.loads(row["scopes"])),
        max_jobs=row["max_jobs"] if standing.max_jobs is None else standing.max_jobs,
        status=row["status"],
        online=until is not None and until > now_ms,
        draining=bool(row["drain"]) or row["status"] == "draining",
        paused=bool(row["paused"]),
        active=row["active"],
        started_ms=row["started_ms"],
        seen_ms=row["seen_ms"],
        standing=standing,
    )
