"""How agents get work."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import bindparam

from launchyard.adapters.sql.agents import AGENT, SET_AGENT
from launchyard.adapters.sql.commands import SqlCommands
from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.fates import GRANT_BY_SEQ, SET_ITEM
from launchyard.adapters.sql.items import COUNT_ACTIVE
from launchyard.adapters.sql.rows import GRANT, times
from launchyard.adapters.sql.tables import OFFERED, WAITING, items
from launchyard.domain.attempt import AttemptState
from launchyard.domain.claiming import room
from launchyard.domain.exchange import (
    AgentStanding,
    Caller,
    ClaimAnswer,
    ClaimRequest,
    ItemGrant,
)
from launchyard.domain.item import ItemState, move
from launchyard.domain.stock import ACK_S
from launchyard.domain.wire import from_json, to_json

NEXT = (
    GRANT.where(items.c.queue_n == bindparam("queue_n"), WAITING)
    .order_by(items.c.priority, items.c.seq)
    .limit(bindparam("most"))
    .with_for_update(of=items, skip_locked=True)
)
ADOPTABLE = (
    GRANT.where(
        items.c.place_scope == bindparam("scope"),
        items.c.entity_n == bindparam("entity_n"),
        OFFERED,
    )
    .order_by(items.c.seq)
    .limit(bindparam("most"))
    .with_for_update(of=items, skip_locked=True)
)

_NOTHING = json.dumps(to_json(AgentStanding()))


class SqlClaims(SqlCommands):
    """Claims; what an answer held is kept with the agent until its next claim that got some."""

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        with self._write():
            agent = self._caller(request.caller)
            commands = tuple(self._untold(agent, request.claim_id))
            if request.claim_id == agent["aborted_id"]:
                return ClaimAnswer(commands=commands)
            if request.claim_id == agent["claim_id"]:
                new, adopted = self._claimed(agent)
            else:
                new, adopted = self._claim(agent, request)
            return ClaimAnswer(items=new, resolve=adopted, commands=commands)

    def may_take(self, request: ClaimRequest) -> bool:
        with self._db.read():
            agent = self._db.one(AGENT, id=request.caller.agent)
        if agent is None or agent["drain"] or agent["paused"]:
            return False
        return request.claim_id not in {agent["claim_id"], agent["aborted_id"]}

    def _claim(
        self, agent: Row, request: ClaimRequest
    ) -> tuple[tuple[ItemGrant, ...], tuple[ItemGrant, ...]]:
        """Adopt what the agent reaches, then fill what is left of its free slots."""
        if agent["drain"]:
            return (), ()
        seqs: list[int] = []
        adopted = self._adopt(agent, seqs)
        marker = len(seqs)
        free = 0 if agent["paused"] else request.free - marker
        new = self._take(agent, request, free, seqs)
        if seqs:
            now = self._clock.now_ms()
            self._db.run(
                SET_AGENT,
                b_n=agent["n"],
                claim_id=request.claim_id,
                claimed=json.dumps({"new": seqs[marker:], "adopted": seqs[:marker]}),
                lease_until_ms=agent["lease_until_ms"] or self._lease_until(now),
            )
        return new, adopted

    def _claimed(self, agent: Row) -> tuple[tuple[ItemGrant, ...], tuple[ItemGrant, ...]]:
        """Return once more what the agent's last claim gave it, as far as it still holds it."""
        claimed: dict[str, list[int]] = json.loads(agent["claimed"])
        new, adopted = (
            tuple(
                self._grant(row, {})
                for seq in claimed[kind]
                for row in self._db.rows(GRANT_BY_SEQ, seq=seq)
                if row["holder_n"] == agent["n"]
            )
            for kind in ("new", "adopted")
        )
        return new, adopted

    def _adopt(self, agent: Row, seqs: list[int]) -> tuple[ItemGrant, ...]:
        """Give the agent what waits for somebody who reaches its scope.

        This does not wait for a free slot: these run already, and nobody watches them.
        """
        found: list[ItemGrant] = []
        for scope in json.loads(agent["scopes"]):
            rows = self._db.rows(
                ADOPTABLE,
                scope=scope,
                entity_n=agent["entity_n"],
                most=self._settings.adopt_most,
            )
            for row in rows:
                found.append(self._grant(row, self._hand_over(row, agent["n"])))
                seqs.append(row["seq"])
        return tuple(found)

    def _take(
        self, agent: Row, request: ClaimRequest, free: int, seqs: list[int]
    ) -> tuple[ItemGrant, ...]:
        """Claim up to *free* items over the queues, one queue after another."""
        found: list[ItemGrant] = []
        unknown: list[str] = []
        refusing = _refusing(agent)
        for name in request.queues:
            queue = self._find_queue(agent["entity_n"], name)
            if queue is None:
                unknown.append(name)
                continue
            most = min(free - len(found), refusing.get(queue["resource"], free))
            if most > 0 and not queue["paused"]:
                for row in self._next(queue, most):
                    found.append(self._grant(row, self._mark_claimed(agent, row)))
                    seqs.append(row["seq"])
        if unknown and len(unknown) == len(request.queues):
            raise self._no_queue(agent["entity_n"], unknown[0], unknown[0])
        return tuple(found)

    def _next(self, queue: Row, free: int) -> Any:
        """Return the queue's next items, as many as its limit leaves room for."""
        limit, active = queue["most_active"], 0
        if limit is not None:
            active = self._db.number(COUNT_ACTIVE, queue_n=queue["n"])
        most = room(free, limit, active)
        return self._db.rows(NEXT, queue_n=queue["n"], most=most) if most else ()

    def _mark_claimed(self, agent: Row, row: Row) -> dict[str, Any]:
        state, token = move(ItemState(row["state"]), ItemState.CLAIMED), self._next_token(row)
        now = self._clock.now_ms()
        changed = {"state": state.value, "attempt_state": AttemptState.CLAIMED.value, **token}
        self._lease(agent["n"], row["id"], (row["attempt"], *token.values()))
        self._db.run(
            SET_ITEM,
            b_seq=row["seq"],
            holder_n=agent["n"],
            agent_n=agent["n"],
            config_n=row["queue_config_n"],
            unheard_until_ms=now + round(ACK_S * 1000) if agent["stock"] else None,
            detail="",  # why it was put back is said in its history; from here on the target speaks
            times=times(row, (state.value, now)),
            **changed,
        )
        return changed

    def abort_claim(self, caller: Caller, claim_id: str) -> None:
        with self._write():
            agent = self._caller(caller)
            self._db.run(SET_AGENT, b_n=agent["n"], aborted_id=claim_id)
            if agent["claim_id"] != claim_id:
                return
            claimed: dict[str, list[int]] = json.loads(agent["claimed"])
            for seq in claimed["new"] + claimed["adopted"]:
                for row in self._db.rows(GRANT_BY_SEQ, seq=seq):
                    if row["holder_n"] == agent["n"]:
                        self._drop(row)


def _refusing(agent: Row) -> dict[str, int]:
    """Return how many items at most the agent takes for targets, as its last heartbeat said."""
    if agent["standing"] == _NOTHING:
        return {}
    standing = from_json(AgentStanding, json.loads(agent["standing"]))
    return {name: refusal.most for name, refusal in standing.refusing.items()}
