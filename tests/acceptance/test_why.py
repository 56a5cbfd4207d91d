"""Every reason why an item waits, made to happen by the real programs."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launchyard.domain.why import WaitReason
from tests.programs import ENTITY, LIMIT_S, QUEUE, Program, Yard, until, yard

QUEUE_PATH = f"/entities/{ENTITY}/queues/{QUEUE}"
NOTHING = ("/bin/true",)
WAITING = "launchyard_claims_waiting"
NAYSAYER = """
from launchyard.domain.review import Rejection
from launchyard.plugins import hookimpl

launchyard_api = 1


@hookimpl
def can_accept():
    return Rejection(rule="moon", message="not at full moon")
"""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Yard]:
    """Give a server with an empty queue."""
    with yard(tmp_path) as made:
        yield made


def why(here: Yard, item: str) -> str:
    """Return the short reason; the list of items has to give the same one."""
    found = here.call("GET", f"/items/{item}/why")
    listed = here.call("GET", "/items", params={"entity": ENTITY, "queue": QUEUE})["items"]
    assert {one["id"]: one["waits"] for one in listed}[item] == found["reason"]
    return str(found["reason"])


def comes(here: Yard, item: str, reason: str) -> bool:
    """Wait until the item waits for *reason*."""
    until(lambda: here.call("GET", f"/items/{item}/why")["reason"] == reason, reason)
    return why(here, item) == reason


def agent_id(here: Yard, name: str) -> str:
    """Return the id of an agent that has said hello."""

    def found() -> list[str]:
        return [a["id"] for a in here.call("GET", "/agents")["agents"] if a["name"] == name]

    until(lambda: bool(found()), name)
    return found()[0]


def test_every_reason_on_one_queue(here: Yard) -> None:
    """From an empty house to a job that runs; each reason goes when its cause does."""
    _without_an_agent(here)
    _with_a_machine_that_is_short(here)
    _with_a_plugin_that_says_no(here)
    _with_few_slots(here)
    _with_a_stopped_agent(here)
    _with_an_agent_that_leaves(here)


def _without_an_agent(here: Yard) -> None:
    item = here.submit(*NOTHING)
    assert why(here, item) == "no_agent"
    here.call("PATCH", QUEUE_PATH, json={"paused": True})
    assert why(here, item) == "queue_paused"
    here.call("PATCH", QUEUE_PATH, json={"paused": False})
    spec = {"project": "p", "overrides": {"entry_point": list(NOTHING)}}
    body = {"spec": spec, "delay_s": 3600}
    later = here.call("POST", f"{QUEUE_PATH}/items", json=body)["id"]
    assert why(here, later) == "not_before"
    for one in (item, later):
        here.call("POST", f"/items/{one}/cancel")


def _with_a_machine_that_is_short(here: Yard) -> None:
    agent = here.start_agent("guarded", env={"LAUNCHYARD_AGENT_HOST_GUARD_MIN_DISK": "9999TB"})
    item = here.submit(*NOTHING)
    assert comes(here, item, "host_guard")
    agent.stop()
    here.call("POST", f"/items/{item}/cancel")


def _with_a_plugin_that_says_no(here: Yard) -> None:
    folder = here.folder / "site"
    info = folder / "naysayer-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: naysayer\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[launchyard]\nnaysayer = naysayer\n")
    (folder / "naysayer.py").write_text(NAYSAYER)
    agent = here.start_agent("unwilling", env={"PYTHONPATH": str(folder)})
    item = here.submit(*NOTHING)
    assert comes(here, item, "agent_refuses")
    assert "full moon" in str(here.call("GET", f"/items/{item}/why"))
    agent.stop()
    here.call("POST", f"/items/{item}/cancel")


def _with_few_slots(here: Yard) -> None:
    one = {"LAUNCHYARD_AGENT_MAX_BUILDS": "1", "LAUNCHYARD_AGENT_MAX_LAUNCHES": "1"}
    agent = here.start_agent("small", jobs=2, env=one)
    here.wait_done(here.submit(*NOTHING))
    hosts = agent.children()
    for pid in hosts:
        os.kill(pid, signal.SIGSTOP)
    launching, waiting = here.submit(*NOTHING), here.submit(*NOTHING)
    assert comes(here, waiting, "launch_slot")
    for pid in hosts:
        os.kill(pid, signal.SIGCONT)
    here.wait_done(launching)
    here.wait_done(waiting)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/code.git"
        _with_slots_taken(here, agent, {"source": {"git": {"url": url}}})
        agent.stop()


def _with_slots_taken(here: Yard, agent: Program, code: dict[str, Any]) -> None:
    number = agent_id(here, "small")
    building = here.submit(*NOTHING, **code)
    here.wait_for(building, lambda view: view["attempt_state"] == "building")
    waiting = here.submit(*NOTHING, **code)
    assert comes(here, waiting, "build_slot")
    last = here.submit(*NOTHING)
    assert why(here, last) == "agent_full"
    here.call("PATCH", QUEUE_PATH, json={"limit": 1})
    assert why(here, last) == "queue_limit"
    here.call("PATCH", QUEUE_PATH, json={"no_limit": True})
    here.call("POST", f"/agents/{number}/pause")
    assert why(here, last) == "agent_paused"
    here.call("POST", f"/agents/{number}/resume")
    agent.signal(signal.SIGSTOP)
    here.call("POST", f"/items/{building}/cancel")
    assert why(here, building) == "cancelling"
    here.call("POST", f"/agents/{number}/drain")
    assert why(here, last) == "agent_draining"
    for item in (waiting, last):
        here.call("POST", f"/items/{item}/cancel")
    agent.signal(signal.SIGCONT)
    for item in (building, waiting, last):
        here.wait_done(item)


def _with_a_stopped_agent(here: Yard) -> None:
    agent = here.start_agent("stopped", jobs=8)
    here.wait_done(here.submit(*NOTHING))
    until(lambda: _claims(here) == 1, "its next claim")
    agent.signal(signal.SIGSTOP)
    taken = here.submit(*NOTHING)  # by the claim that still waits in the server
    here.wait_for(taken, lambda view: view["state"] != "queued")
    first, second = here.submit(*NOTHING), here.submit(*NOTHING)
    assert (why(here, first), why(here, second)) == ("next", "behind_others")
    assert here.call("GET", f"/items/{second}/why")["position"] == 2
    agent.signal(signal.SIGCONT)
    for item in (taken, first, second):
        here.wait_done(item)
        assert here.call("GET", f"/items/{item}/why")["reason"] == "not_waiting"
    agent.stop()


def _claims(here: Yard) -> float:
    """Return how many claims wait in the server."""
    lines = here.session.get(f"{here.url}/metrics", timeout=LIMIT_S).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{WAITING} "))


def _with_an_agent_that_leaves(here: Yard) -> None:
    go = here.folder / "go"
    script = f'until [ -e "{go}" ]; do sleep 0.05; done'
    leave = {"LAUNCHYARD_AGENT_HOST_BOUND_ON_EXIT": "leave"}
    agent = here.start_agent("leaving", env=leave)
    item = here.submit("/bin/sh", "-c", script)
    here.wait_running(item)
    assert why(here, item) == "not_waiting"
    agent.stop()
    assert why(here, item) == "agent_away"
    here.start_agent("leaving", env=leave)
    assert comes(here, item, "not_waiting")
    go.touch()
    here.wait_done(item)


def test_no_reason_is_left_out() -> None:
    """A new one is named by a test with real programs, here or beside."""
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert not [reason.value for reason in WaitReason if f'"{reason.value}"' not in tests]


def test_what_an_agent_tells_of_targets(here: Yard) -> None:
    """Its word on a target that it keeps off, and on one that has not started the job yet."""
    hello: dict[str, Any] = {
        "agent": "",
        "name": "elsewhere",
        "entity": ENTITY,
        "queues": [QUEUE],
        "scopes": ["k8s:1/jobs"],
        "max_jobs": 4,
        "hostname": "far",
        "version": "0",
    }
    grant = here.call("POST", "/agents", json=hello)
    caller = {"agent": grant["agent"], "epoch": grant["epoch"]}
    agent = f"/agents/{grant['agent']}"
    item = here.submit(*NOTHING)
    refusing = {"local-process": {"reason": "circuit_open", "detail": "5 failures in a row"}}
    beat: dict[str, Any] = {"caller": caller, "leases": []}
    here.call("POST", f"{agent}/heartbeat", json={**beat, "standing": {"refusing": refusing}})
    assert why(here, item) == "circuit_open"
    wish = {"caller": caller, "claim_id": "1", "queues": [QUEUE], "free": 1}
    assert here.call("POST", f"{agent}/claim", json=wish)["items"] == []
    here.call("POST", f"{agent}/heartbeat", json=beat)
    [lease] = here.call("POST", f"{agent}/claim", json={**wish, "claim_id": "2"})["items"]
    ref = {"item": item, "attempt": 1, "token": lease["token"]}
    place = {"scope": "k8s:1/jobs", "name": "ly-1-a1"}
    fenced = {"epoch": caller["epoch"], "batch": [{"lease": ref, "place": place}]}
    here.call("POST", f"{agent}/launching", json=fenced)
    fact = {"at_ms": 1, "state": "pending", "place": {**place, "uid": "1"}, "detail": "no GPU"}
    report = {"lease": ref, "seq": 1, "fact": fact}
    here.call("POST", f"{agent}/reports", json={"epoch": caller["epoch"], "batch": [report]})
    assert why(here, item) == "target_pending"
