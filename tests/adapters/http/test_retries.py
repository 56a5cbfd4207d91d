"""Retries, delays and dead letters over REST."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.adapters.http.agents import FakeAgent
from tests.servers import RunningServer

SPEC: dict[str, Any] = {"project": "p", "overrides": {"entry_point": ["true"]}}
AT_ONCE = {"first_s": 0, "cap_s": 0}
AN_HOUR = {"first_s": 3600, "cap_s": 3600, "jitter": 0}


def put(server: RunningServer, queue: str, **more: Any) -> dict[str, Any]:
    """Put an item on a queue."""
    path = f"/entities/team/queues/{queue}/items"
    return dict(server.call("POST", path, json={"spec": SPEC, **more}))


def fail(agent: FakeAgent, grant: dict[str, Any], reason: str = "exit_code", code: int = 1) -> None:
    """Let an attempt begin to run, write a line, and fail."""
    seq, item = grant["seq"], grant["item"]
    agent.launch(grant)
    agent.report(grant, seq + 1, state="running", place=agent.place(item, "1"))
    log = f"/items/{item}/attempts/{grant['attempt']}/logs/main?start=0"
    line = f"attempt {grant['attempt']}\n".encode()
    assert agent.server.ask("PUT", log, data=line).ok
    end = {"state": "failed", "reason": reason, "exit_code": code}
    assert agent.report(grant, seq + 2, **end)["verdict"] == "taken"


def numbers_of(server: RunningServer, family: str, queue: str) -> dict[str, float]:
    """Return the values of a family for a queue, by class."""
    lines = server.ask("GET", "metrics").text.splitlines()
    found = [one for one in lines if one.startswith(family) and f'queue="{queue}"' in one]
    return {one.split('class="')[1].split('"')[0]: float(one.split()[-1]) for one in found}


def test_an_attempt_that_failed_is_tried_again(
    server: RunningServer, queue: str, make_agent: Callable[..., FakeAgent]
) -> None:
    """A waiting claim gets the next attempt; the first is kept with its end and its log."""
    policy = {"budgets": {"user": 1}, "backoff": AT_ONCE}
    item = put(server, queue, retry=policy)["id"]
    agent = make_agent(queue)
    [first] = agent.claim()["items"]
    other = make_agent(queue)
    waiting = other.wait()
    fail(agent, first, code=9)
    [second] = waiting.answer()["items"]
    assert (second["item"], second["attempt"]) == (item, 2)
    assert agent.report(first, first["seq"] + 2, state="failed")["verdict"] == "taken"
    assert agent.report(first, first["seq"] + 3, logs_complete=True)["verdict"] == "taken"
    assert agent.launch(first)["verdict"] == "stale"
    fail(other, second)
    shown = server.call("GET", f"/items/{item}")
    assert (shown["state"], shown["attempt"], shown["retries"]) == ("done", 2, 1)
    assert shown["dead"] == "user"
    [earlier] = shown["attempts"]
    assert (earlier["attempt_state"], earlier["exit_code"]) == ("failed", 9)
    assert (earlier["agent"], earlier["logs_complete"]) == (agent.id, True)
    assert earlier["times_ms"]["running"]
    for attempt in (1, 2):
        text = server.ask("GET", f"/items/{item}/logs?attempt={attempt}").text
        assert text == f"attempt {attempt}\n"
    assert numbers_of(server, "launchyard_retries_total", queue) == {"user": 1}
    assert numbers_of(server, "launchyard_dead_letters_total", queue) == {"user": 1}


def test_a_queue_says_what_is_tried_again(
    server: RunningServer, queue: str, make_agent: Callable[..., FakeAgent]
) -> None:
    """A backing-off item says until when; `retry` lets it go at once."""
    path = f"/entities/team/queues/{queue}"
    policy = {"exit_codes": {"retry": [75], "never": [2]}, "backoff": AN_HOUR}
    assert server.call("PATCH", path, json={"retry": policy})["retry"] == policy
    assert server.call("GET", path)["retry"] == policy
    item = put(server, queue)["id"]
    agent = make_agent(queue)
    fail(agent, agent.claim()["items"][0], code=75)
    shown = server.call("GET", f"/items/{item}")
    assert (shown["state"], shown["attempt"], shown["retries"]) == ("queued", 2, 1)
    assert "retry 1 of 3 for exit_code" in shown["detail"]
    assert 3500 < shown["not_before_ms"] / 1000 - time.time() < 3601
    why = server.call("GET", f"/items/{item}/why")
    assert (why["reason"], "Its retry 1 waits until" in why["text"]) == ("not_before", True)
    assert server.call("GET", path)["counts"]["delayed"] == 1
    assert agent.claim()["items"] == []
    waiting = agent.wait()
    server.call("POST", f"/items/{item}/retry")
    [second] = waiting.answer()["items"]
    fail(agent, second, code=2)
    assert server.call("GET", f"/items/{item}")["state"] == "done"


def test_a_wrong_policy_is_refused_with_its_path(server: RunningServer, queue: str) -> None:
    """With what is allowed, for queues and items; a queue may forbid items their own."""
    path = f"/entities/team/queues/{queue}"
    answer = server.ask("PATCH", path, json={"retry": {"budgets": {"user": -1}}})
    [problem] = answer.json()["problems"]
    assert (answer.status_code, problem["path"]) == (422, "retry.budgets.user")
    assert "from 0 to" in problem["allowed"]
    body = {"spec": SPEC, "retry": {"budgets": {"lost": 1}}}
    answer = server.ask("POST", f"{path}/items", json=body)
    assert answer.json()["problems"][0]["path"] == "retry.budgets.lost"
    server.call("PATCH", path, json={"retry": {"items_may_override": False}})
    answer = server.ask("POST", f"{path}/plan", json={"spec": SPEC, "retry": {}})
    assert (answer.status_code, answer.json()["problems"][0]["path"]) == (422, "retry")


def test_a_delayed_item_is_claimed_when_its_moment_comes(
    server: RunningServer, queue: str, make_agent: Callable[..., FakeAgent]
) -> None:
    """The claim that waits is woken then, and not before; nobody asks in between."""
    agent = make_agent(queue)
    waiting = agent.wait()
    assert put(server, queue, delay_s=3600)["not_before_ms"]
    path = f"/entities/team/queues/{queue}"
    counts = server.call("GET", path)["counts"]
    assert (counts["waiting"], counts["delayed"]) == (0, 1)
    assert server.ask("DELETE", path).status_code == 409
    item = put(server, queue, delay_s=0.7)
    assert waiting.items() == [item["id"]]
    assert time.time() * 1000 >= item["not_before_ms"]
    assert put(server, queue, not_before_ms=1)["not_before_ms"] is None


@pytest.mark.parametrize(
    "more",
    [
        {"delay_s": -1},
        {"delay_s": 1e9},
        {"not_before_ms": 1 << 62},
        {"delay_s": 1, "not_before_ms": 1},
    ],
)
def test_a_moment_that_cannot_be_meant_is_refused(
    server: RunningServer, queue: str, more: dict[str, Any]
) -> None:
    """The past of a duration, the far future, and two moments at once."""
    path = f"/entities/team/queues/{queue}/items"
    assert server.ask("POST", path, json={"spec": SPEC, **more}).status_code == 422


def test_dead_letters_are_listed_and_replayed(
    server: RunningServer, queue: str, make_agent: Callable[..., FakeAgent]
) -> None:
    """By class, one by one, or all; a replayed item is attempt n+1 and wakes a claim."""
    server.call(
        "PATCH", f"/entities/team/queues/{queue}", json={"retry": {"budgets": {"platform": 0}}}
    )
    agent = make_agent(queue)
    items = [put(server, queue)["id"] for _ in range(3)]
    grants = agent.claim(3)["items"]
    for grant, reason in zip(grants, ("exit_code", "disk_full", "submit_failed"), strict=True):
        fail(agent, grant, reason)
    path = f"/entities/team/queues/{queue}/dead-letters"
    # `disk_full` is the agent's fault, for which there are retries.
    letters = server.call("GET", path)["items"]
    assert [one["id"] for one in letters] == [items[2], items[0]]
    assert [one["dead"] for one in letters] == ["platform", "user"]
    [one] = server.call("GET", f"{path}?class=platform&reason=submit_failed")["items"]
    assert one["id"] == items[2]
    assert server.ask("GET", f"{path}?class=nonsense").status_code == 422
    waiting = agent.wait()
    assert server.call("POST", f"{path}/replay", json={"classes": ["platform"]}) == {
        "items": [items[2]]
    }
    [again] = waiting.answer()["items"]
    assert (again["item"], again["attempt"]) == (items[2], 2)
    wrong = server.ask("POST", f"{path}/replay", json={"items": [items[0], items[1]]})
    assert wrong.status_code == 409
    assert server.call("POST", f"{path}/replay", json={})["items"] == [items[0]]
    assert server.call("GET", path)["items"] == []


def test_a_duplicate_is_a_new_item(server: RunningServer, queue: str) -> None:
    """The same launch for whoever asks, with a run of its own and no secret of another's."""
    spec = {**SPEC, "run_id": "mine", "_wandb_api_key": "w" * 40}
    first = put(server, queue, name="n", retry={"budgets": {"user": 2}})
    key = server.make_key("submitter", user="bob")
    second = server.call("POST", f"/items/{first['id']}/duplicate", key=key)
    assert (second["submitter"], second["name"], second["state"]) == ("bob", "n", "queued")
    assert second["id"] != first["id"]
    assert second["run_id"] != first["run_id"]
    assert second["retry"] == first["retry"]
    body = {"spec": spec}
    own = server.call("POST", f"/entities/team/queues/{queue}/items", json=body, key=key)
    refused = server.ask("POST", f"/items/{own['id']}/duplicate")
    assert (refused.status_code, "WANDB_API_KEY" in refused.json()["detail"]) == (409, True)
    copied = server.call("POST", f"/items/{own['id']}/duplicate", key=key)
    assert copied["run_id"] != "mine"


def test_who_may_not_cancel_may_not_retry(server: RunningServer, queue: str) -> None:
    """Viewers look at dead letters, and that is all."""
    item = put(server, queue)["id"]
    key = server.make_key("viewer", user="eve")
    path = f"/entities/team/queues/{queue}/dead-letters"
    assert server.ask("GET", path, key=key).status_code == 200
    for address in (f"/items/{item}/retry", f"/items/{item}/duplicate", f"{path}/replay"):
        assert server.ask("POST", address, key=key, json={}).status_code == 403, address
    assert server.ask("POST", f"/items/{item}/cancel").ok
    assert server.call("POST", f"/items/{item}/retry")["attempt"] == 2
    assert server.ask("POST", f"/items/{item}/retry").status_code == 409
