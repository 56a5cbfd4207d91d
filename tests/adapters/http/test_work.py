"""What agents tell: hello, heartbeats, launches, reports, reclaims, releases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.adapters.http.agents import FakeAgent, lease
from tests.servers import RunningServer

Make = Callable[..., FakeAgent]


def test_a_hello_with_an_unknown_queue_is_refused(server: RunningServer, queue: str) -> None:
    """With the name that may have been meant."""
    answer = server.ask("POST", "/agents", json=FakeAgent.hello("a", (f"{queue}x",)))
    assert answer.status_code == 404
    assert queue in answer.json()["known"]


def test_an_agent_comes_back_to_its_leases(
    server: RunningServer, queue: str, make_agent: Make
) -> None:
    """The next start of the same agent has a higher epoch and its items at once."""
    item = server.submit("true", queue=queue)
    agent = make_agent(queue)
    agent.launch(agent.claim()["items"][0])
    again = server.call("POST", "/agents", json=FakeAgent.hello(agent.name, (queue,), agent.id))
    assert (again["agent"], again["epoch"]) == (agent.id, agent.epoch + 1)
    assert [one["item"] for one in again["leases"]] == [item]
    old = agent.ask("heartbeat", {"caller": agent.caller, "leases": []})
    assert (old.status_code, old.json()["type"]) == (410, "urn:launchyard:stale_agent")


def test_an_agent_belongs_to_one_entity(
    server: RunningServer, queue: str, make_agent: Make
) -> None:
    """Nobody takes over another entity's agent by its id."""
    agent = make_agent(queue)
    server.call("POST", "/entities", json={"name": "rival", "kind": "team"})
    server.make_queue(entity="rival", queue="r")
    body = FakeAgent.hello("x", ("r",), agent.id) | {"entity": "rival"}
    assert server.ask("POST", "/agents", json=body).status_code == 409


def test_an_item_s_way_through(server: RunningServer, queue: str, make_agent: Make) -> None:
    """Claim, fenced write, facts, end, and the log's end; a repeat is taken as known."""
    item = server.submit("true", queue=queue)
    agent = make_agent(queue)
    grant = agent.claim()["items"][0]
    agent.finish(grant)
    view = server.call("GET", f"/items/{item}")
    assert (view["state"], view["attempt_state"]) == ("done", "succeeded")
    assert (view["exit_code"], view["logs_complete"]) == (0, True)
    assert agent.report(grant, 3, logs_complete=True)["verdict"] == "taken"


def test_elements_of_a_batch_are_independent(
    server: RunningServer, queue: str, make_agent: Make
) -> None:
    """One with a gap and one with a strange token do not block the good one."""
    for _ in range(3):
        server.submit("true", queue=queue)
    agent = make_agent(queue)
    good, gap, stale = agent.claim(free=3)["items"]
    fact = {"at_ms": 1, "state": "preparing"}
    batch = [
        {"lease": lease(gap), "seq": 7, "fact": fact},
        {"lease": lease(stale) | {"token": "9.9"}, "seq": 1, "fact": fact},
        {"lease": lease(good), "seq": 1, "fact": fact},
    ]
    answers = agent.post("reports", batch=batch)["answers"]
    assert [answer["verdict"] for answer in answers] == ["gap", "stale", "taken"]


def test_a_heartbeat_tells_what_is_stale_and_unlisted(
    server: RunningServer, queue: str, make_agent: Make
) -> None:
    """The two sides compare their lists."""
    server.submit("true", queue=queue)
    agent = make_agent(queue)
    grant = agent.claim()["items"][0]
    wrong = {**lease(grant), "token": "0.99"}
    beat = agent.ask("heartbeat", {"caller": agent.caller, "leases": [wrong]}).json()
    assert [one["token"] for one in beat["stale"]] == ["0.99"]
    assert [one["item"] for one in beat["unlisted"]] == [grant["item"]]


def test_a_reclaim_after_the_end_is_over(
    server: RunningServer, queue: str, make_agent: Make
) -> None:
    """The verdict is an answer, not an error."""
    server.submit("true", queue=queue)
    agent = make_agent(queue)
    grant = agent.claim()["items"][0]
    agent.finish(grant)
    body = {"caller": agent.caller, "item": grant["item"], "attempt": 1, "place": None}
    answer = agent.ask("reclaim", body)
    assert (answer.status_code, answer.json()["verdict"]) == (200, "over")


def test_a_released_launch_is_taken_up_by_whoever_reaches_it(
    server: RunningServer, queue: str, make_agent: Make
) -> None:
    """It is offered for resolution, with its place."""
    item = server.submit("true", queue=queue)
    first = make_agent(queue)
    grant = first.claim()["items"][0]
    first.launch(grant)
    place = first.place(item, "7")
    first.report(grant, 1, state="running", place=place)
    release = {"lease": lease(grant), "state": "running", "place": place}
    assert first.post("release", batch=[release])["answers"][0]["verdict"] == "taken"
    first.post("goodbye")
    second = server.call("POST", "/agents", json=FakeAgent.hello(first.name, (queue,)))
    offered = FakeAgent(server, second["agent"], second["epoch"], (queue,), first.name).claim()
    assert [(one["item"], one["place"]["uid"]) for one in offered["resolve"]] == [(item, "7")]


def test_items_of_other_entities_are_refused(
    server: RunningServer, queue: str, make_agent: Make
) -> None:
    """An agent speaks for its own entity's items alone."""
    server.call("POST", "/entities", json={"name": "foreign", "kind": "team"})
    server.make_queue(entity="foreign", queue="f")
    item = server.submit("true", queue="f", entity="foreign")
    agent = make_agent(queue)
    report = {
        "lease": {"item": item, "attempt": 1, "token": "0.0"},
        "seq": 1,
        "fact": {"at_ms": 1, "state": "failed"},
    }
    answer = agent.ask("reports", {"epoch": agent.epoch, "batch": [report]})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "verb", ["claim", "abort", "heartbeat", "launching", "reports", "reclaim", "release", "goodbye"]
)
def test_an_agent_that_nobody_knows(server: RunningServer, verb: str) -> None:
    """A wrong id is 404, whatever is asked."""
    assert server.ask("POST", f"/agents/nobody/{verb}", json={}).status_code == 404


def test_agents_are_listed(server: RunningServer, queue: str, make_agent: Make) -> None:
    """With what people want to know of them."""
    agent = make_agent(queue, max_jobs=3)
    agent.ask("heartbeat", {"caller": agent.caller, "leases": [], "status": "polling"})
    found = server.call("GET", "/agents?entity=team")["agents"]
    shown = next(one for one in found if one["id"] == agent.id)
    assert (shown["name"], shown["max_jobs"], shown["online"]) == (agent.name, 3, True)
    assert server.ask("POST", "/agents/nobody/drain").status_code == 404
