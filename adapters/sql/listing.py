"""Lists of items, newest first, without ever sorting all of them.

A page is found in one table alone, so that no statistics can make the planner begin elsewhere;
what belongs to each item is then looked up.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import islice
from typing import Any

from sqlalchemy import bindparam, or_, select

from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.items import SqlItems
from launchyard.adapters.sql.rows import LISTED, item_view
from launchyard.adapters.sql.tables import BEGUN, items, queues
from launchyard.domain.item import ItemState
from launchyard.ports.records import ItemFilter, ItemView

_STATES = len(ItemState)
_ANY_OF = or_(*(items.c.state == bindparam(f"state{i}") for i in range(_STATES)))
LIST_ALL = (
    select(items.c.seq)
    .where(items.c.seq < bindparam("before"))
    .order_by(items.c.seq.desc())
    .limit(bindparam("most"))
)
LIST_ENTITY = LIST_ALL.where(items.c.entity_n == bindparam("entity_n"))
LIST_QUEUE = LIST_ALL.where(items.c.queue_n == bindparam("queue_n"))
LIST_BEGUN = LIST_QUEUE.where(BEGUN, items.c.state == bindparam("state"))
LIST_ALL_OF, LIST_ENTITY_OF, LIST_QUEUE_OF = (
    page.where(_ANY_OF) for page in (LIST_ALL, LIST_ENTITY, LIST_QUEUE)
)
_LISTED = LISTED.where(items.c.seq == bindparam("seq"))
_SEQ = select(items.c.seq).where(items.c.id == bindparam("id"))
_ALL_QUEUES = select(queues.c.n)
_QUEUES_OF = _ALL_QUEUES.where(queues.c.entity_n == bindparam("entity_n"))
_NEWEST = (1 << 62) - 1


class SqlListing(SqlItems):
    """Lists items; those that left the queue by their own index, however many wait."""

    def items(self, wanted: ItemFilter) -> Sequence[ItemView]:
        with self._db.read():
            values: dict[str, Any] = {"before": self._before(wanted.before), "most": wanted.most}
            if wanted.states and ItemState.QUEUED not in wanted.states:
                found = self._begun(wanted, values)
            else:
                found = self._page(wanted, values)
            rows = [self._db.rows(_LISTED, seq=row["seq"])[0] for row in found]
        return [item_view(row, whole=False) for row in rows]

    def _before(self, item: str) -> int:
        row = self._db.one(_SEQ, id=item) if item else None
        return int(row["seq"]) if row else _NEWEST

    def _page(self, wanted: ItemFilter, values: dict[str, Any]) -> Sequence[Row]:
        """Walk back over all items of a queue, an entity, or the server."""
        if wanted.queue:
            values["queue_n"] = self._queue_row(wanted.entity, wanted.queue)["n"]
            page, some = LIST_QUEUE, LIST_QUEUE_OF
        elif wanted.entity:
            values["entity_n"] = self._entity_n(wanted.entity)
            page, some = LIST_ENTITY, LIST_ENTITY_OF
        else:
            page, some = LIST_ALL, LIST_ALL_OF
        states = _states(wanted.states)
        return self._db.rows(some if states else page, **values, **states)

    def _begun(self, wanted: ItemFilter, values: dict[str, Any]) -> Sequence[Row]:
        """Merge what every queue has in every state that is wanted."""
        if wanted.queue:
            found = [self._queue_row(wanted.entity, wanted.queue)]
        elif wanted.entity:
            found = list(self._db.rows(_QUEUES_OF, entity_n=self._entity_n(wanted.entity)))
        else:
            found = list(self._db.rows(_ALL_QUEUES))
        pages = [
            self._db.rows(LIST_BEGUN, queue_n=queue["n"], state=state.value, **values)
            for queue in found
            for state in set(wanted.states)
        ]
        merged = heapq.merge(*pages, key=lambda row: -row["seq"])
        return list(islice(merged, wanted.most))


def _states(states: Sequence[ItemState]) -> dict[str, str]:
    """Return as many parameters as there are states, some of them repeated."""
    if not states:
        return {}
    return {f"state{i}": states[i % len(states)].value for i in range(_STATES)}
