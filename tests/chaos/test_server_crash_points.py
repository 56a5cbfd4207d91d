"""Kill the server around every commit: what it had answered stays, and nothing runs twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from launchyard.adapters.sql import crash
from tests.programs import Yard, once, ran_once, until, yard

COMMITS = range(3, 13)
"""After how many commits each start of the server dies: kills wander over all that it does."""


@pytest.mark.parametrize("name", [crash.BEFORE, crash.AFTER])
def test_a_server_that_dies_again_and_again_loses_nothing(tmp_path: Path, name: str) -> None:
    """The agent outlives every death; each job runs once and its end is known."""
    with yard(tmp_path) as place:
        markers = [tmp_path / f"job{n}" for n in range(4)]
        items = [place.submit(*once(marker, "0.2")) for marker in markers]
        assert place.server is not None
        place.server.kill()
        place.start_agent(jobs=2)
        for commits in COMMITS:
            _live_shortly(place, f"{name}:{commits}")
        place.start_server()
        for item in items:
            assert place.wait_done(item)["attempt_state"] == "succeeded"
        assert all(ran_once(marker) for marker in markers)


def _live_shortly(place: Yard, point: str) -> None:
    """Start the server to die at a commit, and wait for its death; the agent provokes it."""
    server = place.start_server({"LAUNCHYARD_CRASH_AT": point}, wait=False)
    until(lambda: server.process.poll() is not None, f"{point}: the server's death")
