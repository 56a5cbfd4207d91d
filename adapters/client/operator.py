"""The operator port over REST: what people ask of a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO, Final

from launchyard.adapters.client.again import AgainCalls, timing_fields
from launchyard.adapters.client.files import body
from launchyard.adapters.client.ordering import RestOrdering
from launchyard.adapters.client.reading import item_view, key_info, listed, queue_view
from launchyard.adapters.client.server import read
from launchyard.adapters.client.transport import STREAM_S, Call, Transport, place
from launchyard.domain.documents import Json
from launchyard.domain.rights import EntityKind
from launchyard.domain.wire import to_json
from launchyard.ports.housekeeping import Sweep
from launchyard.ports.operator import (
    KeyInfo,
    Launch,
    MadeKey,
    Me,
    NewKey,
    OperatorError,
    OutputView,
    QueueView,
    ServerInfo,
    Why,
)
from launchyard.ports.records import AgentView, Entity, ItemFilter, ItemView, Queue, QueueChange

_CREATED: Final = 201
_MISSING: Final = 404


class RestOperator(RestOrdering, AgainCalls):
    """`Operator` over HTTP."""

    def __init__(self, base_url: str, key: str) -> None:
        super().__init__(Transport(base_url, key))

    @property
    def url(self) -> str:
        return self._http.url

    def info(self) -> ServerInfo:
        return read(ServerInfo, self._get("/info"))

    def me(self) -> Me:
        return read(Me, self._get("/me"))

    def entities(self) -> Sequence[Entity]:
        return [read(Entity, one) for one in listed(self._get("/entities"), "entities")]

    def add_entity(self, name: str, kind: EntityKind) -> None:
        self._make("/entities", {"name": name, "kind": kind.value})

    def keys(self) -> Sequence[KeyInfo]:
        return [key_info(one) for one in listed(self._get("/keys"), "keys")]

    def add_key(self, wish: NewKey) -> MadeKey:
        answer = self._make("/keys", to_json(wish))
        return MadeKey(key_info(answer), str(answer.get("key", "")))

    def revoke_key(self, key_id: str) -> None:
        self._http.json(Call(method="DELETE", path=place("keys", key_id)))

    def queues(self, entity: str) -> Sequence[QueueView]:
        answer = self._get(place("entities", entity, "queues"))
        return [queue_view(one) for one in listed(answer, "queues")]

    def queue(self, entity: str, name: str) -> QueueView:
        return queue_view(self._get(place("entities", entity, "queues", name)))

    def add_queue(self, queue: Queue) -> QueueView:
        path = place("entities", queue.entity, "queues")
        fields = {
            "name": queue.name,
            "resource": queue.resource,
            "config": queue.config,
            "overridable": None if queue.overridable is None else list(queue.overridable),
            "limit": queue.limit,
            "mode": queue.mode.value,
        }
        return queue_view(self._make(path, {k: v for k, v in fields.items() if v is not None}))

    def change_queue(self, entity: str, name: str, change: QueueChange) -> QueueView:
        fields: Any = to_json(change)
        given = {key: value for key, value in fields.items() if value is not None}
        if not change.no_limit:
            del given["no_limit"]
        call = Call(method="PATCH", path=place("entities", entity, "queues", name), body=given)
        return queue_view(self._http.json(call))

    def delete_queue(self, entity: str, name: str) -> None:
        self._http.json(Call(method="DELETE", path=place("entities", entity, "queues", name)))

    def submit(self, launch: Launch) -> tuple[ItemView, bool]:
        fields = _fields(launch)
        key = launch.idempotency_key
        call = Call(
            method="POST",
            path=place("entities", launch.entity, "queues", launch.queue, "items"),
            body=fields,
            headers={"Idempotency-Key": key} if key else {},
            repeat=bool(key),
        )
        status, answer = self._http.answer(call)
        return item_view(answer), status == _CREATED

    def plan(self, launch: Launch) -> Json:
        path = place("entities", launch.entity, "queues", launch.queue, "plan")
        found: Json = self._http.json(Call(method="POST", path=path, body=_fields(launch)))
        return found

    def items(self, wanted: ItemFilter) -> Sequence[ItemView]:
        given = {
            "entity": wanted.entity,
            "queue": wanted.queue,
            "before": wanted.before,
            "most": str(wanted.most),
            "state": ",".join(state.value for state in wanted.states),
        }
        params = {name: value for name, value in given.items() if value}
        answer = self._http.json(Call(method="GET", path="/items", params=params))
        return [item_view(one) for one in listed(answer, "items")]

    def item(self, item: str) -> tuple[ItemView, Sequence[ItemView]]:
        answer = self._get(place("items", item))
        return item_view(answer), [item_view(one) for one in listed(answer, "attempts")]

    def cancel(self, item: str) -> ItemView:
        return item_view(
            self._http.json(Call(method="POST", path=place("items", item, "cancel"), body={}))
        )

    def why(self, item: str) -> Why:
        return read(Why, self._get(place("items", item, "why")))

    def outputs(self, item: str, attempt: int = 0) -> Sequence[OutputView]:
        params = {"attempt": str(attempt)} if attempt else {}
        call = Call(method="GET", path=place("items", item, "outputs"), params=params)
        return [read(OutputView, one) for one in listed(self._http.json(call), "outputs")]

    def put_archive(self, sha256: str, file: BinaryIO) -> bool:
        path = place("archives", sha256)
        try:
            self._http.json(Call(method="HEAD", path=path))
        except OperatorError as error:
            if error.status != _MISSING:
                raise
        else:
            return False
        self._http.json(Call(method="PUT", path=path, data=body(file), read_s=STREAM_S))
        return True

    def agents(self, entity: str = "") -> Sequence[AgentView]:
        params = {"entity": entity} if entity else {}
        answer = self._http.json(Call(method="GET", path="/agents", params=params))
        return [read(AgentView, one) for one in listed(answer, "agents")]

    def drain(self, agent: str) -> AgentView:
        return self._ask(agent, "drain")

    def pause(self, agent: str, *, paused: bool) -> AgentView:
        return self._ask(agent, "pause" if paused else "resume")

    def sweep(self, *, dry_run: bool) -> Sweep:
        call = Call(method="POST", path="/gc", body={"dry_run": dry_run}, read_s=STREAM_S)
        return read(Sweep, self._http.json(call))

    def close(self) -> None:
        self._http.close()

    def _ask(self, agent: str, wish: str) -> AgentView:
        call = Call(method="POST", path=place("agents", agent, wish), body={})
        return read(AgentView, self._http.json(call))

    def _get(self, path: str) -> Any:
        return self._http.json(Call(method="GET", path=path))

    def _make(self, path: str, fields: Any) -> Any:
        """Make something once: a repeat could make a second one, or say that it is there."""
        return self._http.json(Call(method="POST", path=path, body=fields, repeat=False))


def _fields(launch: Launch) -> dict[str, Json]:
    """Return what is said of a launch."""
    said: dict[str, Json] = {"name": launch.name, "priority": launch.priority}
    kept = {key: value for key, value in said.items() if value}
    return {"spec": launch.spec} | kept | timing_fields(launch.timing)
