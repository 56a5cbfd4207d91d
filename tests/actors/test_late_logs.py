"""A log that was not whole when its agent died, though the server knew of the job's end."""

from __future__ import annotations

from pathlib import Path

import pytest

from launchyard.domain.attempt import AttemptState
from tests.actors.hosts import HOLD
from tests.actors.kit import Bench, until
from tests.actors.server import ScriptedServer

S = AttemptState


@pytest.fixture
def server() -> ScriptedServer:
    """Return a server whose leases hold for long."""
    return ScriptedServer()


def test_the_next_start_ships_what_is_left(tmp_path: Path, server: ScriptedServer) -> None:
    """The log comes to its end, and what ran is removed from its target and from the journal."""
    bench = Bench(tmp_path, server, entry="tests.actors.hosts:run_host_on_hold")
    (tmp_path / HOLD).touch()
    server.enqueue("a", "/bin/sh", "-c", "echo hello")
    with bench.running() as running:
        assert server.wait_end("a").state is S.SUCCEEDED
        seen = running.agent.view
        until(lambda: not seen.status().outbox, "that the agent knows that it was heard")
    journal = bench.journal(str(tmp_path))
    assert (len(journal.load().entries), journal.load().outbox) == (1, ())
    journal.close()
    assert not bench.log_of("a")
    (tmp_path / HOLD).unlink()
    with bench.running() as running:
        server.wait(lambda: any(f.logs_complete for f in server.items["a"].facts), "its log")
        until(lambda: not running.agent.view.status().attempts, "an empty table")
    assert bench.log_of("a") == "hello\n"
    assert not list((tmp_path / "local").glob("*/ly-*"))
