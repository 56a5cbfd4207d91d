"""What people ask about order: queues as files describe them, and places in line."""

from __future__ import annotations

from typing import Protocol

from launchyard.domain.documents import Json
from launchyard.ports.records import ItemView, Queue


class Ordering(Protocol):
    """A part of `ports.operator.Operator`."""

    def put_queue(self, entity: str, document: Json, *, dry_run: bool = False) -> Queue:
        """Make the queue that *document* describes, or give it exactly these settings.

        A *dry_run* only checks; both return what the queue is then. The document has the fields of
        a `Queue`, less its entity; a `paused` that is left out stays as it is.
        """
        ...

    def set_priority(self, item: str, priority: str) -> ItemView:
        """Move a waiting item; *priority* is one of `domain.priority.WORDS`."""
        ...
