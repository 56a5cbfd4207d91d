"""Runs: begun, looked at, stopped and forgotten."""

from __future__ import annotations

import json
import secrets
import zlib
from collections.abc import Mapping
from typing import Any, Final

from launchyard.adapters.http.graphql import ids
from launchyard.adapters.http.graphql.ask import Ask, Fields, Given, document
from launchyard.adapters.http.graphql.kept import Kept
from launchyard.adapters.http.graphql.moments import iso
from launchyard.adapters.http.graphql.viewer import DEFAULT_PROJECT, default_entity, project_of
from launchyard.adapters.http.house import House
from launchyard.adapters.http.problems import wrong
from launchyard.domain.documents import Json
from launchyard.domain.rights import Action
from launchyard.ports.records import StoreError, Trouble
from launchyard.ports.tracking import Run, RunChange, RunKey

_ABOUT: Final = {
    "displayName": "displayName",
    "description": "description",
    "notes": "notes",
    "groupName": "group",
    "jobType": "jobType",
    "commit": "commit",
    "host": "host",
    "jobProgram": "program",
    "jobRepo": "repo",
    "tags": "tags",
}
"""What a run tells of itself, and the field under which people read it."""

_NONE: Final = json.dumps([])
_LONGEST: Final = 128


class RunTopic:
    """`run`, `bucket`, `upsertBucket` and what belongs to them."""

    def __init__(self, house: House, kept: Kept) -> None:
        self._house, self._kept = house, kept
        self._store = house.store

    def fields(self) -> Fields:
        """Return this topic's part of the table."""
        return {
            "Project": {"run": self.run, "bucket": self.run},
            "Run": {"files": self.files, "wandbConfig": _wandb_config},
            "Mutation": {
                "upsertBucket": self.upsert,
                "createRunFiles": self.create_files,
                "markRunFilesUploaded": lambda _parent, _ask, _given: {"success": True},
                "stopRun": self.stop,
                "deleteRun": self.delete,
            },
        }

    def run(self, parent: Any, ask: Ask, given: Given) -> Any:
        key = RunKey(entity=parent["entityName"], project=parent["name"], name=given["name"])
        found = self._store.run(key)
        hidden = ask.own is not None and not ask.own.may_write(key, found)
        return shown(found) if found and not hidden else None

    async def upsert(self, _parent: Any, ask: Ask, given: Given) -> Any:
        key = _key(ask, given)
        config = document(given.get("config"), "config")
        change = RunChange(
            key=key,
            submitter=ask.require_own_run(key),
            item=ask.own.item if ask.own else _item(config),
            attempt=ask.own.attempt if ask.own else 0,
            about={to: given[name] for name, to in _ABOUT.items() if given.get(name) is not None},
            config=config,
            summary=document(given.get("summaryMetrics"), "summaryMetrics"),
        )
        run, inserted = await self._house.write(lambda: self._store.tell_run(change))
        if run.item:
            self._house.items_changed([run.item])
        return {"bucket": shown(run), "inserted": inserted}

    def files(self, parent: Any, ask: Ask, given: Given) -> Any:
        """List a run's files, or give addresses to upload some to."""
        key = _key_of(parent["id"])
        owner = key.owner
        if given.get("upload"):
            ask.require_own_run(key)
            nodes = [self._kept.upload(ask, owner, name) for name in given.get("names") or ()]
        else:
            nodes = self._kept.listed(ask, owner, given.get("names"))
        return {**connection(nodes), "uploadHeaders": []}

    def create_files(self, _parent: Any, ask: Ask, given: Given) -> Any:
        key = RunKey(
            entity=given["entityName"], project=given["projectName"], name=given["runName"]
        )
        ask.require_own_run(key)
        if self._store.run(key) is None:  # nothing would ever take away its files
            raise StoreError(f"there is no run {key.name}", Trouble.NOT_FOUND)
        owner = key.owner
        return {
            "runID": run_id(key),
            "uploadHeaders": [],
            "files": [self._kept.upload(ask, owner, name) for name in given["files"]],
        }

    async def stop(self, _parent: Any, ask: Ask, given: Given) -> Any:
        """Ask for a run's end; one that is of an item is cancelled there."""
        key = _key_of(given["id"])
        ask.require(Action.CANCEL, key.entity)
        found = self._store.run(key)
        if found is None:
            return {"success": False}
        if not found.item:
            return {"success": self._store.stop_run(key)}
        whose = self._house.guard.require_item(ask.request, Action.CANCEL, found.item)
        view = await self._house.write(lambda: self._store.cancel(found.item, whose.principal.user))
        if view.agent:
            self._house.waits.notify_agent(view.agent)
        self._house.items_changed([found.item])
        return {"success": True}

    async def delete(self, _parent: Any, ask: Ask, given: Given) -> Any:
        key = _key_of(given["id"])
        ask.require_run(key.entity)
        files = self._store.kept_files(key.owner)
        done = self._store.delete_run(key)
        await self._house.keeper.forget(file.blob for file in files)
        return {"success": done}


def run_id(key: RunKey) -> str:
    """Return a run's id, which clients put together by themselves, too."""
    return ids.make("Run", key.name, key.project, key.entity)


def _key_of(text: str) -> RunKey:
    name, project, entity = ids.parts("Run", text, 3)
    return RunKey(entity=entity, project=project, name=name)


def _key(ask: Ask, given: Given) -> RunKey:
    """Return which run is meant: by id, or by its names, which may be left to us."""
    if given.get("id"):
        key = _key_of(given["id"])
    else:
        key = RunKey(
            entity=given.get("entityName") or default_entity(ask),
            project=given.get("modelName") or DEFAULT_PROJECT,
            name=given.get("name") or (ask.own.run.name if ask.own else secrets.token_hex(4)),
        )
    for path, text in (("modelName", key.project), ("name", key.name)):
        if len(text) > _LONGEST or not text.isprintable() or "/" in text or ":" in text:
            raise wrong(path, f"must be at most {_LONGEST} characters without / and :")
    return key


def _item(config: Json) -> str:
    """Return the item that a run says it is of."""
    inner = config.get("_wandb") if isinstance(config, dict) else None
    value = inner.get("value") if isinstance(inner, dict) else None
    item = value.get("launch_trace_id") if isinstance(value, dict) else None
    return item if isinstance(item, str) else ""


def _wandb_config(parent: Any, _ask: Ask, given: Given) -> Any:
    config = json.loads(parent["config"])
    inner = config.get("_wandb", {}).get("value", {}) if isinstance(config, dict) else {}
    return json.dumps({key: inner[key] for key in given.get("keys") or () if key in inner})


def shown(run: Run) -> dict[str, Any]:
    """Return a run's fields."""
    key = run.key
    about: Mapping[str, Json] = run.about
    return {
        **about,
        "id": run_id(key),
        "name": key.name,
        "displayName": about.get("displayName") or key.name,
        "state": run.state,
        "stopped": run.cancel,
        "config": json.dumps(run.config or {}),
        "summaryMetrics": json.dumps(run.summary or {}),
        "systemMetrics": "{}",
        "historyLineCount": run.history_lines,
        "logLineCount": run.log_lines,
        "eventsLineCount": run.event_lines,
        "historyTail": _NONE,
        "eventsTail": _NONE,
        "tags": about.get("tags") or [],
        "readOnly": False,
        "createdAt": iso(run.created_ms),
        "updatedAt": iso(run.heard_ms),
        "heartbeatAt": iso(run.heard_ms),
        "exitCode": run.exit_code,
        "project": project_of(key.entity, key.project),
        "projectId": str(zlib.crc32(f"{key.entity}/{key.project}".encode())),
        "user": {"id": ids.make("User", run.submitter), "name": run.submitter}
        | {"username": run.submitter},
    }


def connection(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return nodes as a list of one page."""
    return {
        "totalCount": len(nodes),
        "edges": [{"node": node} for node in nodes],
        "pageInfo": {"endCursor": None, "hasNextPage": False},
    }
