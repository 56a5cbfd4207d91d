"""Kill the server around every commit: what it had answered stays, and nothing runs twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from launchyard.adapters.sql import crash
from tests.programs import ENTITY, QUEUE, Yard, once, ran_once, until, yard

AT_ONCE = {"budgets": {"user": 1}, "backoff": {"first_s": 0, "cap_s": 0}}

COMMITS = {crash.BEFORE: range(3, 13, 2), crash.AFTER: range(4, 14, 2)}
"""After how many commits each start of the server dies: kills wander over all that it does.

To die before a commit and after the one before it is nearly the same, so the two take turns.
"""


@pytest.mark.parametrize("name", sorted(COMMITS))
def test_a_server_that_dies_again_and_again_loses_nothing(tmp_path: Path, name: str) -> None:
    """The agent outlives every death; each job runs once and its end is known.

    One that fails is run once more: its end and its next attempt are written together or not at
    all, so neither is lost and neither comes twice.
    """
    with yard(tmp_path) as place:
        place.call("PATCH", f"/entities/{ENTITY}/queues/{QUEUE}", json={"retry": AT_ONCE})
        markers = [tmp_path / f"job{n}" for n in range(4)]
        items = [place.submit(*once(marker, "0.2")) for marker in markers]
        again = tmp_path / "again"
        fails_once = f"echo x >>{again}; test $(grep -c x {again}) -eq 2"
        retried = place.submit("/bin/sh", "-c", fails_once)
        assert place.server is not None
        place.server.kill()
        place.start_agent(jobs=2)
        for commits in COMMITS[name]:
            _live_shortly(place, f"{name}:{commits}")
        place.start_server()
        for item in items:
            assert place.wait_done(item)["attempt_state"] == "succeeded"
        assert all(ran_once(marker) for marker in markers)
        view = place.wait_done(retried)
        assert (view["attempt_state"], view["attempt"]) == ("succeeded", 2)
        [earlier] = place.item(retried)["attempts"]
        assert (earlier["attempt_state"], earlier["exit_code"]) == ("failed", 1)
        assert again.read_text() == "x\nx\n"


def _live_shortly(place: Yard, point: str) -> None:
    """Start the server to die at a commit, and wait for its death; the agent provokes it."""
    server = place.start_server({"LAUNCHYARD_CRASH_AT": point}, wait=False)
    until(lambda: server.process.poll() is not None, f"{point}: the server's death")
