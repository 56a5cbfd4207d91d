"""Kills and drains while a real build is under way."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import signal
import tarfile
from pathlib import Path

from tests.adapters.local.wheels import make_held_project
from tests.programs import Program, Yard, once, ran_once, until, yard


def _submit_held(place: Yard, marker: Path) -> tuple[str, Path]:
    """Submit a job whose build waits; return its item and the file that holds it."""
    source = place.folder / "source"
    hold = make_held_project(source / "held", place.folder)
    (source / "requirements.txt").write_text("./held\n")
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        tar.add(source, ".")
    data = gzip.compress(raw.getvalue())
    sha256 = hashlib.sha256(data).hexdigest()
    place.call("PUT", f"/archives/{sha256}", data=data)
    code = {"source": {"archive": sha256}, "requirements": "requirements.txt"}
    return place.submit(*once(marker), **code), hold


def _builds(place: Yard, times: int) -> None:
    """Wait until the build has begun so many times."""
    begun = place.folder / "begun"
    until(lambda: begun.exists() and len(begun.read_text()) >= times, f"build {times}")


def _kill_hosts(agent: Program) -> None:
    """Kill all worker processes of an agent, the one that builds among them."""
    hosts = agent.children()
    assert hosts
    for host in hosts:
        os.kill(host, signal.SIGKILL)


def test_a_build_goes_on_after_its_host_and_its_agent_were_killed(tmp_path: Path) -> None:
    """Each new start builds anew; the job runs once."""
    with yard(tmp_path) as place:
        agent = place.start_agent()
        item, hold = _submit_held(place, tmp_path / "job")
        _builds(place, 1)
        _kill_hosts(agent)
        _builds(place, 2)
        agent.kill()
        place.start_agent()
        _builds(place, 3)
        assert place.item(item)["attempt_state"] == "building"
        hold.unlink()
        view = place.wait_done(item)
        assert (view["attempt_state"], view["attempt"]) == ("succeeded", 1)
        assert ran_once(tmp_path / "job")


def test_a_drain_gives_back_what_is_being_built(tmp_path: Path) -> None:
    """It goes back to its place in line, no attempt is used up, and another agent runs it."""
    with yard(tmp_path) as place:
        first = place.start_agent("first")
        item, hold = _submit_held(place, tmp_path / "job")
        _builds(place, 1)
        first.signal(signal.SIGTERM)
        assert first.wait() == 0
        assert place.item(item)["state"] == "queued"
        hold.unlink()
        place.start_agent("second")
        view = place.wait_done(item)
        assert (view["attempt_state"], view["attempt"]) == ("succeeded", 1)
        assert view["agent_name"] == "second"
        assert ran_once(tmp_path / "job")
