"""Stock agents as the wire sees them: work, ends, warnings, and what they may not run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from launchyard.adapters.http.graphql.agents import AgentTopic
from launchyard.adapters.http.graphql.ask import Ask
from launchyard.adapters.http.house import House
from launchyard.domain.documents import Json
from launchyard.domain.rights import Principal, Role
from launchyard.ports.tracking import RunKey
from tests.adapters.http.graphql.conftest import Client

AGENT = """query A($i: ID!) { launchAgent(id: $i) {
  id name runQueues hostname agentStatus stopPolling heartbeatAt } }"""
RUN = """query R($n: String!) { project(name: "p", entityName: "team") { run(name: $n) {
  state stopped config summaryMetrics exitCode jobType tags user { username } } } }"""

STAMP = "2026-01-01T00:00:00.000001 "


def test_an_agent_shows_in_our_list_and_stops_when_told(client: Client, queue: str) -> None:
    """With its status, its queues by name and its slots; a drain is its `stopPolling`."""
    agent = client.agent(queue)
    shown = client.data(AGENT, i=agent)
    assert shown["name"].startswith("box-1-")
    assert (shown["agentStatus"], shown["stopPolling"]) == ("POLLING", False)
    told = {"launchAgentId": agent, "agentStatus": "RUNNING"}
    assert client.do("updateLaunchAgent", "success", **told)["success"]
    [listed] = [one for one in client.server.call("GET", "/agents")["agents"] if one["id"] == agent]
    assert (listed["status"], listed["queues"], listed["max_jobs"]) == ("running", [queue], 3)
    assert listed["online"]
    client.server.call("POST", f"/agents/{agent}/drain")
    assert client.data(AGENT, i=agent)["stopPolling"] is True
    client.pushed(queue)
    assert client.pop(agent, queue) is None
    for status in ("KILLED", "POLLING"):
        client.do("updateLaunchAgent", "success", launchAgentId=agent, agentStatus=status)
    [listed] = [one for one in client.server.call("GET", "/agents")["agents"] if one["id"] == agent]
    assert (listed["status"], listed["online"]) == ("stopped", False)
    assert client.data(AGENT, i="none") is None


def test_an_item_goes_from_pop_to_the_end_of_its_run(client: Client, queue: str) -> None:
    """The popped spec is whole; console lines become the log; the run's end is the item's."""
    item = client.pushed(queue)
    agent = client.agent(queue)
    popped = client.pop(agent, queue)
    assert popped["runQueueItemId"] == item
    spec = popped["runSpec"]
    assert spec["resource_args"] == {"local-process": {"env": {"A": "1"}}}
    assert (spec["entity"], spec["project"], spec["author"]) == ("team", "P", "admin")
    assert spec["uri"].startswith("placeholder-")
    assert client.pop(agent, queue) is None
    ack = {"runQueueItemId": item, "runName": "run0"}
    assert client.do("ackRunQueueItem", "success", **ack)["success"] is True
    other = {"runQueueItemId": item, "runName": "other"}
    assert client.do("ackRunQueueItem", "success", **other)["success"] is False
    refused = {"runQueueItemId": item, "stage": "agent", "message": "Error acking run queue item."}
    assert client.do("failRunQueueItem", "success", **refused)["success"] is True
    assert client.item(item)["state"] == "launched"
    _run(client, item)
    shown = client.item(item)
    assert (shown["state"], shown["attempt_state"], shown["exit_code"]) == ("done", "failed", 3)
    log = client.server.ask("GET", f"/items/{item}/logs?source=main").text
    assert log == "one\ntwo\nthree\n"
    run = client.data(RUN, n="run0")["run"]
    assert (run["state"], run["exitCode"], run["jobType"]) == ("failed", 3, "train")
    assert json.loads(run["summaryMetrics"]) == {"best": 0.5}
    assert json.loads(run["config"])["lr"]["value"] == 1


def _run(client: Client, item: str) -> None:
    """Do what a job's run does: begin, send its console twice over, and end with 3."""
    config = {"lr": {"value": 1}, "_wandb": {"value": {"launch_trace_id": item}}}
    names = {"entityName": "team", "modelName": "p", "name": "run0", "jobType": "train"}
    made = client.do("upsertBucket", "inserted bucket { id }", **names, config=json.dumps(config))
    assert made["inserted"] is True
    assert client.item(item)["attempt_state"] == "running"
    lines = ["2026-01-01T00:00:00.000001 one\n", "ERROR 2026-01-01T00:00:00.000001 two\n"]
    stream = "/files/team/p/run0/file_stream"
    for _ in range(2):
        piece = {"files": {"output.log": {"offset": 0, "content": lines}}}
        assert client.post(piece, stream).json() == {"exitcode": None, "limits": {}}
    summary = {"offset": 0, "content": ['{"best": 0.5}']}
    files = {"output.log": {"offset": 2, "content": ["three"]}, "wandb-summary.json": summary}
    assert client.post({"files": files, "complete": True, "exitcode": 3}, stream).ok


def test_lines_that_change_are_in_the_log(client: Client, queue: str) -> None:
    """A bar's states follow each other in place, a cut line is whole again, and no end is lost.

    The next attempt's log is its own from the first line on, also under the same name.
    """
    item = client.pushed(queue, run_id="bars")
    said = [
        {"offset": 0, "content": ["ERROR 2026-01-01T00:00:00.000001  0%|", STAMP + "a"]},
        {"offset": 0, "content": ["ERROR 2026-01-01T00:00:00.000001 50%|"]},
        {"offset": 2, "content": [STAMP + "load"]},
        {"offset": 2, "content": [STAMP + "loading", STAMP + "1/9"]},
        {"offset": 3, "content": [STAMP + "9/9"]},
    ]
    wanted = " 0%|\na\n50%|\nloading\n1/9\r9/9"
    for attempt in (1, 2):
        client.pop(client.agent(queue), queue)
        client.do("ackRunQueueItem", "success", runQueueItemId=item, runName="bars")
        client.do("upsertBucket", "inserted", entityName="team", modelName="p", name="bars")
        stream, log = "/files/team/p/bars/file_stream", f"/items/{item}/logs?attempt={attempt}"
        for piece in said:
            for _ in range(2):
                assert client.post({"files": {"output.log": piece}}, stream).ok
        assert client.server.ask("GET", log).text == wanted
        assert client.post({"complete": True, "exitcode": 1}, stream).ok
        assert client.server.ask("GET", log).text == wanted + "\n"
        client.server.call("POST", f"/items/{item}/retry")


@pytest.mark.parametrize(
    ("role", "wanted"),
    [(None, "team"), ("viewer", "team"), ("submitter", "far"), ("agent", "far"), ("admin", "far")],
)
def test_a_run_begins_where_its_agent_may_write_runs(role: str | None, wanted: str) -> None:
    """Elsewhere a launch's `entity` counts for nothing: it would write over runs of others."""
    roles = {"team": Role.AGENT} | ({"far": Role(role)} if role else {})
    who = Principal(user="box", key_id="k", roles=roles)
    acked: list[RunKey] = []
    asked = _Acks(who, {"entity": "far", "project": "P"}, acked)
    answer = AgentTopic(asked.house).ack(None, asked.ask, {"runQueueItemId": "i", "runName": "r"})
    assert asyncio.run(answer) == {"success": True}
    assert acked == [RunKey(entity=wanted, project="p", name="r")]


class _Acks:
    """A house with one item, whose acknowledgement is noted; no key of a store has two roles."""

    def __init__(self, who: Principal, spec: Json, acked: list[RunKey]) -> None:
        async def write(change: Callable[[], bool]) -> bool:
            return change()

        def ack(_item: str, run: RunKey) -> bool:
            acked.append(run)
            return True

        whose = SimpleNamespace(principal=who, entity="team", queue="q")
        guard = SimpleNamespace(principal=lambda _: who, require_item=lambda *_: whose)
        store = SimpleNamespace(item=lambda _: SimpleNamespace(spec=spec), stock_ack=ack)
        found: Any = SimpleNamespace(
            guard=guard, store=store, write=write, items_changed=lambda _: None
        )
        self.house: House = found
        self.ask = Ask(found, Request({"type": "http"}))


def test_a_wish_for_the_end_reaches_agent_and_run(client: Client, queue: str) -> None:
    """A cancel stops the run where the agent asks, and in the answer to the run's stream."""
    item = client.pushed(queue)
    client.pop(client.agent(queue), queue)
    client.do("ackRunQueueItem", "success", runQueueItemId=item, runName="run1")
    assert client.data(RUN, n="run1")["run"]["state"] == "pending"
    client.server.call("POST", f"/items/{item}/cancel")
    assert client.data(RUN, n="run1")["run"]["stopped"] is True
    client.do("upsertBucket", "inserted", entityName="team", modelName="p", name="run1")
    answer = client.post({"files": {}}, "/files/team/p/run1/file_stream").json()
    assert answer["stopped"] is True
    client.post({"complete": True, "exitcode": 255}, "/files/team/p/run1/file_stream")
    assert client.item(item)["attempt_state"] == "cancelled"


def test_a_failure_and_a_warning_are_kept(client: Client, queue: str) -> None:
    """The stage says whose failure it is; a warning stands in the log."""
    item = client.pushed(queue)
    client.pop(client.agent(queue), queue)
    words = {"runQueueItemId": item, "stage": "Kubernetes", "message": "no node fits"}
    assert client.do("updateRunQueueItemWarning", "success", **words, filePaths=[])["success"]
    words |= {"stage": "build", "message": "no such base image"}
    assert client.do("failRunQueueItem", "success", **words)["success"]
    shown = client.item(item)
    assert (shown["attempt_state"], shown["reason"]) == ("failed", "build_failed")
    assert shown["detail"] == "no such base image"
    log = client.server.ask("GET", f"/items/{item}/logs?source=agent").text
    assert log == "[Kubernetes] no node fits\n"


def test_what_only_our_agents_can_run_fails_with_the_reason(client: Client, queue: str) -> None:
    """And the agent gets the next item at once."""
    uploaded = client.pushed(queue, source={"archive": "a" * 64})
    good = client.pushed(queue)
    assert client.pop(client.agent(queue), queue)["runQueueItemId"] == good
    shown = client.item(uploaded)
    assert (shown["state"], shown["reason"]) == ("done", "spec_invalid")
    assert "only a launchyard agent" in shown["detail"]


def test_the_submitters_own_key_goes_to_the_job(client: Client, queue: str) -> None:
    """It is kept apart from the spec, and given with the pop alone."""
    item = client.pushed(queue, _wandb_api_key="k" * 40)
    assert "k" * 40 not in json.dumps(client.item(item))
    popped = client.pop(client.agent(queue), queue)
    assert popped["runSpec"]["_wandb_api_key"] == "k" * 40


def test_three_agents_share_a_queue(client: Client, queue: str) -> None:
    """Nothing is lost and nothing doubled, however they pop beside each other."""
    items = {client.pushed(queue) for _ in range(60)}

    def work(agent: str) -> list[str]:
        mine = Client(client.server)
        taken: list[str] = []
        with mine.session:
            while popped := mine.pop(agent, queue):
                item = popped["runQueueItemId"]
                ack = {"runQueueItemId": item, "runName": f"{agent}-{len(taken)}"}
                assert mine.do("ackRunQueueItem", "success", **ack)["success"]
                taken.append(item)
        return taken

    with ThreadPoolExecutor(3) as pool:
        shares = list(pool.map(work, [client.agent(queue) for _ in range(3)]))
    taken = [item for share in shares for item in share]
    assert sorted(taken) == sorted(items)
    assert all(shares)
