"""Stock agents: how they begin, ask for work, and tell what became of it."""

from __future__ import annotations

import re
from typing import Any, Final

from launchyard.adapters.http.graphql.ask import Ask, Fields, Given, document
from launchyard.adapters.http.graphql.moments import iso
from launchyard.adapters.http.graphql.queues import queue_of
from launchyard.adapters.http.graphql.specs import for_agent, refusal, run_of, whole
from launchyard.adapters.http.house import House
from launchyard.adapters.http.problems import RefusalError, wrong
from launchyard.domain.documents import Json
from launchyard.domain.exchange import AgentHello, ItemGrant
from launchyard.domain.reason import Reason
from launchyard.domain.rights import Action
from launchyard.domain.secrets import references
from launchyard.domain.stock import is_about_another, reason_of
from launchyard.domain.submission import WANDB_KEY
from launchyard.ports.records import AgentView, SealedSecrets, StoreError, Trouble
from launchyard.ports.tracking import RunKey

_STATUS: Final = {"KILLED": "stopped"}
_LONGEST: Final = 2000
_TRIES: Final = 20
_UNFIT: Final = re.compile(r"[^a-z0-9]+")
_HOST_LENGTH: Final = 40


class AgentTopic:
    """`launchAgent`, and the mutations that an agent makes."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store, self._guard = house.store, house.guard

    def fields(self) -> Fields:
        """Return this topic's part of the table."""
        return {
            "Query": {"launchAgent": self.agent},
            "Mutation": {
                "createLaunchAgent": self.create,
                "updateLaunchAgent": self.update,
                "popFromRunQueue": self.pop,
                "ackRunQueueItem": self.ack,
                "failRunQueueItem": self.fail,
                "updateRunQueueItemWarning": self.warn,
            },
        }

    def create(self, _parent: Any, ask: Ask, given: Given) -> Any:
        entity = str(given["entityName"])
        ask.require(Action.WORK, entity)
        queues = [queue_of(one) for one in given["runQueues"]]
        if any(owner != entity for owner, _ in queues):
            raise wrong("runQueues", f"must be queues of {entity}")
        view = self._store.stock_hello(
            AgentHello(
                agent="",
                name=_name(given["hostname"]),
                entity=entity,
                queues=tuple(name for _, name in queues),
                scopes=(),
                max_jobs=_max_jobs(given.get("agentConfig")),
                hostname=given["hostname"][:256],
                version=(given.get("version") or "wandb")[:256],
            )
        )
        self._guard.remember_agent(view.id, entity)
        return {"launchAgentId": view.id}

    def agent(self, _parent: Any, ask: Ask, given: Given) -> Any:
        try:
            self._guard.require_agent(ask.request, given["id"])
            return _shown(self._store.stock_heard(given["id"]))
        except StoreError:
            return None

    def update(self, _parent: Any, ask: Ask, given: Given) -> Any:
        agent = given["launchAgentId"]
        entity = self._guard.require_agent(ask.request, agent)
        status = given.get("agentStatus") or ""
        self._store.stock_heard(agent, _STATUS.get(status, status.lower()[:32]))
        if given.get("stopPolling"):
            ask.require(Action.MANAGE, entity)
            self._store.ask_drain(agent)
        return {"success": True}

    async def pop(self, _parent: Any, ask: Ask, given: Given) -> Any:
        agent, queue = given.get("launchAgentId"), given["queueName"]
        if not agent:
            raise wrong("launchAgentId", "must name an agent", "use wandb 0.19 or later")
        entity = self._guard.require_agent(ask.request, agent)
        if given["entityName"] != entity:
            raise wrong("entityName", f"must be the agent's, which is {entity}")
        for _ in range(_TRIES):
            grant = await self._house.write(lambda: self._store.stock_pop(agent, queue))
            if grant is None:
                return None
            self._guard.remember(grant.item, grant.entity, grant.queue)
            self._house.items_changed([grant.item])
            if not (why := refusal(grant.spec, grant.secrets)):
                return {"runQueueItemId": grant.item, "runSpec": self._spec(grant)}
            await self._end(
                grant.item, Reason.SPEC_INVALID, f"a stock W&B agent took it, but {why}"
            )
        return None

    def _spec(self, grant: ItemGrant) -> Json:
        merged = whole(grant.spec, grant.queue_config, grant.resource)
        spec = for_agent(merged, grant.entity, grant.submitter)
        if WANDB_KEY in grant.secrets:
            names = references(grant.spec)
            secrets = SealedSecrets(
                item=grant.item, entity=grant.entity, names=names, values=grant.secrets
            )
            opened = self._house.grants.opened(secrets)
            self._house.masks.remember(grant.item, opened)
            spec["_wandb_api_key"] = opened.get(WANDB_KEY)
        return spec

    async def ack(self, _parent: Any, ask: Ask, given: Given) -> Any:
        item = given["runQueueItemId"]
        whose = self._guard.require_item(ask.request, Action.WORK, item)
        owner, project = run_of(self._store.item(item).spec, whose.entity)
        if not ask.may_write_runs(owner):
            owner = whose.entity
        run = RunKey(entity=owner, project=project, name=given["runName"])
        taken = await self._house.write(lambda: self._store.stock_ack(item, run))
        self._house.items_changed([item])
        return {"success": taken}

    async def fail(self, _parent: Any, ask: Ask, given: Given) -> Any:
        item, message = given["runQueueItemId"], given.get("message") or ""
        self._guard.require_item(ask.request, Action.WORK, item)
        if is_about_another(message):
            return {"success": True}
        stage = given.get("stage") or ""
        return {"success": await self._end(item, reason_of(stage), message[:_LONGEST])}

    async def _end(self, item: str, reason: Reason, detail: str) -> bool:
        done = await self._house.write(lambda: self._store.stock_failed(item, reason, detail))
        if done:
            self._house.slot_freed(self._guard.place(item))
            self._house.delays.ended_badly()
            self._house.items_changed([item])
        return done

    async def warn(self, _parent: Any, ask: Ask, given: Given) -> Any:
        """Let a warning stand in the item's log, where people look."""
        item = given["runQueueItemId"]
        self._guard.require_item(ask.request, Action.WORK, item)
        text = f"[{given.get('stage') or 'agent'}] {given.get('message') or ''}"
        line = f"{text[:_LONGEST]}\n".encode(errors="replace")
        await append(self._house, item, self._store.item(item).attempt, "agent", line)
        return {"success": True}


async def append(house: House, item: str, attempt: int, source: str, data: bytes) -> None:
    """Append to a log whose cursor only this server moves; one that is full takes nothing."""
    data = house.masks.masked(item, data)

    def change() -> None:
        start = house.store.log_cursors(item, attempt).get(source, 0)
        house.store.append_log(item, attempt, source, start, data)

    try:
        await house.write(change)
    except StoreError as error:
        if error.trouble not in {Trouble.PAST_QUOTA, Trouble.NOT_FOUND}:
            raise


def _shown(view: AgentView) -> dict[str, Any]:
    return {
        "id": view.id,
        "name": view.name,
        "hostname": view.hostname,
        "agentStatus": view.status.upper(),
        "stopPolling": view.draining,
        "runQueues": list(view.queues),
        "heartbeatAt": iso(view.seen_ms),
        "version": view.version,
    }


def _name(hostname: str) -> str:
    """Return how an agent's name begins; clients make labels and runs of it."""
    return _UNFIT.sub("-", hostname.lower()).strip("-")[:_HOST_LENGTH] or "wandb"


def _max_jobs(config: object) -> int:
    try:
        found = document(config, "agentConfig")
    except RefusalError:
        return 1
    most = found.get("max_jobs") if isinstance(found, dict) else None
    return most if isinstance(most, int) and not isinstance(most, bool) else 1
