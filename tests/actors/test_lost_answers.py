"""Submits that a target may have heard, though it did not answer: nothing runs twice for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from tests.actors.hosts import HOLD, TRIES
from tests.actors.kit import Bench, runs_of, until
from tests.actors.server import ScriptedServer

S = AttemptState
ENOUGH = 8
"""More tries than a submit gets of which nothing can have been heard."""


@pytest.fixture
def server() -> ScriptedServer:
    """Return a server whose leases hold for long."""
    return ScriptedServer()


@pytest.fixture
def bench(tmp_path: Path, server: ScriptedServer) -> Bench:
    """Return a bench whose target is far away, and asked again at once."""
    entry = "tests.actors.hosts:run_host_far_away"
    return Bench(tmp_path, server, rules={"submit_again_s": 0.02}, entry=entry)


def tried(folder: Path, times: int) -> None:
    """Wait until submits have failed for *times* in all."""
    file = folder / TRIES
    until(lambda: file.exists() and len(file.read_text().splitlines()) >= times, "more tries")


def test_a_submit_that_may_have_been_heard_is_never_given_up(
    bench: Bench, server: ScriptedServer
) -> None:
    """Nor by later starts of the agent, which know of no answer, be their target broken or away."""
    marker, hold = bench.folder / "m", bench.folder / HOLD
    hold.write_text("lost")
    server.enqueue("a", "/bin/sh", "-c", f"echo ran >>{marker}")
    with bench.running():
        tried(bench.folder, ENOUGH)
    entry, bench.entry = bench.entry, "tests.actors.hosts:broken_host"
    with bench.running():
        server.wait(lambda: any("ImportError" in f.detail for f in server.items["a"].facts), "why")
    bench.entry = entry
    hold.write_text("away")
    with bench.running():
        tried(bench.folder, 2 * ENOUGH)
        assert not server.items["a"].ends
        hold.unlink()
        assert server.wait_end("a").state is S.SUCCEEDED
    assert runs_of(marker) == 1


def test_a_submit_that_was_never_heard_fails_after_a_few_tries(
    bench: Bench, server: ScriptedServer
) -> None:
    """So that another agent may have better luck with it."""
    (bench.folder / HOLD).write_text("away")
    server.enqueue("a", "/bin/true")
    with bench.running():
        end = server.wait_end("a")
    assert (end.state, end.reason) == (S.FAILED, Reason.TARGET_UNREACHABLE)
    assert len((bench.folder / TRIES).read_text().splitlines()) < ENOUGH
