"""What a store remembers of each agent's leases, so that a heartbeat need not read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from launchyard.adapters.sql.agents import HELD, SqlAgents
from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.part import Base
from launchyard.domain.exchange import Command, CommandKind


@dataclass(frozen=True, slots=True)
class Held:
    """An agent's leases at one version: item → (attempt, token's epoch, its counter)."""

    version: int
    leases: dict[str, tuple[int, int, int]]
    commands: tuple[Command, ...]
    missed: int


@dataclass(slots=True)
class Told:
    """Which commands an agent's claims have carried, and which claim was the last to."""

    epoch: int
    claims: dict[Command, str] = field(default_factory=dict)


class HeldLeases(SqlAgents):
    """Knows an agent's leases; `leases_version` tells when they have to be read again."""

    def __init__(self, base: Base) -> None:
        super().__init__(base)
        self._held: dict[int, Held] = {}
        self._told: dict[int, Told] = {}

    def _held_by(self, agent: Row) -> Held:
        known = self._held.get(agent["n"])
        if known is None or known.version != agent["leases_version"]:
            known = self._held[agent["n"]] = self._read_held(agent)
        return known

    def _read_held(self, agent: Row) -> Held:
        rows = self._db.rows(HELD, agent_n=agent["n"])
        drain = (Command(kind=CommandKind.DRAIN),) if agent["drain"] else ()
        cancels = tuple(
            Command(kind=CommandKind.CANCEL, item=row["id"], attempt=row["attempt"])
            for row in rows
            if row["cancel"]
        )
        return Held(
            agent["leases_version"],
            {r["id"]: (r["attempt"], r["token_epoch"], r["token_counter"]) for r in rows},
            drain + cancels,
            sum(1 for row in rows if row["missed"]),
        )

    def _untold(self, agent: Row, claim_id: str) -> Sequence[Command]:
        """Return the commands that no other claim has carried.

        A claim is answered at once when it has commands; were they in every answer, an agent
        that is busy carrying one out would ask without end. Heartbeats do repeat them.
        """
        told = self._told.get(agent["n"])
        if told is None or told.epoch != agent["epoch"]:
            told = self._told[agent["n"]] = Told(agent["epoch"])
        commands = self._held_by(agent).commands
        told.claims = {c: told.claims.get(c, claim_id) for c in commands}
        return tuple(c for c in commands if told.claims[c] == claim_id)
