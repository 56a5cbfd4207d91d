"""The state of the stand-in and what its operations do to it, free of HTTP and GraphQL."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping
from typing import Any

from tests.wandb_server.records import (
    DEFAULT_PRIORITY,
    PROJECT,
    Agent,
    Artifact,
    Item,
    Queue,
    Run,
    Sweep,
    md5,
    opaque,
)

_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class RefusedError(Exception):
    """The server refuses the operation; the text becomes the GraphQL error."""


class State:
    """All records behind one condition, which is notified at each change.

    *lease_s* is how long an item that was popped waits for its ack before it is PENDING again.
    """

    def __init__(self, entities: Mapping[str, bool], lease_s: float) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.entities = dict(entities)
        self.lease_s = lease_s
        self.queues: dict[str, Queue] = {}
        self.items: dict[str, Item] = {}
        self.agents: dict[str, Agent] = {}
        self.runs: dict[tuple[str, str, str], Run] = {}
        self.sweeps: dict[tuple[str, str, str], Sweep] = {}
        self.artifacts: dict[str, Artifact] = {}
        self.configs: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self._last = 0

    def number(self) -> int:
        """Give the next number for an id."""
        self._last += 1
        return self._last

    # Queues and items

    def add_queue(self, entity: str, name: str, **fields: Any) -> Queue:
        """Add a queue, or give the one of this name."""
        found = self.queue(entity, name)
        if found is not None:
            return found
        identity = opaque("RunQueue", f"{entity}/{name}")
        queue = Queue(id=identity, name=name, entity=entity, **fields)
        self.queues[identity] = queue
        return queue

    def queue(self, entity: str, name: str) -> Queue | None:
        """Find a queue by its entity and name."""
        of_name = (q for q in self.queues.values() if (q.entity, q.name) == (entity, name))
        return next(of_name, None)

    def push(
        self, queue: Queue, spec: Mapping[str, Any], priority: int | None = None, values: Any = None
    ) -> Item:
        """Add an item whose spec has the queue's resource and configuration in it."""
        merged = _merged(queue, spec, values or {})
        number = DEFAULT_PRIORITY if priority is None else priority
        if queue.mode == "DISABLED" and number != DEFAULT_PRIORITY:
            raise RefusedError(f"queue {queue.name} has no priorities")
        item = Item(
            id=opaque("RunQueueItem", self.number()),
            queue=queue.id,
            spec=merged,
            priority=number,
            template_values=values,
        )
        self.items[item.id] = item
        self.changed.notify_all()
        return item

    def expire(self) -> None:
        """Put items whose lease has ended without an ack back into their queue."""
        now = time.monotonic()
        for item in self.items.values():
            if item.state == "LEASED" and item.lease_until <= now:
                item.state, item.agent_id = "PENDING", None

    def pop(self, entity: str, queue_name: str, agent_id: str | None) -> Item | None:
        """Lease the first waiting item of a queue."""
        queue = self.queue(entity, queue_name)
        if queue is None:
            raise RefusedError(f"no queue {queue_name} of {entity}")
        self.expire()
        waiting = [i for i in self.items.values() if (i.queue, i.state) == (queue.id, "PENDING")]
        if not waiting:
            return None
        first = min(waiting, key=lambda i: i.priority) if queue.mode == "V0" else waiting[0]
        first.state, first.agent_id = "LEASED", agent_id
        first.popped_at.append(time.monotonic())
        first.lease_until = time.monotonic() + self.lease_s
        self.changed.notify_all()
        return first

    def ack(self, item_id: str, run_name: str) -> bool:
        """Claim a leased item for a run; false for every other one."""
        self.expire()
        item = self.items.get(item_id)
        if item is None:
            raise RefusedError(f"no item {item_id}")
        item.acks += 1
        self.changed.notify_all()
        if item.state != "LEASED":
            return False
        item.state, item.run_name, item.acked_at = "CLAIMED", run_name, time.monotonic()
        return True

    def fail(self, item_id: str, error: dict[str, Any]) -> bool:
        """Fail an item, whatever its state."""
        item = self.items.get(item_id)
        if item is None:
            raise RefusedError(f"no item {item_id}")
        item.state, item.error, item.failed_at = "FAILED", error, time.monotonic()
        self.changed.notify_all()
        return True

    # Agents, runs, sweeps

    def add_agent(self, **fields: Any) -> Agent:
        """Register an agent under a name of the server's making."""
        number = self.number()
        agent = Agent(id=opaque("LaunchAgent", number), name=f"agent-{number}", **fields)
        self.agents[agent.id] = agent
        self.changed.notify_all()
        return agent

    def status(self, agent: Agent, status: str | None) -> None:
        """Note an agent's status: this is its heartbeat."""
        agent.heartbeat_at = time.monotonic()
        if status is not None:
            agent.status = status
            agent.statuses.append((agent.heartbeat_at, status))
        self.changed.notify_all()

    def run(self, entity: str, project: str, name: str, *, make: bool = False) -> Run | None:
        """Find a run; with *make* it is made when nobody knows it."""
        key = (entity, project, name)
        if make and key not in self.runs:
            self.runs[key] = Run(entity=entity, project=project, name=name)
            self.changed.notify_all()
        return self.runs.get(key)

    def run_by_id(self, identity: str) -> Run | None:
        """Find a run by the id that a client may have made by itself."""
        return next((r for r in self.runs.values() if r.id == identity), None)

    # Artifacts

    def add_artifact(self, entity: str, project: str, name: str, kind: str) -> Artifact:
        """Add the next version of an artifact, without files."""
        index = sum(1 for a in self.artifacts.values() if _of(a, entity, project, name))
        identity = opaque("Artifact", self.number())
        artifact = Artifact(
            id=identity, entity=entity, project=project, name=name, type=kind, index=index
        )
        self.artifacts[identity] = artifact
        return artifact

    def alias(self, artifact: Artifact, aliases: list[str]) -> None:
        """Give a version aliases, which other versions of it lose."""
        for other in self.versions(artifact.entity, artifact.project, artifact.name):
            other.aliases = [a for a in other.aliases if a not in aliases]
        artifact.aliases.extend(aliases)

    def versions(self, entity: str, project: str, name: str) -> list[Artifact]:
        """List the versions of an artifact, oldest first."""
        return [a for a in self.artifacts.values() if _of(a, entity, project, name)]

    def find_artifact(self, entity: str, project: str, name: str) -> Artifact | None:
        """Find `name:alias`, `name:v2` or `name`, which is its latest."""
        base, _, alias = name.partition(":")
        versions = [a for a in self.versions(entity, project, base) if a.state != "PENDING"]
        for artifact in versions:
            if (alias or "latest") in [*artifact.aliases, f"v{artifact.index}"]:
                return artifact
        return None


def _of(artifact: Artifact, entity: str, project: str, name: str) -> bool:
    return (artifact.entity, artifact.project, artifact.name) == (entity, project, name)


def _merged(queue: Queue, spec: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = json.loads(json.dumps(spec))
    if queue.resource is not None:
        merged["resource"] = merged.get("resource") or queue.resource
        arguments = merged.get("resource_args") or {}
        own = arguments.get(queue.resource) or {}
        filled = _filled(queue.config, values)
        merged["resource_args"] = {**arguments, queue.resource: {**filled, **own}}
    return merged


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(one, values) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, values) for one in value]
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda m: str(values.get(m[1], m[0])), value)
    return value


def checked(data: bytes, digest: str | None) -> bytes:
    """Refuse an upload whose MD5 is not the one that was announced."""
    if digest is not None and md5(data) != digest:
        raise RefusedError("the upload is not what was announced")
    return data


__all__ = ["PROJECT", "RefusedError", "State", "Sweep", "checked"]
