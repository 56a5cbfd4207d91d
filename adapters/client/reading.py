"""From documents of the REST interface to the values of the operator port."""

from __future__ import annotations

from typing import Any

from launchyard.adapters.client.server import read
from launchyard.ports.operator import KeyInfo, QueueView
from launchyard.ports.records import ItemView, Queue, QueueCounts


def listed(document: Any, name: str) -> list[Any]:
    """Return the list *name* of an answer; an answer without one has an empty list."""
    found = document.get(name) if isinstance(document, dict) else document
    return found if isinstance(found, list) else []


def queue_view(document: Any) -> QueueView:
    """Return a queue with its counts, where the answer has any."""
    counts = document.get("counts") if isinstance(document, dict) else None
    return QueueView(read(Queue, document), read(QueueCounts, counts) if counts else None)


def key_info(document: Any) -> KeyInfo:
    """Return a key without its text."""
    return read(KeyInfo, document)


def item_view(document: Any) -> ItemView:
    """Return an item."""
    return read(ItemView, document)
