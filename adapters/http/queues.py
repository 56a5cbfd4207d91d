"""Routes of queues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from launchyard.adapters.http.bodies import answer_value, fields, flag, part, read_json
from launchyard.adapters.http.directory import check_name
from launchyard.adapters.http.endpoint import Endpoint, Needs
from launchyard.adapters.http.house import House
from launchyard.adapters.http.problems import invalid, wrong
from launchyard.adapters.http.shapes import NewQueue, Queues, QueueShown
from launchyard.domain.documents import Json
from launchyard.domain.retry_wire import queue_policy
from launchyard.domain.rights import Action
from launchyard.domain.submission import check_queue, unwrapped
from launchyard.domain.template_schema import documents, read_variables
from launchyard.domain.wire import from_json
from launchyard.ports.records import Queue, QueueChange

_ALL: Final = "/api/v1/entities/{entity}/queues"
_ONE: Final = "/api/v1/entities/{entity}/queues/{queue}"
_MOST: Final = 1_000_000


class QueueRoutes:
    """Making, showing and changing queues."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store, self._guard = house.store, house.guard

    def endpoints(self) -> Sequence[Endpoint]:
        """Return this topic's part of the table."""
        return (
            Endpoint(
                method="GET",
                path=_ALL,
                handler=self.queues,
                does="List an entity's queues, each with its counts",
                needs=Needs.READ,
                gives=Queues,
            ),
            Endpoint(
                method="POST",
                path=_ALL,
                handler=self.add,
                does="Make a queue; `config` is an object, or a text in YAML or JSON",
                needs=Needs.MANAGE,
                takes=NewQueue,
                gives=Queue,
                status=201,
            ),
            Endpoint(
                method="GET",
                path=_ONE,
                handler=self.queue,
                does="Show a queue with its counts",
                needs=Needs.READ,
                gives=QueueShown,
            ),
            Endpoint(
                method="PATCH",
                path=_ONE,
                handler=self.change,
                does="Set parts of a queue",
                needs=Needs.MANAGE,
                takes=QueueChange,
                gives=Queue,
            ),
            Endpoint(
                method="PUT",
                path=_ONE,
                handler=self.put,
                does="Make a queue, or give it exactly these settings",
                needs=Needs.MANAGE,
                takes=NewQueue,
                gives=Queue,
                query={"dry_run": "1 only checks, and answers with what the queue would be"},
            ),
            Endpoint(
                method="DELETE",
                path=_ONE,
                handler=self.delete,
                does="Delete a queue on which nothing waits or runs",
                needs=Needs.MANAGE,
                status=204,
            ),
        )

    async def queues(self, request: Request) -> Response:
        entity = part(request, "entity")
        self._guard.require(request, Action.READ, entity)
        found = await self._house.read(
            lambda store: [
                (queue, store.counts(entity, queue.name)) for queue in store.queues(entity)
            ]
        )
        shown = (QueueShown.of(queue, counts) for queue, counts in found)
        return answer_value(Queues(queues=tuple(shown)))

    async def queue(self, request: Request) -> Response:
        entity, name = part(request, "entity"), part(request, "queue")
        self._guard.require(request, Action.READ, entity)
        queue = self._store.queue(entity, name)
        counts = await self._house.read(lambda store: store.counts(entity, name))
        return answer_value(QueueShown.of(queue, counts))

    async def add(self, request: Request) -> Response:
        entity = part(request, "entity")
        self._guard.require(request, Action.MANAGE, entity)
        new = from_json(NewQueue, await self._document(request))
        queue = self.wanted(entity, new)
        made = self._store.add_queue(queue)
        self._house.queue_changed((entity, new.name))
        return answer_value(made, 201)

    async def put(self, request: Request) -> Response:
        entity, name = part(request, "entity"), part(request, "queue")
        self._guard.require(request, Action.MANAGE, entity)
        document = await self._document(request)
        new = from_json(NewQueue, {**document, "name": name})
        if document.get("name", name) != name:
            raise wrong("name", f"is not {name}, which the path names; a queue keeps its name")
        queue = self.wanted(entity, new)
        before = {one.name: one for one in self._store.queues(entity)}.get(name)
        if before is not None:
            paused = before.paused if new.paused is None else new.paused
            queue = replace(queue, paused=paused, created_ms=before.created_ms)
        dry_run = flag(request, "dry_run")
        if dry_run and before is not None and before.resource != queue.resource:
            raise wrong("resource", f"is {before.resource}, and a queue keeps its target")
        queue = self._store.put_queue(queue, dry_run=dry_run)
        if not dry_run:
            self._house.queue_changed((entity, name))
        return answer_value(queue)

    def wanted(self, entity: str, new: NewQueue) -> Queue:
        """Return the queue that *new* describes, or raise all that is wrong with it."""
        check_name(new.name)
        check_name(new.resource, "resource")
        _check_limit(new.limit)
        queue = Queue(
            entity=entity,
            name=new.name,
            resource=new.resource,
            config=unwrapped(new.config, new.resource),
            overridable=new.overridable,
            limit=new.limit,
            paused=bool(new.paused),
            mode=new.mode,
            template_variables=new.template_variables,
            retry=new.retry,
        )
        self._check(queue)
        return replace(queue, template_variables=_described(new.template_variables))

    async def change(self, request: Request) -> Response:
        entity, name = part(request, "entity"), part(request, "queue")
        self._guard.require(request, Action.MANAGE, entity)
        change = from_json(QueueChange, await self._document(request))
        _check_limit(change.limit)
        before = self._store.queue(entity, name)
        if change.config is not None:
            change = replace(change, config=unwrapped(change.config, before.resource))
        self._check(
            replace(
                before,
                config=before.config if change.config is None else change.config,
                overridable=before.overridable
                if change.overridable is None
                else change.overridable,
                template_variables=before.template_variables
                if change.template_variables is None
                else change.template_variables,
                retry=before.retry if change.retry is None else change.retry,
            )
        )
        if change.template_variables is not None:
            described = _described(change.template_variables) or {}
            change = replace(change, template_variables=described)
        queue = self._store.change_queue(entity, name, change)
        self._house.queue_changed((entity, name))
        return answer_value(queue)

    async def delete(self, request: Request) -> Response:
        entity, name = part(request, "entity"), part(request, "queue")
        self._guard.require(request, Action.MANAGE, entity)
        self._store.delete_queue(entity, name)
        self._house.queue_changed((entity, name))
        return Response(status_code=204)

    async def _document(self, request: Request) -> dict[str, Json]:
        """Return the body, its configuration read if it came as a text."""
        document = fields(await read_json(request, self._house.settings.json_b))
        config = document.get("config")
        if isinstance(config, str):
            document["config"] = self._house.services.read_text(config, "config").value or {}
        return document

    def _check(self, queue: Queue) -> None:
        queue_policy(queue.retry)
        problems = check_queue(self._house.rules(queue))
        if problems:
            raise invalid(problems, f"queue {queue.name}")


def _described(variables: Json) -> Json:
    """Return template variables in the one way that is stored; none at all is null."""
    return documents(read_variables(variables)[0]) or None


def _check_limit(limit: int | None) -> None:
    if limit is not None and not 0 <= limit <= _MOST:
        raise wrong("limit", f"must be from 0 to {_MOST}, or be left out for none")
