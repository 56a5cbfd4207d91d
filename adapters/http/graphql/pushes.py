"""Items: pushed, looked at, and taken off their queues."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from launchyard.adapters.http.graphql.ask import Ask, Fields, Given, document
from launchyard.adapters.http.graphql.moments import iso
from launchyard.adapters.http.graphql.queues import our_name, queue_of
from launchyard.adapters.http.graphql.specs import whole
from launchyard.adapters.http.house import House
from launchyard.adapters.http.items import ItemRoutes
from launchyard.adapters.http.problems import wrong
from launchyard.adapters.http.shapes import NewLaunch
from launchyard.domain.attempt import AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.item import ItemState
from launchyard.domain.naming import digest
from launchyard.domain.remotes import hide_user_data
from launchyard.domain.rights import Action
from launchyard.ports.records import ItemFilter, ItemView, StoreError, Trouble

_MOST: Final = 100
_GOOD: Final = frozenset({AttemptState.SUCCEEDED, AttemptState.PREEMPTED})
_STATES: Final = {
    ItemState.QUEUED: "PENDING",
    ItemState.CLAIMED: "LEASED",
    ItemState.LAUNCHING: "CLAIMED",
    ItemState.LAUNCHED: "CLAIMED",
}


class PushTopic:
    """`pushToRunQueue…`, `runQueueItem(s)`, `deleteFromRunQueue`."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store, self._rest = house.store, ItemRoutes(house)

    def fields(self) -> Fields:
        """Return this topic's part of the table."""
        return {
            "RunQueue": {"runQueueItem": self.item, "runQueueItems": self.items},
            "Mutation": {
                "pushToRunQueueByName": self.push_by_name,
                "pushToRunQueue": self.push,
                "deleteFromRunQueue": self.delete,
            },
        }

    async def push_by_name(self, _parent: Any, ask: Ask, given: Given) -> Any:
        return await self._push(ask, given["entityName"], given["queueName"], given)

    async def push(self, _parent: Any, ask: Ask, given: Given) -> Any:
        entity, name = queue_of(given["queueID"])
        return await self._push(ask, entity, name, given)

    async def _push(self, ask: Ask, entity: str, name: str, given: Given) -> Any:
        who = self._house.guard.require_submit(ask.request, entity)
        queue = self._store.queue(entity, name)
        spec = _spec(given)
        launch = NewLaunch(spec=spec, priority=given.get("priority"))
        new = await self._rest.with_job(launch, who)
        judged = self._rest.judge(new, queue)
        item = self._rest.item_of(new, judged, queue)
        item = replace(item, submitter=who.user, body_digest=digest([name, spec]))
        view, _ = await self._rest.put(item)
        told = hide_user_data(whole(item.spec, queue.config, queue.resource))
        return {"runQueueItemId": view.id, "runSpec": json.dumps(told)}

    def item(self, parent: Any, _ask: Ask, given: Given) -> Any:
        try:
            view = self._store.item(given["id"])
        except StoreError:
            return None
        here = (parent["entityName"], parent["name"])
        return _shown(view) if (view.entity, view.queue) == here else None

    async def items(self, parent: Any, _ask: Ask, given: Given) -> Any:
        most = min(max(given.get("first") or _MOST, 1), _MOST)
        wanted = ItemFilter(
            entity=parent["entityName"],
            queue=parent["name"],
            before=given.get("after") or "",
            most=most,
        )
        views = await self._house.read(lambda store: store.items(wanted))
        edges = [{"node": _shown(view), "cursor": view.id} for view in views]
        info = {
            "endCursor": views[-1].id if views else None,
            "hasNextPage": len(views) == most,
        }
        return {"edges": edges, "pageInfo": info}

    async def delete(self, _parent: Any, ask: Ask, given: Given) -> Any:
        """Cancel the item: what a client deletes is kept here as cancelled."""
        item = given["runQueueItemId"]
        whose = self._house.guard.require_item(ask.request, Action.CANCEL, item)
        if (whose.entity, whose.queue) != queue_of(given["queueID"]):
            raise StoreError(f"there is no item {item} on this queue", Trouble.NOT_FOUND)
        view = await self._house.write(lambda: self._store.cancel(item, whose.principal.user))
        if view.agent:
            self._house.waits.notify_agent(view.agent)
        self._house.items_changed([item])
        return {"success": True}


def _spec(given: Given) -> Json:
    """Return the spec in a push, with what the client sends beside it."""
    spec = document(given["runSpec"], "runSpec")
    if not isinstance(spec, dict):
        raise wrong("runSpec", "must be an object")
    spec = {key: value for key, value in spec.items() if key not in _ALONE}
    resource = spec.get("resource")
    if isinstance(resource, str):
        spec["resource"] = our_name(resource)
    values = document(given.get("templateVariableValues"), "templateVariableValues")
    return {**spec, "template_variables": values} if values else spec


_ALONE: Final = frozenset({"queue_entity"})
"""What a client leaves in a spec that only it needs."""


def _shown(view: ItemView) -> dict[str, Any]:
    begun = view.state in {ItemState.LAUNCHING, ItemState.LAUNCHED, ItemState.DONE}
    ended_well = view.attempt_state in _GOOD
    failed = view.state is ItemState.DONE and not ended_well
    error = {"message": view.detail or view.reason, "stage": view.reason, "filePaths": []}
    return {
        "id": view.id,
        "state": "FAILED" if failed else _STATES.get(view.state, "CLAIMED"),
        "runSpec": {},
        "priority": view.priority,
        "associatedRunId": view.run_id if begun and view.place_name else None,
        "launchAgentId": view.agent or None,
        "error": error if failed else None,
        "warnings": [],
        "createdAt": iso(view.enqueued_ms),
    }
