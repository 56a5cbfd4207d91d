"""What is needed to say why items wait: of one exactly, of a page of them at little cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import bindparam, select

from launchyard.adapters.sql.agents import AGENTS_OF, agent_view
from launchyard.adapters.sql.items import COUNT_ACTIVE, POSITION, SqlItems
from launchyard.adapters.sql.tables import WAITING, items
from launchyard.domain.item import ItemState
from launchyard.ports.records import AgentView, ItemView, Queue, Standing

HEAD = (
    select(items.c.id)
    .where(items.c.queue_n == bindparam("queue_n"), WAITING)
    .order_by(items.c.priority, items.c.seq)
    .limit(1)
)
_ITEM = select(items.c.queue_n, items.c.priority, items.c.seq, items.c.holder_n).where(
    items.c.id == bindparam("id")
)
_FIRST, _LATER = 1, 2


@dataclass(frozen=True, slots=True)
class _Line:
    """What the items of one queue share; `head` is the item that is claimed next."""

    queue: Queue
    active: int
    agents: Sequence[AgentView]
    head: str


class SqlStandings(SqlItems):
    """Standings, one by one or many that share what their queues have in common."""

    def standing(self, item: str) -> Standing:
        with self._db.read():
            view = self._shown(item)
            row = self._db.rows(_ITEM, id=item)[0]
            line = self._line(row["queue_n"], self._agents_of(view.entity))
            place = {name: row[name] for name in ("queue_n", "priority", "seq")}
            position = self._db.number(POSITION, **place) if _in_line(view) else 0
            return replace(_standing(view, line, position), held=row["holder_n"] is not None)

    def standings(self, views: Sequence[ItemView]) -> Mapping[str, Standing]:
        lines = dict[tuple[str, str], _Line]()
        agents = dict[str, Sequence[AgentView]]()
        found: dict[str, Standing] = {}
        with self._db.read():
            for view in views:
                key = view.entity, view.queue
                if view.entity not in agents:
                    agents[view.entity] = self._agents_of(view.entity)
                if key not in lines:
                    n = self._db.rows(_ITEM, id=view.id)[0]["queue_n"]
                    lines[key] = self._line(n, agents[view.entity])
                found[view.id] = self._of_list(view, lines[key])
        return found

    def _of_list(self, view: ItemView, line: _Line) -> Standing:
        if _in_line(view):
            return _standing(view, line, _FIRST if line.head == view.id else _LATER)
        # What is at an agent already is little, and its code tells what it may wait for.
        held = self._db.rows(_ITEM, id=view.id)[0]["holder_n"] is not None
        return replace(_standing(self._shown(view.id), line, 0), held=held)

    def _agents_of(self, entity: str) -> Sequence[AgentView]:
        now = self._clock.now_ms()
        rows = self._db.rows(AGENTS_OF, entity_n=self._entity_n(entity))
        return [agent_view(row, now) for row in rows]

    def _line(self, queue_n: int, agents: Sequence[AgentView]) -> _Line:
        """Return what the items of a queue share; *agents* are all of its entity."""
        queue = self._queue_view(queue_n)
        head = self._db.one(HEAD, queue_n=queue_n)
        return _Line(
            queue=queue,
            active=self._db.number(COUNT_ACTIVE, queue_n=queue_n),
            agents=[agent for agent in agents if queue.name in agent.queues],
            head=head["id"] if head else "",
        )


def _in_line(view: ItemView) -> bool:
    return view.state is ItemState.QUEUED and view.not_before_ms is None


def _standing(view: ItemView, line: _Line, position: int) -> Standing:
    return Standing(
        item=view, queue=line.queue, position=position, active=line.active, agents=line.agents
    )
