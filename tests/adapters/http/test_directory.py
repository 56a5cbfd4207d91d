"""Entities, keys and queues over REST."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from tests.servers import RunningServer


def test_a_stranger_learns_which_server_this_is(server: RunningServer) -> None:
    """`info` needs no key; it is what a login looks at first."""
    answer = server.ask("GET", "/info", key="")
    assert answer.json().keys() == {"name", "version", "installation"}


def test_a_key_says_who_it_speaks_for(server: RunningServer) -> None:
    """With its role per entity, under Bearer and Basic alike."""
    key = server.make_key("viewer", user="grace")
    expected = {"user": "grace", "roles": {"team": "viewer"}, "everywhere": None}
    assert server.call("GET", "/me", key=key) == expected
    basic = base64.b64encode(f"api:{key}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}
    assert server.ask("GET", "/me", key="", headers=headers).json() == expected


@pytest.mark.parametrize(
    "header",
    [
        "Bearer " + "a" * 48,
        "Bearer short",
        "Bearer " + "A" * 48,
        "Basic !!!",
        "Basic " + base64.b64encode(b"other:" + b"a" * 48).decode(),
        "Digest x",
        "Bearer",
    ],
)
def test_a_wrong_key_is_nobody_s(server: RunningServer, header: str) -> None:
    """Whatever is wrong with it: 401, and how to log in."""
    answer = server.ask("GET", "/me", key="", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "launchyard login" in answer.json()["remedy"]


def test_a_key_s_text_is_told_once(server: RunningServer) -> None:
    """Lists have no text and no digest; W&B clients accept the form."""
    made = server.call(
        "POST", "/keys", json={"user": "bob", "entity": "team", "role": "agent", "label": "rig"}
    )
    assert re.fullmatch(r"[a-z0-9]{40,128}", made["key"])
    listed = [key for key in server.call("GET", "/keys")["keys"] if key["id"] == made["id"]]
    assert listed == [{name: value for name, value in made.items() if name != "key"}]
    assert made["key"] not in server.said()


def test_a_revoked_key_is_nobody_s(server: RunningServer) -> None:
    """From the next request on."""
    made = server.call("POST", "/keys", json={"user": "eve", "entity": "team", "role": "viewer"})
    assert server.ask("GET", "/me", key=made["key"]).ok
    assert server.ask("DELETE", f"/keys/{made['id']}").status_code == 204
    assert server.ask("GET", "/me", key=made["key"]).status_code == 401
    assert server.ask("DELETE", "/keys/none").status_code == 404


def test_a_team_s_administrator_makes_no_key_beyond_the_team(server: RunningServer) -> None:
    """Neither for another entity nor for all of them."""
    admin = server.make_key("admin", user="boss")
    for entity in ("", "elsewhere"):
        body = {"user": "boss", "entity": entity, "role": "admin"}
        assert server.ask("POST", "/keys", key=admin, json=body).status_code == 403
    body = {"user": "x", "entity": "team", "role": "viewer"}
    assert server.ask("POST", "/keys", key=admin, json=body).status_code == 201
    own = server.call("GET", "/keys", key=admin)["keys"]
    assert {key["entity"] for key in own} == {"team"}


def test_entities_are_shown_to_their_members(server: RunningServer) -> None:
    """An administrator of the server sees all; a second one of a name is refused."""
    body = {"name": "hidden", "kind": "team"}
    server.call("POST", "/entities", json=body)
    again = server.ask("POST", "/entities", json=body)
    assert (again.status_code, again.json()["type"]) == (409, "urn:launchyard:exists")
    key = server.make_key("viewer")
    names = [entity["name"] for entity in server.call("GET", "/entities", key=key)["entities"]]
    assert names == ["team"]


@pytest.mark.parametrize("name", ["", "a b", "../x", "a/b", "é", "-x", "x" * 129])
def test_a_name_must_fit_an_address(server: RunningServer, name: str) -> None:
    """Names stand in addresses and commands."""
    answer = server.ask("POST", "/entities", json={"name": name, "kind": "team"})
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["path"] == "name"


def test_a_queue_s_life(server: RunningServer, queue: str) -> None:
    """Made, shown with counts, changed in parts, deleted when empty."""
    path = f"/entities/team/queues/{queue}"
    shown = server.call("GET", path)
    counts = {"waiting": 0, "active": 0, "done": 0, "delayed": 0, "dead": 0}
    assert shown["counts"] == counts | {"oldest_waiting_ms": None}
    changed = server.call("PATCH", path, json={"limit": 3, "paused": True, "overridable": ["env"]})
    assert (changed["limit"], changed["paused"], changed["overridable"]) == (3, True, ["env"])
    assert server.call("PATCH", path, json={"no_limit": True})["limit"] is None
    item = server.submit("true", queue=queue)
    refused = server.ask("DELETE", path)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:launchyard:not_empty")
    server.call("POST", f"/items/{item}/cancel")
    assert server.ask("DELETE", path).status_code == 204
    assert server.ask("GET", path).status_code == 404


def test_an_unknown_queue_has_near_names(server: RunningServer, queue: str) -> None:
    """People misspell; the answer says what they may have meant."""
    answer = server.ask("GET", f"/entities/team/queues/{queue}x")
    assert answer.status_code == 404
    assert queue in answer.json()["known"]
    assert "did you mean" in answer.json()["remedy"]


@pytest.mark.parametrize(
    ("name", "config", "expected"),
    [
        ("yaml", "nice: 3\nenv:\n  A: x\n", {"nice": 3, "env": {"A": "x"}}),
        ("json", '{"nice": 4}', {"nice": 4}),
        ("object", {"nice": 5}, {"nice": 5}),
        ("wrapped", {"resource_args": {"local-process": {"nice": 6}}}, {"nice": 6}),
        ("empty", "", {}),
        ("none", None, {}),
    ],
)
def test_a_configuration_comes_in_several_forms(
    server: RunningServer, name: str, config: Any, expected: Any
) -> None:
    """An object, or a text in YAML or JSON; W&B's wrapping is taken off."""
    server.make_queue(queue=f"form-{name}", config=config)
    assert server.call("GET", f"/entities/team/queues/form-{name}")["config"] == expected


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"config": {"nice": 99}}, "resource_args.local-process.nice"),
        ({"config": "a: b: c"}, ""),
        ({"config": [1]}, "config"),
        ({"overridable": ["..x"]}, "overridable[0]"),
        ({"limit": -1}, "limit"),
        ({"limit": "3"}, "limit"),
        ({"name": "a b"}, "name"),
        ({"resource": ""}, "resource"),
    ],
)
def test_a_wrong_queue_is_refused_with_its_path(
    server: RunningServer, change: dict[str, Any], path: str
) -> None:
    """All problems of a queue are told by place."""
    body = {"name": "wrong", "resource": "local-process", "config": {}} | change
    answer = server.ask("POST", "/entities/team/queues", json=body)
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["path"] == path
    assert server.ask("GET", "/entities/team/queues/wrong").status_code == 404


def test_a_wrong_change_changes_nothing(server: RunningServer, queue: str) -> None:
    """The whole queue is checked as it would be."""
    path = f"/entities/team/queues/{queue}"
    assert server.ask("PATCH", path, json={"config": {"nise": 1}, "limit": 4}).status_code == 422
    assert server.call("GET", path)["limit"] is None


def test_queues_are_listed_with_their_counts(server: RunningServer, queue: str) -> None:
    """One call tells how busy an entity is."""
    server.submit("true", queue=queue)
    found = server.call("GET", "/entities/team/queues")["queues"]
    assert next(one for one in found if one["name"] == queue)["counts"]["waiting"] == 1
