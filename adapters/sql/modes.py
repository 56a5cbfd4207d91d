"""From priorities to age alone: what a queue's items keep of a mode that it has no more."""

from __future__ import annotations

from sqlalchemy import bindparam, select, text, update

from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.part import Part
from launchyard.adapters.sql.tables import ACTIVE, DELAYED, WAITING, items
from launchyard.domain.priority import DEFAULT, Priority, QueueMode
from launchyard.ports.records import StoreError, Trouble

_AT = (
    select(items.c.seq)
    .where(items.c.queue_n == bindparam("queue_n"), items.c.priority == bindparam("priority"))
    .limit(1)
)
WAITING_AT = _AT.where(WAITING)
DELAYED_AT = _AT.where(DELAYED, text("items.state = 'queued'"))
_LEVEL_ACTIVE = (
    update(items)
    .where(items.c.queue_n == bindparam("b_queue_n"), ACTIVE, items.c.priority != DEFAULT.value)
    .values(priority=DEFAULT.value)
)


class Modes(Part):
    """How a queue comes to serve by age alone."""

    def _check_mode(self, n: int, before: QueueMode, after: QueueMode) -> None:
        """Let a queue become FIFO only when no item in line would lose its priority by it."""
        if before is after or after is not QueueMode.FIFO:
            return
        for priority in set(Priority) - {DEFAULT}:
            where = {"queue_n": n, "priority": priority.value}
            if self._db.one(WAITING_AT, **where) or self._db.one(DELAYED_AT, **where):
                raise StoreError(
                    f"items wait with priority {priority.word}, which a FIFO queue has not;"
                    " let them go first, or set them to medium",
                    Trouble.CONFLICT,
                )

    def _set_mode(self, n: int, before: QueueMode, after: QueueMode) -> None:
        """Check as `_check_mode` does, and forget priorities of what may come back into line."""
        self._check_mode(n, before, after)
        if before is not after and after is QueueMode.FIFO:
            self._db.run(_LEVEL_ACTIVE, b_queue_n=n)


def priority_in(queue: Row, row: Row) -> int:
    """Return the priority with which an ended item comes back into line."""
    return int(DEFAULT.value if queue["mode"] == QueueMode.FIFO else row["priority"])
