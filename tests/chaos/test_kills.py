"""`kill -9` of every process of ours, while jobs run."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.programs import QUEUE, Yard, once, ran_once, until, yard


def _begun(marker: Path) -> bool:
    return marker.exists() and marker.read_text().startswith("begun")


def _running_jobs(place: Yard, count: int = 3) -> tuple[list[str], list[Path], Path]:
    """Start jobs that run until the file it returns appears."""
    gate = place.folder / "gate"
    markers = [place.folder / f"job{n}" for n in range(count)]
    items = []
    for marker in markers:
        script = (
            f'echo begun >>"{marker}"; while [ ! -e "{gate}" ]; do sleep 0.05; done; '
            f'echo ended >>"{marker}"'
        )
        items.append(place.submit("/bin/sh", "-c", script))
    return items, markers, gate


def test_a_killed_agent_takes_its_running_jobs_up_again(tmp_path: Path) -> None:
    """The jobs run on, and the next start of the agent reports their ends."""
    with yard(tmp_path) as place:
        items, markers, gate = _running_jobs(place)
        first = place.start_agent()
        until(lambda: all(_begun(marker) for marker in markers), "the jobs' start")
        first.kill()
        place.start_agent()
        gate.touch()
        for item in items:
            assert place.wait_done(item)["attempt_state"] == "succeeded"
        assert all(ran_once(marker) for marker in markers)


def test_jobs_that_end_while_the_agent_is_dead_are_reported_as_they_ended(tmp_path: Path) -> None:
    """The wrapper's record outlives everyone."""
    with yard(tmp_path) as place:
        items, markers, gate = _running_jobs(place)
        first = place.start_agent()
        until(lambda: all(_begun(marker) for marker in markers), "the jobs' start")
        first.kill()
        gate.touch()
        until(lambda: all(ran_once(marker) for marker in markers), "the jobs' end")
        place.start_agent()
        for item in items:
            assert place.wait_done(item)["attempt_state"] == "succeeded"


def test_a_killed_run_host_is_replaced_and_loses_nothing(tmp_path: Path) -> None:
    """The main process starts another host, which adopts the jobs."""
    with yard(tmp_path) as place:
        items, markers, gate = _running_jobs(place)
        agent = place.start_agent()
        until(lambda: all(_begun(marker) for marker in markers), "the jobs' start")
        hosts = agent.children()
        assert hosts
        for host in hosts:
            os.kill(host, signal.SIGKILL)
        gate.touch()
        for item in items:
            assert place.wait_done(item)["attempt_state"] == "succeeded"
        assert all(ran_once(marker) for marker in markers)


def test_a_killed_server_forgets_nothing(tmp_path: Path) -> None:
    """What it had answered is there again after its start, and the agent goes on."""
    with yard(tmp_path) as place:
        items, markers, gate = _running_jobs(place)
        waiting = [place.submit(*once(tmp_path / f"late{n}")) for n in range(5)]
        place.start_agent(jobs=3)
        until(lambda: all(_begun(marker) for marker in markers), "the jobs' start")
        assert place.server is not None
        place.server.kill()
        gate.touch()
        until(lambda: all(ran_once(marker) for marker in markers), "the jobs' end")
        place.start_server()
        for item in items + waiting:
            assert place.wait_done(item)["attempt_state"] == "succeeded"
        assert all(ran_once(tmp_path / f"late{n}") for n in range(5))


def test_a_server_away_for_a_minute_is_outlived(tmp_path: Path) -> None:
    """Jobs run and end while it is away; all is reported when it returns."""
    with yard(tmp_path) as place:
        items, markers, gate = _running_jobs(place)
        agent = place.start_agent()
        until(lambda: all(_begun(marker) for marker in markers), "the jobs' start")
        assert place.server is not None
        assert place.server.stop() == 0
        gate.touch()
        until(lambda: all(ran_once(marker) for marker in markers), "the jobs' end")
        away_until = time.monotonic() + 60
        until(lambda: time.monotonic() >= away_until, "the minute", 90)
        place.start_server()
        for item in items:
            assert place.wait_done(item)["attempt_state"] == "succeeded"
        assert agent.process.poll() is None


def test_an_agent_stopped_past_its_lease_comes_back_to_its_jobs(tmp_path: Path) -> None:
    """SIGSTOP, expiry, SIGCONT: nobody else reaches its scope, so it gets its jobs back."""
    with yard(tmp_path, "--lease-ttl", "8") as place:
        items, markers, gate = _running_jobs(place)
        agent = place.start_agent()
        until(lambda: all(_begun(marker) for marker in markers), "the jobs' start")
        agent.signal(signal.SIGSTOP)
        until(lambda: not place.call("GET", "/agents")["agents"][0]["online"], "the expiry")
        agent.signal(signal.SIGCONT)
        gate.touch()
        for item in items:
            assert place.wait_done(item)["attempt_state"] == "succeeded"
        assert all(ran_once(marker) for marker in markers)


def test_items_of_a_stopped_agent_that_had_not_started_go_to_another(tmp_path: Path) -> None:
    """CLAIMED and expired means back in the queue: the other agent runs it, once."""
    with yard(tmp_path, "--lease-ttl", "8") as place:
        marker = tmp_path / "job"
        first = place.start_agent("first", env={"LAUNCHYARD_CRASH_AT": "launching.before_send"})
        item = place.submit(*once(marker))
        assert first.wait() == -signal.SIGKILL
        assert place.item(item)["state"] in {"claimed", "queued"}
        place.start_agent("second")
        view = place.wait_done(item)
        assert view["attempt_state"] == "succeeded"
        assert view["agent_name"] == "second"
        assert ran_once(marker)


@pytest.mark.timeout(600)
def test_two_agents_share_a_queue_and_run_each_of_500_items_once(tmp_path: Path) -> None:
    """Neither loses one, and none runs twice."""
    with yard(tmp_path) as place:
        runs = tmp_path / "runs"
        place.start_agent("one")
        place.start_agent("two")
        items = {place.submit("/bin/sh", "-c", f'echo {n} >>"{runs}"') for n in range(500)}
        until(lambda: runs.exists() and runs.read_text().count("\n") >= len(items), "runs", 400)
        at = f"/entities/team/queues/{QUEUE}"
        until(lambda: place.call("GET", at)["counts"]["done"] == len(items), "every end")
        found = place.call("GET", "/items", params={"entity": "team", "most": 500})["items"]
        assert {one["id"] for one in found if one["attempt_state"] == "succeeded"} == items
        assert {one["agent_name"] for one in found} == {"one", "two"}
        lines = runs.read_text().split()
        assert sorted(lines, key=int) == [str(n) for n in range(500)]
