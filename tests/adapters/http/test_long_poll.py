"""Waiting for work: who is woken, by what, and what a gone client gets."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.adapters.http.agents import FakeAgent, Waiting
from tests.servers import LIMIT_S, RunningServer

Make = Callable[..., FakeAgent]


def begin(server: RunningServer, agent: FakeAgent, free: int = 1) -> Waiting:
    """Let *agent* wait for work; return once the server lets it wait."""
    before = _in_flight(server)
    waiting = agent.wait(free)
    until(lambda: _in_flight(server) > before or waiting.done)
    return waiting


def until(ready: Callable[[], bool]) -> None:
    """Look again until *ready*."""
    deadline = time.monotonic() + LIMIT_S
    while not ready():
        assert time.monotonic() < deadline


def _in_flight(server: RunningServer) -> float:
    text = server.ask("GET", "metrics", key="").text
    line = next(line for line in text.splitlines() if line.startswith("launchyard_claims_waiting "))
    return float(line.split()[1])


def test_a_submit_wakes_a_waiting_claim(
    server: RunningServer, queue: str, make_agent: Make
) -> None:
    """In far less than any polling interval."""
    agent = make_agent(queue)
    waiting = begin(server, agent)
    began = time.monotonic()
    item = server.submit("true", queue=queue)
    assert waiting.items() == [item]
    assert time.monotonic() - began < 20


def test_an_empty_wait_ends_in_time(server: RunningServer, queue: str, make_agent: Make) -> None:
    """The answer is empty, not an error."""
    began = time.monotonic()
    assert make_agent(queue).claim(wait_s=0.3) == {"items": [], "resolve": [], "commands": []}
    assert 0.25 < time.monotonic() - began < 60


def test_one_item_goes_to_one_of_many(server: RunningServer, queue: str, make_agent: Make) -> None:
    """Each waiting agent gets an item when there are as many."""
    agents = [make_agent(queue) for _ in range(4)]
    waiting = [begin(server, agent) for agent in agents]
    items = [server.submit("true", queue=queue) for _ in agents]
    assert sorted(item for one in waiting for item in one.items()) == sorted(items)


def test_who_refuses_a_target_takes_no_wake_up_from_others(
    server: RunningServer, queue: str, make_agent: Make
) -> None:
    """Also when it began to refuse only after it had come first in line."""
    refuses, takes = make_agent(queue), make_agent(queue)
    first = begin(server, refuses)
    refusing = {"local-process": {"reason": "host_guard"}}
    beat = {"caller": refuses.caller, "leases": [], "standing": {"refusing": refusing}}
    assert refuses.ask("heartbeat", beat).ok
    second = begin(server, takes)
    for _ in range(2):  # the second time the refusing agent is no longer in line
        began = time.monotonic()
        item = server.submit("true", queue=queue)
        assert second.items() == [item]
        assert time.monotonic() - began < 20
        second = begin(server, takes)
    assert not first.done


def test_what_an_agent_lists_no_more_wakes(
    server: RunningServer, queue: str, make_agent: Make
) -> None:
    """The beat that gives it up lets another agent have it at once."""
    item = server.submit("true", queue=queue)
    forgets, takes = make_agent(queue), make_agent(queue)
    assert forgets.claim()["items"]
    waiting = begin(server, takes)
    for unlisted in ([item], []):
        beat = forgets.ask("heartbeat", {"caller": forgets.caller, "leases": []}).json()
        assert [one["item"] for one in beat["unlisted"]] == unlisted
    assert waiting.items() == [item]


def test_a_newer_claim_ends_the_older(server: RunningServer, queue: str, make_agent: Make) -> None:
    """One in flight per agent: the older one answers empty at once, the newer one waits on."""
    agent = make_agent(queue)
    older = begin(server, agent)
    newer = agent.wait()
    assert older.items() == []
    item = server.submit("true", queue=queue)
    assert newer.items() == [item]


def test_an_abort_ends_the_claim(server: RunningServer, queue: str, make_agent: Make) -> None:
    """And what comes later is for others."""
    agent = make_agent(queue)
    waiting = begin(server, agent)
    agent.post("abort", claim_id=waiting.wish["claim_id"])
    assert waiting.items() == []
    item = server.submit("true", queue=queue)
    assert make_agent(queue).claim()["items"][0]["item"] == item


def test_an_abort_after_the_grant_gives_the_items_back(
    server: RunningServer, queue: str, make_agent: Make
) -> None:
    """A drained agent's last claim loses nothing: a waiting one takes it up."""
    item = server.submit("true", queue=queue)
    first, second = make_agent(queue), make_agent(queue)
    assert first.claim(claim_id="last")["items"]
    waiting = begin(server, second)
    first.post("abort", claim_id="last")
    assert waiting.items() == [item]


def test_a_repeated_claim_gets_the_same_items(
    server: RunningServer, queue: str, make_agent: Make
) -> None:
    """A lost answer is asked for again under its id."""
    server.submit("true", queue=queue)
    agent = make_agent(queue)
    first = agent.claim(claim_id="c", wait_s=5)
    assert agent.claim(claim_id="c", wait_s=5)["items"] == first["items"]


def test_a_cancel_wakes_the_holder(server: RunningServer, queue: str, make_agent: Make) -> None:
    """A full agent, which asks for no work, hears of it at once, and once."""
    item = server.submit("true", queue=queue)
    agent = make_agent(queue)
    agent.launch(agent.claim()["items"][0])
    waiting = begin(server, agent, free=0)
    server.call("POST", f"/items/{item}/cancel")
    expected = [{"kind": "cancel", "item": item, "attempt": 1}]
    assert waiting.answer()["commands"] == expected
    assert agent.claim(free=0, wait_s=0.2)["commands"] == []
    beat = agent.ask("heartbeat", {"caller": agent.caller, "leases": []}).json()
    assert beat["commands"] == expected


def test_a_drain_wakes_the_agent(server: RunningServer, queue: str, make_agent: Make) -> None:
    """So that a drain takes seconds, not a poll."""
    agent = make_agent(queue)
    waiting = begin(server, agent)
    server.call("POST", f"/agents/{agent.id}/drain")
    assert [command["kind"] for command in waiting.answer()["commands"]] == ["drain"]


def test_a_pause_wakes_the_agent(server: RunningServer, queue: str, make_agent: Make) -> None:
    """Then it takes no wake-up from others, even with a claim for work, until it is resumed."""
    paused, other = make_agent(queue), make_agent(queue)
    waiting = begin(server, paused)
    assert server.call("POST", f"/agents/{paused.id}/pause")["paused"] is True
    assert [command["kind"] for command in waiting.answer()["commands"]] == ["pause"]
    waiting, second = begin(server, paused), begin(server, other)
    item = server.submit("true", queue=queue)
    assert second.items() == [item]
    item = server.submit("true", queue=queue)
    assert not waiting.done
    assert server.call("POST", f"/agents/{paused.id}/resume")["paused"] is False
    assert waiting.items() == [item]


def test_a_resumed_queue_wakes(server: RunningServer, queue: str, make_agent: Make) -> None:
    """What waited behind the pause is claimed at once."""
    path = f"/entities/team/queues/{queue}"
    server.call("PATCH", path, json={"paused": True})
    item = server.submit("true", queue=queue)
    agent = make_agent(queue)
    waiting = begin(server, agent)
    server.call("PATCH", path, json={"paused": False})
    assert waiting.items() == [item]


def test_a_freed_slot_wakes(server: RunningServer, queue: str, make_agent: Make) -> None:
    """The end of an item lets the next one of a limited queue go, to whoever waits."""
    server.call("PATCH", f"/entities/team/queues/{queue}", json={"limit": 1})
    first, second = (server.submit("true", queue=queue) for _ in range(2))
    worker, other = make_agent(queue), make_agent(queue)
    grant = worker.claim(free=2)["items"]
    assert [one["item"] for one in grant] == [first]
    waiting = begin(server, other)
    worker.finish(grant[0])
    assert waiting.items() == [second]


def test_a_released_item_wakes(server: RunningServer, queue: str, make_agent: Make) -> None:
    """What one agent gives back before its launch, another takes."""
    item = server.submit("true", queue=queue)
    first, second = make_agent(queue), make_agent(queue)
    grant = first.claim()["items"][0]
    waiting = begin(server, second)
    lease = {name: grant[name] for name in ("item", "attempt", "token")}
    answers = first.post("release", batch=[{"lease": lease, "state": "claimed"}])["answers"]
    assert answers[0]["verdict"] == "taken"
    assert waiting.items() == [item]


def test_a_gone_client_gets_nothing(server: RunningServer, queue: str, make_agent: Make) -> None:
    """Its wake-up goes to the next in line, and nothing is leased to nobody."""
    gone, next_one = make_agent(queue), make_agent(queue)
    _ask_and_leave(server, gone)
    waiting = begin(server, next_one)
    item = server.submit("true", queue=queue)
    assert waiting.items() == [item]


def _ask_and_leave(server: RunningServer, agent: FakeAgent) -> None:
    """Send a claim that waits, and close the connection without a goodbye."""
    address = urlsplit(server.url)
    body = json.dumps(agent.wish(wait_s=55)).encode()
    head = (
        f"POST /api/v1/agents/{agent.id}/claim HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {server.admin_key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((address.hostname or "", address.port or 0)) as sock:
        before = _in_flight(server)
        sock.sendall(head.encode() + body)
        until(lambda: _in_flight(server) > before)


def test_one_submit_wakes_one_of_many(server: RunningServer, queue: str, make_agent: Make) -> None:
    """Many idle agents wait on one connection each; one submit wakes one of them."""
    agents = [make_agent(queue) for _ in range(30)]
    address = urlsplit(server.url)
    with contextlib.ExitStack() as stack:
        wishes = {agent.id: agent.wish(wait_s=55) for agent in agents}
        connections = []
        for agent in agents:
            connection = http.client.HTTPConnection(address.hostname or "", address.port, LIMIT_S)
            stack.enter_context(contextlib.closing(connection))
            headers = {"Authorization": f"Bearer {server.admin_key}"}
            path = f"/api/v1/agents/{agent.id}/claim"
            connection.request("POST", path, json.dumps(wishes[agent.id]), headers)
            connections.append(connection)
        until(lambda: _in_flight(server) >= len(agents))
        item = server.submit("true", queue=queue)
        until(lambda: server.call("GET", f"/items/{item}")["state"] != "queued")
        holder = server.call("GET", f"/items/{item}")["agent"]
        for agent in agents:
            if agent.id != holder:
                agent.post("abort", claim_id=wishes[agent.id]["claim_id"])
        answers = [json.load(connection.getresponse()) for connection in connections]
    assert sum(len(answer["items"]) for answer in answers) == 1


@pytest.mark.parametrize("change", [{"epoch": 0}, {"agent": "another"}])
def test_a_wrong_caller_is_refused(
    server: RunningServer, queue: str, make_agent: Make, change: dict[str, object]
) -> None:
    """An old start of the agent hears that it is old; a foreign body is refused."""
    agent = make_agent(queue)
    wish = agent.wish() | {"caller": agent.caller | change}
    answer = agent.ask("claim", wish)
    expected = (410, "urn:launchyard:stale_agent") if "epoch" in change else (422, None)
    assert answer.status_code == expected[0]
    assert answer.json()["type"] == (expected[1] or "urn:launchyard:invalid")


def test_an_old_start_does_not_disturb_the_new_one(
    server: RunningServer, queue: str, make_agent: Make
) -> None:
    """A zombie's claim is refused before it ends its successor's wait."""
    agent = make_agent(queue)
    hello = FakeAgent.hello(agent.name, (queue,), agent.id)
    grant = server.call("POST", "/agents", json=hello)
    newer = FakeAgent(server, grant["agent"], grant["epoch"], (queue,), agent.name)
    assert newer.id == agent.id
    waiting = begin(server, newer)
    assert agent.ask("claim", agent.wish()).status_code == 410
    item = server.submit("true", queue=queue)
    assert waiting.items() == [item]
