"""What a server asks of its agents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import bindparam, select

from launchyard.adapters.sql.agents import SqlAgents
from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.part import Base
from launchyard.adapters.sql.tables import CANCELLED, items
from launchyard.domain.exchange import Command, CommandKind

PAUSED: Final = "paused"
"""What an agent says of itself that takes nothing new until it is told to."""

CANCELS = (
    select(items.c.id, items.c.attempt)
    .where(items.c.holder_n == bindparam("agent_n"), CANCELLED)
    .order_by(items.c.seq)
)


@dataclass(slots=True)
class Told:
    """Which commands an agent's claims have carried, and which claim each."""

    epoch: int
    claims: dict[Command, str] = field(default_factory=dict)


class SqlCommands(SqlAgents):
    """Commands are what the rows say, so they repeat until they are carried out."""

    def __init__(self, base: Base) -> None:
        super().__init__(base)
        self._told: dict[int, Told] = {}

    def _commands(self, agent: Row, status: str = "") -> Sequence[Command]:
        """Return the commands for an agent that says *status* of itself, or last said it."""
        asked = [Command(kind=CommandKind.DRAIN)] if agent["drain"] else []
        if agent["paused"]:
            asked.append(Command(kind=CommandKind.PAUSE))
        elif (status or agent["status"]) == PAUSED:
            asked.append(Command(kind=CommandKind.RESUME))
        return asked + [
            Command(kind=CommandKind.CANCEL, item=row["id"], attempt=row["attempt"])
            for row in self._db.rows(CANCELS, agent_n=agent["n"])
        ]

    def _untold(self, agent: Row, claim_id: str) -> Sequence[Command]:
        """Return the commands that no other claim has carried.

        A claim is answered at once when it has commands; were they in every answer, an agent
        that is busy carrying one out would ask without end. Heartbeats do repeat them.
        """
        commands = self._commands(agent)
        if not commands:
            self._told.pop(agent["n"], None)
            return ()
        told = self._told.get(agent["n"])
        if told is None or told.epoch != agent["epoch"]:
            told = self._told[agent["n"]] = Told(agent["epoch"])
        told.claims = {c: told.claims.get(c, claim_id) for c in commands}
        return tuple(c for c in commands if told.claims[c] == claim_id)
