"""Lists of items, newest first, without ever sorting all of them.

A page is found in one table alone, so that no statistics can make the planner begin elsewhere;
what belongs to each item is then looked up.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias

from sqlalchemy import Select, bindparam, literal_column, select, text

from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.rows import LISTED, item_view
from launchyard.adapters.sql.standings import SqlStandings
from launchyard.adapters.sql.tables import BEGUN, DELAYED, WAITING, items, queues
from launchyard.domain.item import ItemState
from launchyard.domain.priority import Priority
from launchyard.ports.records import ItemFilter, ItemView

LIST_ALL = (
    select(items.c.seq)
    .where(items.c.seq < bindparam("before"))
    .order_by(items.c.seq.desc())
    .limit(bindparam("most"))
)
LIST_ENTITY = LIST_ALL.where(items.c.entity_n == bindparam("entity_n"))
LIST_QUEUE = LIST_ALL.where(items.c.queue_n == bindparam("queue_n"))
LIST_BEGUN = LIST_QUEUE.where(BEGUN, items.c.state == bindparam("state"))
LIST_WAITING = (
    select(items.c.seq)
    .where(
        items.c.queue_n == bindparam("queue_n"),
        items.c.priority == bindparam("priority"),
        WAITING,
        items.c.seq + literal_column("0") < bindparam("before"),
    )
    .order_by(items.c.seq.desc())
    .limit(bindparam("most"))
)
"""The sum hides the key of the table, which the planner else walks past all other priorities."""
LIST_DELAYED = LIST_QUEUE.where(DELAYED, text("items.state = 'queued'"))
_LISTED = LISTED.where(items.c.seq == bindparam("seq"))
_SEQ = select(items.c.seq).where(items.c.id == bindparam("id"))
_ALL_QUEUES = select(queues.c.n)
_QUEUES_OF = _ALL_QUEUES.where(queues.c.entity_n == bindparam("entity_n"))
_NEWEST = (1 << 62) - 1
_LEAST = 4
"""How many rows a source is asked for at first, at least."""

_Source: TypeAlias = tuple[Select[Any], Mapping[str, Any]]


class SqlListing(SqlStandings):
    """Lists items; each state that is asked for from its own index, however many others are."""

    def items(self, wanted: ItemFilter) -> Sequence[ItemView]:
        with self._db.read():
            values: dict[str, Any] = {"before": self._before(wanted.before), "most": wanted.most}
            find = self._in_states if wanted.states else self._page
            found = find(wanted, values)
            rows = [self._db.rows(_LISTED, seq=row["seq"])[0] for row in found]
        return [item_view(row, whole=False) for row in rows]

    def _before(self, item: str) -> int:
        row = self._db.one(_SEQ, id=item) if item else None
        return int(row["seq"]) if row else _NEWEST

    def _page(self, wanted: ItemFilter, values: dict[str, Any]) -> Sequence[Row]:
        """Walk back over all items of a queue, an entity, or the server."""
        if wanted.queue:
            values["queue_n"] = self._queue_row(wanted.entity, wanted.queue)["n"]
            return self._db.rows(LIST_QUEUE, **values)
        if wanted.entity:
            values["entity_n"] = self._entity_n(wanted.entity)
            return self._db.rows(LIST_ENTITY, **values)
        return self._db.rows(LIST_ALL, **values)

    def _in_states(self, wanted: ItemFilter, values: dict[str, Any]) -> Sequence[Row]:
        """Merge what every queue has in every state that is wanted, each from its own index."""
        if wanted.queue:
            found = [self._queue_row(wanted.entity, wanted.queue)]
        elif wanted.entity:
            found = list(self._db.rows(_QUEUES_OF, entity_n=self._entity_n(wanted.entity)))
        else:
            found = list(self._db.rows(_ALL_QUEUES))
        sources = [
            source
            for queue in found
            for state in set(wanted.states)
            for source in _sources(state, queue["n"])
        ]
        size = wanted.most // max(len(sources), 1) + _LEAST
        pages = (self._walk(source, values["before"], size) for source in sources)
        merged = heapq.merge(*pages, key=lambda row: -row["seq"])
        return list(islice(merged, wanted.most))

    def _walk(self, source: _Source, before: int, size: int) -> Iterator[Row]:
        """Give a source's rows, asking for more of them only as they are taken."""
        statement, values = source
        while True:
            rows = self._db.rows(statement, before=before, most=size, **values)
            yield from rows
            if len(rows) < size:
                return
            before, size = rows[-1]["seq"], size * 4


def _sources(state: ItemState, queue_n: int) -> Iterator[_Source]:
    """Give where a queue's items in one state stand, each in one order."""
    if state is not ItemState.QUEUED:
        yield LIST_BEGUN, {"queue_n": queue_n, "state": state.value}
        return
    yield LIST_DELAYED, {"queue_n": queue_n}
    for priority in Priority:
        yield LIST_WAITING, {"queue_n": queue_n, "priority": priority.value}
