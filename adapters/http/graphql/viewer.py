"""Who asks, what the server is, and whose projects there are."""

from __future__ import annotations

from typing import Any

from launchyard.adapters.http.graphql import ids
from launchyard.adapters.http.graphql.ask import Ask, Fields, Given
from launchyard.domain.rights import Action, EntityKind, Principal

DEFAULT_PROJECT = "uncategorized"
LAUNCH_PROJECT = "model-registry"
"""The project that clients look for queues in."""


class ViewerTopic:
    """`viewer`, `serverInfo`, `entity`, `project`."""

    def fields(self) -> Fields:
        """Return this topic's part of the table."""
        return {
            "Query": {
                "viewer": viewer,
                "serverInfo": server_info,
                "entity": entity,
                "project": project,
                "model": project,
            },
            "Mutation": {"upsertModel": upsert_model},
            "Project": {"entity": lambda parent, ask, _given: entity_of(ask, parent["entityName"])},
        }


def viewer(_parent: Any, ask: Ask, _given: Given) -> Any:
    """Return who asks, and where they may look; a job is whoever launched it."""
    if ask.own is not None:
        return _viewer(ask, Principal(user=ask.own.user, key_id="", roles={}))
    return _viewer(ask, ask.principal)


def _viewer(ask: Ask, who: Principal) -> Any:
    names = _entities(ask, who)
    return {
        "id": ids.make("User", who.user),
        "name": who.user,
        "username": who.user,
        "entity": default_entity(ask),
        "admin": who.everywhere is not None,
        "flags": "{}",
        "apiKeys": {"edges": []},
        "teams": {"edges": [{"node": entity_of(ask, name)} for name in names]},
    }


def default_entity(ask: Ask) -> str:
    """Return where a client works that names no entity: the caller's own, else their first."""
    if ask.own is not None:
        return ask.own.run.entity
    who = ask.principal
    names = _entities(ask, who)
    return who.user if who.user in names else next(iter(names), "")


def _entities(ask: Ask, who: Principal) -> list[str]:
    if ask.own is not None:
        return [ask.own.run.entity]
    found = sorted(one.name for one in ask.house.store.entities())
    return [name for name in found if who.role_in(name) is not None]


def server_info(_parent: Any, ask: Ask, _given: Given) -> Any:
    """Return versions, and no feature that a client would try out."""
    version = ask.house.settings.version
    return {
        "cliVersionInfo": {"max_cli_version": "999.0.0"},
        "latestLocalVersionInfo": {
            "outOfDate": False,
            "latestVersionString": version,
            "versionOnThisInstanceString": version,
        },
        "features": [],
    }


def entity(_parent: Any, ask: Ask, given: Given) -> Any:
    """Return an entity that the caller may see."""
    if not ask.may_see(given["name"]):
        return None
    return entity_of(ask, given["name"])


def entity_of(ask: Ask, name: str) -> Any:
    """Return an entity's fields, or None when there is none."""
    found = next((one for one in ask.house.store.entities() if one.name == name), None)
    if found is None:
        return None
    return {
        "id": ids.make("Entity", name),
        "name": name,
        "isTeam": found.kind is EntityKind.TEAM,
        "organization": None,
        "xxhashDigestsEnabled": False,
    }


def project(_parent: Any, ask: Ask, given: Given) -> Any:
    """Return a project of an entity that the caller may see; there is no list of projects."""
    owner = given.get("entityName") or default_entity(ask)
    if not ask.may_see(owner) or entity_of(ask, owner) is None:
        return None
    return project_of(owner, given.get("name") or DEFAULT_PROJECT)


def project_of(owner: str, name: str) -> dict[str, Any]:
    """Return a project's fields."""
    key = ids.make("Project", name, owner)
    return {
        "id": key,
        "internalId": key,
        "name": name,
        "entityName": owner,
        "access": "PRIVATE",
        "views": {},
    }


def upsert_model(_parent: Any, ask: Ask, given: Given) -> Any:
    """Let clients have the project that they ask for: projects are only names here."""
    owner = given.get("entityName") or default_entity(ask)
    if not ask.may_see(owner):
        ask.require(Action.READ, owner)
    made = project_of(owner, given.get("name") or DEFAULT_PROJECT)
    return {"model": made, "project": made, "inserted": False}
