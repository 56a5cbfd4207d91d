"""Lists of items, newest first, without ever sorting or walking all of them."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, or_, select

from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.items import SqlItems
from launchyard.adapters.sql.rows import LISTED, item_view
from launchyard.adapters.sql.tables import ACTIVE, items, queues
from launchyard.domain.item import ItemState
from launchyard.ports.store import ItemFilter, ItemView

_STATES = tuple(ItemState)
_ACTIVE_STATES = frozenset({ItemState.CLAIMED, ItemState.LAUNCHING, ItemState.LAUNCHED})
_ANY_OF = or_(*(items.c.state == bindparam(f"state{i}") for i in range(len(_STATES))))
_PAGE = (
    LISTED.where(items.c.seq < bindparam("before"))
    .order_by(items.c.seq.desc())
    .limit(bindparam("most"))
)
LIST_ALL = _PAGE
LIST_ENTITY = _PAGE.where(items.c.entity_n == bindparam("entity_n"))
LIST_QUEUE = _PAGE.where(items.c.queue_n == bindparam("queue_n"))
LIST_ACTIVE = LIST_QUEUE.where(ACTIVE)
_SEQ = select(items.c.seq).where(items.c.id == bindparam("id"))
_ALL_QUEUES = select(queues.c.n)
_QUEUES_OF = _ALL_QUEUES.where(queues.c.entity_n == bindparam("entity_n"))
_NEWEST = (1 << 62) - 1


class SqlListing(SqlItems):
    """Lists items; active ones by their own index, however many wait or are done."""

    def items(self, wanted: ItemFilter) -> Sequence[ItemView]:
        with self._db.read():
            values: dict[str, Any] = {"before": self._before(wanted.before), "most": wanted.most}
            states = _states(wanted.states)
            if wanted.states and _ACTIVE_STATES.issuperset(wanted.states):
                rows = self._active(wanted, {**values, **states})
            else:
                rows = self._page(wanted, values, states)
        return [item_view(row, whole=False) for row in rows]

    def _before(self, item: str) -> int:
        row = self._db.one(_SEQ, id=item) if item else None
        return int(row["seq"]) if row else _NEWEST

    def _page(
        self, wanted: ItemFilter, values: dict[str, Any], states: dict[str, str]
    ) -> Sequence[Row]:
        if wanted.queue:
            values["queue_n"] = self._queue_row(wanted.entity, wanted.queue)["n"]
            page = LIST_QUEUE
        elif wanted.entity:
            values["entity_n"] = self._entity_n(wanted.entity)
            page = LIST_ENTITY
        else:
            page = LIST_ALL
        if not wanted.states:
            return self._db.rows(page, **values)
        return self._db.rows(self._filtered(page), **values, **states)

    def _active(self, wanted: ItemFilter, values: dict[str, Any]) -> Sequence[Row]:
        """Merge the active items of every queue that is wanted."""
        if wanted.queue:
            found = [self._queue_row(wanted.entity, wanted.queue)]
        elif wanted.entity:
            found = list(self._db.rows(_QUEUES_OF, entity_n=self._entity_n(wanted.entity)))
        else:
            found = list(self._db.rows(_ALL_QUEUES))
        statement = self._filtered(LIST_ACTIVE)
        pages = [self._db.rows(statement, queue_n=queue["n"], **values) for queue in found]
        merged = heapq.merge(*pages, key=lambda row: -row["seq"])
        return [row for row, _ in zip(merged, range(wanted.most), strict=False)]

    @staticmethod
    def _filtered(page: Any) -> Any:
        return FILTERED[page]


FILTERED = {page: page.where(_ANY_OF) for page in (LIST_ALL, LIST_ENTITY, LIST_QUEUE, LIST_ACTIVE)}


def _states(states: Sequence[ItemState]) -> dict[str, str]:
    """Return as many parameters as there are states, some of them repeated."""
    if not states:
        return {}
    return {f"state{i}": states[i % len(states)].value for i in range(len(_STATES))}
