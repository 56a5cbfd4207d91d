"""Items over REST: submit, plan, list, show, cancel, why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.adapters.http.agents import FakeAgent
from tests.servers import RunningServer

SPEC: dict[str, Any] = {"project": "p", "overrides": {"entry_point": ["true"]}}
WANDB_KEY = "w" * 40


def path_of(queue: str, verb: str = "items") -> str:
    """Return the address of a queue's items."""
    return f"/entities/team/queues/{queue}/{verb}"


def test_a_launch_becomes_an_item(server: RunningServer, queue: str) -> None:
    """With the submitter's name, a run id, and the launch's own words."""
    key = server.make_key("submitter", user="grace")
    body = {"spec": SPEC, "name": "first"}
    answer = server.ask("POST", path_of(queue), key=key, json=body)
    assert answer.status_code == 201
    item = answer.json()
    assert (item["submitter"], item["name"], item["state"]) == ("grace", "first", "queued")
    assert item["run_id"]
    shown = server.call("GET", f"/items/{item['id']}", key=key)
    assert shown["spec"]["overrides"] == SPEC["overrides"]
    assert shown["attempts"] == []


def test_a_repeat_gives_the_same_item(server: RunningServer, queue: str) -> None:
    """The same key with the same body: 200 and the item; with another body: 409."""
    headers = {"Idempotency-Key": f"once-{queue}"}
    first = server.ask("POST", path_of(queue), json={"spec": SPEC}, headers=headers)
    again = server.ask("POST", path_of(queue), json={"spec": SPEC}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = {"spec": SPEC, "name": "other"}
    conflict = server.ask("POST", path_of(queue), json=other, headers=headers)
    assert (conflict.status_code, conflict.json()["type"]) == (409, "urn:launchyard:conflict")


def test_a_repeat_is_not_judged_anew(server: RunningServer, queue: str) -> None:
    """Its queue takes no such launch any more, or is gone: the same item all the same."""
    headers = {"Idempotency-Key": f"once-{queue}"}
    server.call("PATCH", f"/entities/team/queues/{queue}", json={"mode": "priority"})
    body = {"spec": SPEC, "priority": "high"}

    def ask(sent: dict[str, Any], **how: Any) -> tuple[int, str]:
        answer = server.ask("POST", path_of(queue), json=sent, **how)
        return answer.status_code, answer.json().get("id") or answer.json()["type"]

    _, item = ask(body, headers=headers)
    server.call("POST", f"/items/{item}/cancel")
    server.call("PATCH", f"/entities/team/queues/{queue}", json={"mode": "fifo"})
    assert ask(body)[0] == 422
    assert ask(body, headers=headers) == (200, item)
    other = ask(body | {"name": "other"}, headers=headers)
    assert other == (409, "urn:launchyard:conflict")
    server.call("DELETE", f"/entities/team/queues/{queue}")
    assert ask(body)[0] == 404
    assert ask(body, headers=headers) == (200, item)


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({}, "overrides.entry_point"),
        ({**SPEC, "resource": "kubernetes"}, "resource"),
        ({**SPEC, "env": {"A B": "1"}}, "env.A B"),
        (
            {**SPEC, "resource_args": {"local-process": {"nice": 3}}},
            "resource_args.local-process.nice",
        ),
        ([], ""),
        (None, ""),
    ],
)
def test_a_wrong_launch_is_refused_with_its_path(
    server: RunningServer, queue: str, spec: Any, path: str
) -> None:
    """The submitter hears at once, and nothing is on the queue."""
    for verb in ("items", "plan"):
        answer = server.ask("POST", path_of(queue, verb), json={"spec": spec})
        assert answer.status_code == 422, answer.text
        assert answer.json()["problems"][0]["path"] == path
    assert server.call("GET", f"/entities/team/queues/{queue}")["counts"]["waiting"] == 0


def test_a_plan_changes_nothing(server: RunningServer, queue: str) -> None:
    """It shows the merged configuration and findings."""
    args = {"local-process": {"env": {"A": "1"}}, "kubernetes": {}}
    planned = server.call(
        "POST", path_of(queue, "plan"), json={"spec": SPEC | {"resource_args": args}}
    )
    assert planned["config"] == {"env": {"A": "1"}}
    assert [finding["path"] for finding in planned["findings"]] == ["resource_args.kubernetes"]
    assert server.call("GET", f"/entities/team/queues/{queue}")["counts"]["waiting"] == 0


def test_a_wandb_key_reaches_the_agent_and_nobody_else(
    server: RunningServer, queue: str, make_agent: Callable[..., FakeAgent]
) -> None:
    """It is split off on arrival: no view and no log of the server has it."""
    body = {"spec": SPEC | {"_wandb_api_key": WANDB_KEY}}
    item = server.ask("POST", path_of(queue), json=body)
    assert WANDB_KEY not in item.text
    assert WANDB_KEY not in server.ask("GET", f"/items/{item.json()['id']}").text
    grant = make_agent(queue).claim()["items"][0]
    assert grant["secrets"]["WANDB_API_KEY"] == WANDB_KEY
    assert WANDB_KEY not in server.said()


def test_a_password_in_an_address_reaches_the_agent_and_nobody_else(
    server: RunningServer, queue: str, make_agent: Callable[..., FakeAgent]
) -> None:
    """Not a plan, not the item, not its earlier attempts; a copy has it all the same."""
    url = "https://ann:hunter2hunter2@example.org/x.git"
    body = {"spec": SPEC | {"source": {"git": {"url": url}}}}
    planned = server.ask("POST", path_of(queue, "plan"), json=body)
    item = server.ask("POST", path_of(queue), json=body)
    shown = server.ask("GET", f"/items/{item.json()['id']}")
    assert all("hunter2" not in answer.text for answer in (planned, item, shown))
    assert shown.json()["spec"]["source"]["git"]["url"] == "https://***@example.org/x.git"
    copy = server.call("POST", f"/items/{item.json()['id']}/duplicate")
    assert "hunter2" not in str(copy)
    agent = make_agent(queue)
    grants = agent.claim(free=2)["items"]
    assert [grant["spec"]["source"]["git"]["url"] for grant in grants] == [url, url]
    agent.report(grants[0], 1, state="failed", reason="source_not_found")
    dead = server.ask("GET", f"/entities/team/queues/{queue}/dead-letters")
    again = server.ask("POST", f"/items/{grants[0]['item']}/retry")
    shown = server.ask("GET", f"/items/{grants[0]['item']}")
    listed = server.ask("GET", f"/items?entity=team&queue={queue}")
    assert [one["reason"] for one in shown.json()["attempts"]] == ["source_not_found"]
    assert all("hunter2" not in answer.text for answer in (dead, again, shown, listed))
    assert "hunter2" not in server.said()


def test_a_personal_queue_takes_from_its_owner_alone(server: RunningServer) -> None:
    """Not even the server's administrator may put something there."""
    server.call("POST", "/entities", json={"name": "lovelace", "kind": "personal"})
    server.make_queue(entity="lovelace", queue="own")
    path = "/entities/lovelace/queues/own/items"
    owner = server.make_key("submitter", "lovelace", user="lovelace")
    friend = server.make_key("admin", "lovelace", user="friend")
    assert server.ask("POST", path, key=owner, json={"spec": SPEC}).status_code == 201
    assert server.ask("POST", path, key=friend, json={"spec": SPEC}).status_code == 403
    assert server.ask("POST", path, json={"spec": SPEC}).status_code == 403


def test_items_are_listed_newest_first_in_pages(server: RunningServer, queue: str) -> None:
    """`before` goes on where the last page ended."""
    made = [server.submit("true", queue=queue) for _ in range(5)]
    page = server.call("GET", f"/items?entity=team&queue={queue}&most=3")["items"]
    assert [item["id"] for item in page] == made[:1:-1]
    last = page[-1]["id"]
    rest = server.call("GET", f"/items?entity=team&queue={queue}&before={last}")["items"]
    assert [item["id"] for item in rest] == made[1::-1]


def test_items_are_filtered_by_state(server: RunningServer, queue: str) -> None:
    """Several states at once."""
    kept, ended = (server.submit("true", queue=queue) for _ in range(2))
    server.call("POST", f"/items/{ended}/cancel")
    where = f"/items?entity=team&queue={queue}"
    assert [i["id"] for i in server.call("GET", f"{where}&state=done")["items"]] == [ended]
    assert [i["id"] for i in server.call("GET", f"{where}&state=queued,claimed")["items"]] == [kept]


@pytest.mark.parametrize("query", ["most=0", "most=x", "most=501", "state=flying"])
def test_a_wrong_filter_is_refused(server: RunningServer, query: str) -> None:
    """A slip must not look like an empty list."""
    assert server.ask("GET", f"/items?{query}").status_code == 422


def test_lists_hold_only_what_the_key_may_see(server: RunningServer, queue: str) -> None:
    """Without an entity: all of the caller's entities, and no others."""
    server.submit("true", queue=queue)
    server.call("POST", "/entities", json={"name": "others", "kind": "team"})
    stranger = server.make_key("admin", "others")
    assert server.call("GET", "/items", key=stranger)["items"] == []
    assert server.ask("GET", "/items?entity=team", key=stranger).status_code == 403
    assert server.call("GET", "/agents", key=stranger)["agents"] == []


def test_a_stranger_does_not_learn_that_an_item_exists(server: RunningServer, queue: str) -> None:
    """Another team's item answers as one that is not there."""
    item = server.submit("true", queue=queue)
    server.call("POST", "/entities", json={"name": "strangers", "kind": "team"})
    stranger = server.make_key("admin", "strangers")
    seen = server.ask("GET", f"/items/{item}", key=stranger).json()
    none = server.ask("GET", "/items/none", key=stranger).json()
    assert seen["status"] == none["status"] == 404
    assert seen["type"] == none["type"]


def test_cancelling_a_waiting_item_ends_it(server: RunningServer, queue: str) -> None:
    """At once, and again without harm."""
    item = server.submit("true", queue=queue)
    for _ in range(2):
        view = server.call("POST", f"/items/{item}/cancel")
        assert (view["state"], view["attempt_state"]) == ("done", "cancelled")


def test_why_follows_the_queue_s_life(
    server: RunningServer, queue: str, make_agent: Callable[..., FakeAgent]
) -> None:
    """One reason at a time, each with what helps."""
    first, second = (server.submit("true", queue=queue) for _ in range(2))
    queue_path = f"/entities/team/queues/{queue}"

    def why(item: str) -> tuple[str, int]:
        answer = server.call("GET", f"/items/{item}/why")
        return answer["reason"], answer["position"]

    assert why(first) == ("no_agent", 1)
    server.call("PATCH", queue_path, json={"paused": True})
    assert why(first) == ("queue_paused", 1)
    server.call("PATCH", queue_path, json={"paused": False})
    agent = make_agent(queue, max_jobs=1)
    agent.ask("heartbeat", {"caller": agent.caller, "leases": []})
    assert why(second) == ("behind_others", 2)
    agent.claim()
    assert why(first) == ("not_waiting", 0)
    assert why(second) == ("agent_full", 1)
    server.call("PATCH", queue_path, json={"limit": 1})
    assert why(second) == ("queue_limit", 1)
    server.call("POST", f"/agents/{agent.id}/drain")
    assert why(second) == ("agent_draining", 1)
