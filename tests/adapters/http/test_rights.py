"""Who may call what: every route of the table for every kind of key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pytest

from launchyard.adapters.http.app import endpoints
from launchyard.adapters.http.endpoint import Endpoint, Needs
from tests.adapters.http.agents import FakeAgent
from tests.adapters.http.table import table
from tests.servers import RunningServer

KEYS: Final = ("none", "stranger", "viewer", "submitter", "agent", "admin", "server")
MAY: Final = {
    Needs.NOTHING: set(KEYS),
    Needs.KEY: set(KEYS) - {"none"},
    Needs.READ: {"viewer", "submitter", "agent", "admin", "server"},
    Needs.SUBMIT: {"submitter", "admin", "server"},
    Needs.CANCEL: {"submitter", "admin", "server"},
    Needs.READ_OR_OWN: {"viewer", "submitter", "agent", "admin", "server"},
    Needs.WORK_OR_OWN: {"agent", "admin", "server"},
    Needs.WORK: {"agent", "admin", "server"},
    Needs.SUBMIT_OR_WORK: {"submitter", "agent", "admin", "server"},
    Needs.MANAGE: {"admin", "server"},
    Needs.SERVER: {"server"},
}
ANYWHERE: Final = {
    ("GET", "/api/v1/items"),
    ("GET", "/api/v1/agents"),
    ("GET", "/api/v1/keys"),
    ("POST", "/api/v1/keys"),
    ("POST", "/api/v1/agents"),
    ("PUT", "/api/v1/archives/{sha256}"),
    ("HEAD", "/api/v1/archives/{sha256}"),
    ("GET", "/api/v1/archives/{sha256}"),
}
"""Routes without an entity in the address: another entity's administrator may call them, too."""


@dataclass
class World:
    """A team with one of everything."""

    keys: dict[str, str]
    parts: dict[str, str]


@pytest.fixture(scope="module")
def world(server: RunningServer) -> World:
    """Make a team with a queue, an item, an agent and a key, and a key of each role."""
    server.make_queue(queue="rights")
    server.make_queue(entity="afar", queue="rights")
    roles = ("viewer", "submitter", "agent", "admin")
    keys = {role: server.make_key(role) for role in roles}
    keys |= {"stranger": server.make_key("admin", "afar"), "server": server.admin_key, "none": ""}
    agent = FakeAgent.start(server, "rights", ("rights",))
    wish = {"user": "x", "entity": "team", "role": "viewer"}
    parts = {
        "entity": "team",
        "queue": "rights",
        "item": server.submit("true", queue="rights"),
        "agent": agent.id,
        "attempt": "1",
        "source": "job",
        "sha256": "0" * 64,
        "path": "a.txt",
        "secret": "hf",
        "id": server.call("POST", "/keys", json=wish)["id"],
    }
    return World(keys, parts)


ROUTES: Final = [one for one in endpoints(table()) if one.method != "DELETE"]


@pytest.mark.parametrize("who", KEYS)
@pytest.mark.parametrize("one", ROUTES, ids=lambda one: f"{one.method}{one.path}")
def test_rights(server: RunningServer, world: World, one: Endpoint, who: str) -> None:
    """A key that may not is refused before anything else is looked at; one that may is not."""
    answer = _call(server, world, one, who)
    assert answer.status_code < 500, answer.text
    if who in _allowed(one):
        assert answer.status_code not in {401, 403}, answer.text
    elif who == "none":
        assert answer.status_code == 401
    else:
        assert answer.status_code in {403, 404}
        assert "forbidden" in answer.text or who == "stranger" or one.method == "HEAD"


@pytest.mark.parametrize("who", ["none", "viewer", "submitter", "agent", "stranger"])
def test_deleting_needs_an_administrator(server: RunningServer, world: World, who: str) -> None:
    """Nothing is gone afterwards."""
    for one in endpoints(table()):
        if one.method == "DELETE":
            assert _call(server, world, one, who).status_code in {401, 403, 404}
    assert server.ask("GET", "/entities/team/queues/rights").ok
    listed = [key["id"] for key in server.call("GET", "/keys")["keys"] if not key["revoked_ms"]]
    assert world.parts["id"] in listed


def _allowed(one: Endpoint) -> set[str]:
    allowed: set[str] = MAY[one.needs]
    return allowed | {"stranger"} if (one.method, one.path) in ANYWHERE else allowed


def _call(server: RunningServer, world: World, one: Endpoint, who: str) -> Any:
    path = one.path.replace(":path}", "}").format(**world.parts)
    path = path.removeprefix("/api/v1") if path.startswith("/api/v1") else path.lstrip("/")
    more: dict[str, Any] = {} if one.method in {"GET", "HEAD"} else {"data": b"{}"}
    with server.ask(one.method, path, key=world.keys[who], stream=True, **more) as answer:
        if "event-stream" not in answer.headers.get("Content-Type", ""):
            assert answer.content is not None
    return answer


def test_the_table_says_what_every_route_needs() -> None:
    """A new route is a row of the matrix above by itself."""
    assert {one.needs for one in endpoints(table())} <= MAY.keys()
    assert {(one.method, one.path) for one in endpoints(table())} >= ANYWHERE
