"""What is needed to say why items wait: of one exactly, of a page of them at little cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, select

from launchyard.adapters.sql.agents import AGENTS_OF, agent_view
from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.items import COUNT_ACTIVE, POSITION, SqlItems
from launchyard.adapters.sql.rows import SHOWN, item_view
from launchyard.adapters.sql.tables import WAITING, items
from launchyard.domain.item import ItemState
from launchyard.ports.records import AgentView, Queue, Standing, StoreError, Trouble

HEAD = (
    select(items.c.seq)
    .where(items.c.queue_n == bindparam("queue_n"), WAITING)
    .order_by(items.c.priority, items.c.seq)
    .limit(1)
)
_SHOWN = SHOWN.where(items.c.id == bindparam("id"))
_FIRST, _LATER = 1, 2


class SqlStandings(SqlItems):
    """Standings, one by one or many that share what their queues have in common."""

    def standing(self, item: str) -> Standing:
        with self._db.read():
            found = self._standings([item], exact=True)
        if item not in found:
            raise StoreError(f"there is no item {item!r}", Trouble.NOT_FOUND)
        return found[item]

    def standings(self, wanted: Sequence[str]) -> Mapping[str, Standing]:
        with self._db.read():
            return self._standings(wanted, exact=False)

    def _standings(self, wanted: Sequence[str], *, exact: bool) -> Mapping[str, Standing]:
        now = self._clock.now_ms()
        queues = dict[int, tuple[Queue, int]]()
        serving = dict[int, Sequence[AgentView]]()
        found: dict[str, Standing] = {}
        for item in wanted:
            row = self._db.one(_SHOWN, id=item)
            if row is None:
                continue
            n, entity_n = row["queue_n"], row["entity_n"]
            if n not in queues:
                active = self._db.number(COUNT_ACTIVE, queue_n=n)
                queues[n] = (self._queue_view(n), active)
            if entity_n not in serving:
                rows = self._db.rows(AGENTS_OF, entity_n=entity_n)
                serving[entity_n] = [agent_view(agent, now) for agent in rows]
            queue, active = queues[n]
            found[item] = Standing(
                item=item_view(row, whole=True),
                queue=queue,
                position=self._position(row, exact=exact),
                active=active,
                agents=[agent for agent in serving[entity_n] if queue.name in agent.queues],
            )
        return found

    def _position(self, row: Row, *, exact: bool) -> int:
        """Return an item's place in line; not *exact*, whether it is the first or a later one."""
        if row["state"] != ItemState.QUEUED or row["not_before_ms"] is not None:
            return 0
        place: dict[str, Any] = {"queue_n": row["queue_n"]}
        if exact:
            return self._db.number(POSITION, priority=row["priority"], seq=row["seq"], **place)
        head = self._db.one(HEAD, **place)
        return _FIRST if head is not None and head["seq"] == row["seq"] else _LATER
