"""Queues as files describe them, and places in line, over REST."""

from __future__ import annotations

from launchyard.adapters.client.named_secrets import RestNamedSecrets
from launchyard.adapters.client.reading import item_view
from launchyard.adapters.client.server import read
from launchyard.adapters.client.transport import Call, place
from launchyard.domain.documents import Json
from launchyard.ports.records import ItemView, Queue


class RestOrdering(RestNamedSecrets):
    """The `Ordering` part of `Operator`."""

    def put_queue(self, entity: str, document: Json, *, dry_run: bool = False) -> Queue:
        name = document.get("name") if isinstance(document, dict) else None
        path = place("entities", entity, "queues", str(name))
        params = {"dry_run": "1"} if dry_run else {}
        return read(
            Queue, self._http.json(Call(method="PUT", path=path, body=document, params=params))
        )

    def set_priority(self, item: str, priority: str) -> ItemView:
        body: Json = {"priority": priority}
        call = Call(method="PATCH", path=place("items", item), body=body)
        return item_view(self._http.json(call))
