"""Settings of queues over REST, and the order of their items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from launchyard.domain.priority import Priority
from tests.adapters.http.agents import FakeAgent
from tests.servers import RunningServer

SPEC: dict[str, Any] = {"project": "p", "overrides": {"entry_point": ["true"]}}
WANTED: dict[str, Any] = {
    "resource": "local-process",
    "mode": "priority",
    "template_variables": {"n": {"type": "integer", "default": 3}},
    "config": {"env": {"N": "{{n}}"}},
}


def path_of(queue: str) -> str:
    """Return a queue's address."""
    return f"/entities/team/queues/{queue}"


def test_put_makes_and_replaces(server: RunningServer, queue: str) -> None:
    """Variables are kept W&B's way; what is left out has its default, a pause stays."""
    path = path_of(f"{queue}-put")
    dry = server.call("PUT", path, json=WANTED, params={"dry_run": "1"})
    assert server.ask("GET", path).status_code == 404
    made = server.call("PUT", path, json=WANTED)
    described = {"n": {"schema": {"type": "integer", "default": 3}}}
    assert made["template_variables"] == dry["template_variables"] == described
    assert server.call("PUT", path, json=WANTED) == made
    server.call("PATCH", path, json={"paused": True, "limit": 3})
    again = server.call("PUT", path, json={"resource": "local-process", "config": {}})
    assert (again["mode"], again["template_variables"]) == ("fifo", None)
    assert (again["paused"], again["limit"]) == (True, None)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"template_variables": {"n": {"type": "int"}}}, "template_variables.n.type"),
        ({"config": {"env": {"N": "{{m}}"}}}, "config.env.N"),
        ({"mode": "lifo"}, "mode"),
        ({"name": "another"}, "name"),
        ({"limit": -1}, "limit"),
    ],
)
def test_a_wrong_queue_is_refused_with_its_path(
    server: RunningServer, queue: str, change: dict[str, Any], path: str
) -> None:
    """A dry run refuses the same."""
    for params in ({}, {"dry_run": "1"}):
        answer = server.ask("PUT", path_of(queue), json=WANTED | change, params=params)
        assert answer.status_code == 422, answer.text
        assert [one["path"] for one in answer.json()["problems"]] == [path]


def test_a_queue_keeps_its_target(server: RunningServer, queue: str) -> None:
    """Items wait that were judged for it."""
    other = {"resource": "docker", "config": {}}
    assert server.ask("PUT", path_of(queue), json=other).status_code == 409
    dry = server.ask("PUT", path_of(queue), json=other, params={"dry_run": "1"})
    assert dry.json()["problems"][0]["path"] == "resource"


def test_priorities_from_submit_to_claim(
    server: RunningServer, queue: str, make_agent: Callable[..., FakeAgent]
) -> None:
    """Numbers and words; who may submit may move what waits, who may only look may not."""
    server.call("PATCH", path_of(queue), json={"mode": "priority"})
    wishes: tuple[dict[str, Any], ...] = (
        {},
        {"priority": "low"},
        {"priority": 0},
        {"spec": {**SPEC, "priority": 1}},
    )
    items = [
        server.call("POST", f"{path_of(queue)}/items", json={"spec": SPEC} | wish)["id"]
        for wish in wishes
    ]
    medium, low, critical, high = items
    bad = server.ask("PATCH", f"/items/{low}", json={"priority": "soon"})
    assert (bad.status_code, bad.json()["problems"][0]["path"]) == (422, "priority")
    viewer, submitter = server.make_key("viewer"), server.make_key("submitter")
    wish = {"priority": "critical"}
    assert server.ask("PATCH", f"/items/{low}", json=wish, key=viewer).status_code == 403
    moved = server.call("PATCH", f"/items/{low}", json=wish, key=submitter)
    assert moved["priority"] == 0
    assert server.call("GET", f"/items/{high}/why")["position"] == 3
    agent = make_agent(queue)
    claimed = agent.ask("claim", agent.wish(4)).json()["items"]
    assert [grant["item"] for grant in claimed] == [low, critical, high, medium]
    gone = server.ask("PATCH", f"/items/{low}", json=wish)
    assert (gone.status_code, gone.json()["type"]) == (409, "urn:launchyard:conflict")


def test_a_copy_has_the_priority_that_its_queue_knows(server: RunningServer, queue: str) -> None:
    """The original's own, and none on a queue that has become FIFO since."""
    server.call("PATCH", path_of(queue), json={"mode": "priority"})
    wish = {"spec": SPEC, "priority": "low"}
    item = server.call("POST", f"{path_of(queue)}/items", json=wish)["id"]
    copy = server.call("POST", f"/items/{item}/duplicate")
    assert copy["priority"] == Priority.LOW
    for one in (item, copy["id"]):
        server.call("POST", f"/items/{one}/cancel")
    server.call("PATCH", path_of(queue), json={"mode": "fifo"})
    assert server.call("POST", f"/items/{item}/duplicate")["priority"] == Priority.MEDIUM
    assert server.call("POST", f"/items/{item}/retry")["priority"] == Priority.MEDIUM


def test_a_list_says_why_each_item_waits(
    server: RunningServer, queue: str, make_agent: Callable[..., FakeAgent]
) -> None:
    """The same reason that `why` gives; what has ended waits for nothing."""
    path = f"{path_of(queue)}/items"
    items = [server.call("POST", path, json={"spec": SPEC})["id"] for _ in range(3)]
    server.call("POST", f"/items/{items[2]}/cancel")
    agent = make_agent(queue)
    listed = server.call("GET", "/items", params={"entity": "team", "queue": queue})["items"]
    waits = {one["id"]: one["waits"] for one in listed}
    assert [waits[item] for item in items] == ["next", "behind_others", ""]
    refusing = {"local-process": {"reason": "circuit_open", "detail": "5 failures in a row"}}
    beat = {"caller": agent.caller, "leases": [], "standing": {"refusing": refusing}}
    assert agent.ask("heartbeat", beat).ok
    assert server.call("GET", f"/items/{items[0]}/why")["reason"] == "circuit_open"
    assert agent.ask("claim", agent.wish()).json()["items"] == []
