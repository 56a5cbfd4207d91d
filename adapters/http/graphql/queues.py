"""Queues and their configurations, as W&B's clients make, show and delete them."""

from __future__ import annotations

import json
from typing import Any, Final

from launchyard.adapters.http.graphql import ids
from launchyard.adapters.http.graphql.ask import Ask, Fields, Given, document
from launchyard.adapters.http.graphql.viewer import LAUNCH_PROJECT
from launchyard.adapters.http.house import House
from launchyard.adapters.http.problems import RefusalError, translate, wrong
from launchyard.adapters.http.queues import QueueRoutes
from launchyard.adapters.http.shapes import NewQueue
from launchyard.domain.config.problem import DocumentError
from launchyard.domain.documents import Json
from launchyard.domain.priority import QueueMode
from launchyard.domain.rights import Action, EntityKind
from launchyard.ports.records import Queue, StoreError, Trouble

QUEUE: Final = "RunQueue"
_OWN: Final = "RunQueueConfig"
_LOOSE: Final = "DefaultResourceConfig"
_PLAIN: Final = "local-container"
_NAMES: Final = {"gcp-vertex": "vertex", "local": _PLAIN}
"""W&B's names for targets where they are not ours."""

_MODES: Final = {QueueMode.FIFO: "DISABLED", QueueMode.PRIORITY: "V0"}


class QueueTopic:
    """`runQueue`, `runQueues`, their configurations, and the mutations of the public API."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store, self._rest = house.store, QueueRoutes(house)

    def fields(self) -> Fields:
        """Return this topic's part of the table."""
        return {
            "Project": {"runQueues": self.run_queues, "runQueue": self.run_queue},
            "RunQueue": {"defaultResourceConfig": self.config_of},
            "Entity": {"defaultResourceConfig": self.default_config},
            "Mutation": {
                "createDefaultResourceConfig": self.create_config,
                "createRunQueue": self.create,
                "upsertRunQueue": self.upsert,
                "deleteRunQueues": self.delete,
            },
        }

    def run_queues(self, parent: Any, _ask: Ask, _given: Given) -> Any:
        if parent["name"] != LAUNCH_PROJECT:
            return []
        owner = parent["entityName"]
        return [self._shown(queue) for queue in self._store.queues(owner)]

    def run_queue(self, parent: Any, _ask: Ask, given: Given) -> Any:
        try:
            return self._shown(self._store.queue(parent["entityName"], given["name"]))
        except StoreError:
            return None

    def config_of(self, parent: Any, _ask: Ask, _given: Given) -> Any:
        return _config(self._store.queue(parent["entityName"], parent["name"]))

    def default_config(self, parent: Any, ask: Ask, given: Given) -> Any:
        """Return a configuration: a queue's own, or one that was made and not used yet."""
        try:
            name, entity = ids.parts(_OWN, given["id"], 2)
        except StoreError:
            found = _loose(given["id"])
            ask.require(Action.READ, parent["name"])
            return _config(Queue(entity=parent["name"], name="new", **found))
        ask.require(Action.READ, entity)
        return _config(self._store.queue(entity, name))

    def create_config(self, _parent: Any, ask: Ask, given: Given) -> Any:
        """Let the id carry the configuration; the queue that is made with it keeps it."""
        ask.require(Action.MANAGE, given["entityName"])
        resource = our_name(given["resource"])
        made: Json = {
            "resource": resource,
            "config": _bare(document(given["config"], "config"), given["resource"]),
            "template_variables": document(given.get("templateVariables"), "templateVariables"),
        }
        wanted = NewQueue(name="new", **made)  # type: ignore[arg-type]
        self._rest.wanted(given["entityName"], wanted)
        return {"defaultResourceConfigID": ids.pack(_LOOSE, made), "success": True}

    def create(self, _parent: Any, ask: Ask, given: Given) -> Any:
        entity = self._own_project(ask, given)
        self._check_access(entity, given["access"])
        made: dict[str, Any] = {"resource": _PLAIN, "config": {}, "template_variables": None}
        if given.get("defaultResourceConfigID"):
            made = _loose(given["defaultResourceConfigID"])
        new = NewQueue(name=given["queueName"], mode=_mode(given), **made)
        queue = self._store.add_queue(self._rest.wanted(entity, new))
        self._house.queue_changed((entity, queue.name))
        return {"success": True, "queueID": ids.make(QUEUE, queue.name, entity)}

    def upsert(self, _parent: Any, ask: Ask, given: Given) -> Any:
        entity, name = self._own_project(ask, given), given["queueName"]
        config = document(given["resourceConfig"], "resourceConfig")
        variables = document(given.get("templateVariables"), "templateVariables")
        new = NewQueue(
            name=name,
            resource=our_name(given["resourceType"]),
            config=_bare(config, given["resourceType"]),
            template_variables=variables,
            mode=_mode(given),
        )
        try:
            queue = self._rest.wanted(entity, new)
        except (RefusalError, DocumentError) as error:
            return {"success": False, "configSchemaValidationErrors": _errors(error)}
        before = {one.name: one for one in self._store.queues(entity)}.get(name)
        self._store.put_queue(_kept(queue, before))
        self._house.queue_changed((entity, name))
        return {"success": True, "configSchemaValidationErrors": []}

    def delete(self, _parent: Any, ask: Ask, given: Given) -> Any:
        found = [ids.parts(QUEUE, one, 2) for one in given["queueIDs"]]
        for _, entity in found:
            ask.require(Action.MANAGE, entity)
        for name, entity in found:
            self._store.delete_queue(entity, name)
            self._house.queue_changed((entity, name))
        return {"success": True}

    def _own_project(self, ask: Ask, given: Given) -> str:
        entity = str(given["entityName"])
        ask.require(Action.MANAGE, entity)
        if given["projectName"] != LAUNCH_PROJECT:
            raise wrong("projectName", f"must be {LAUNCH_PROJECT}: queues are an entity's own here")
        return entity

    def _check_access(self, entity: str, access: str) -> None:
        """Refuse a personal queue in a team: whose it would be is the entity's business here."""
        if access == "USER" and self._kind(entity) is EntityKind.TEAM:
            raise wrong("access", f"USER needs a person's entity, and {entity} is a team")

    def _kind(self, entity: str) -> EntityKind | None:
        kinds = {one.name: one.kind for one in self._store.entities()}
        return kinds.get(entity)

    def _shown(self, queue: Queue) -> dict[str, Any]:
        personal = self._kind(queue.entity) is EntityKind.PERSONAL
        return {
            "id": ids.make(QUEUE, queue.name, queue.entity),
            "name": queue.name,
            "entityName": queue.entity,
            "access": "USER" if personal else "PROJECT",
            "createdBy": None,
            "defaultResourceConfigID": ids.make(_OWN, queue.name, queue.entity),
            "prioritizationMode": _MODES[queue.mode],
            "externalLinks": '{"links":[]}',
        }


def queue_of(text: str) -> tuple[str, str]:
    """Return the entity and the name of the queue with this id."""
    name, entity = ids.parts(QUEUE, text, 2)
    return entity, name


def our_name(resource: str) -> str:
    """Return what we call a target that a client names."""
    return _NAMES.get(resource, resource)


def _bare(config: Json, resource: str) -> Json:
    """Return a configuration without what W&B wraps around it."""
    inner = config.get("resource_args") if isinstance(config, dict) else None
    if not isinstance(inner, dict):
        return config
    return inner.get(resource, inner.get(our_name(resource), {}))


def _config(queue: Queue) -> dict[str, Any]:
    variables = queue.template_variables
    listed = variables if isinstance(variables, dict) else {}
    return {
        "id": ids.make(_OWN, queue.name, queue.entity),
        "resource": queue.resource,
        "config": {"resource_args": {queue.resource: queue.config}},
        "templateVariables": [_variable(name, one) for name, one in sorted(listed.items())],
    }


def _variable(name: str, one: Json) -> dict[str, Any]:
    found = one if isinstance(one, dict) else {}
    schema = json.dumps(found.get("schema", found), separators=(",", ":"))
    return {"name": name, "schema": schema, "description": found.get("description")}


def _loose(text: str) -> dict[str, Any]:
    found = ids.unpack(_LOOSE, text)
    keys = {"resource", "config", "template_variables"}
    if not isinstance(found, dict) or set(found) != keys or not isinstance(found["resource"], str):
        raise StoreError("there is no such configuration", Trouble.NOT_FOUND)
    return dict(found)


def _mode(given: Given) -> QueueMode:
    return QueueMode.PRIORITY if given.get("prioritizationMode") == "V0" else QueueMode.FIFO


def _kept(queue: Queue, before: Queue | None) -> Queue:
    """Return *queue* with what a W&B client cannot say, as it was."""
    if before is None:
        return queue
    names = ("overridable", "limit", "paused", "retry", "created_ms")
    same = {name: getattr(queue, name) for name in Queue.__slots__}
    return Queue(**{**same, **{name: getattr(before, name) for name in names}})


def _errors(error: Exception) -> list[str]:
    refusal = translate(error)
    if refusal is None:
        raise error
    problems = refusal.more.get("problems")
    if not isinstance(problems, list):
        return [refusal.detail]
    return [f"{one['path']}: {one['message']}" for one in problems]
