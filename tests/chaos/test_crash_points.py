"""Kill the agent at every named point, one by one: nothing is lost, nothing runs twice."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from launchyard.actors import crashpoints
from tests.programs import Program, Yard, once, ran_once, until, yard


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """Run one server for all points: it is the agent that dies, on a queue of its own."""
    with yard(tmp_path_factory.mktemp("shared"), "--lease-ttl", "8") as place:
        yield place


@pytest.mark.parametrize("name", sorted(crashpoints.names()))
def test_a_kill_at_this_point_loses_nothing_and_doubles_nothing(
    shared: Yard, tmp_path: Path, name: str
) -> None:
    """Whichever process dies there, every job runs once and its end is known."""
    with shared.beside(name) as place:
        markers = [tmp_path / f"job{n}" for n in range(3)]
        items = [place.submit(*once(marker, "0.1")) for marker in markers]
        cancelled = place.submit("/bin/sleep", "600")
        agent = place.start_agent(name, env={"LAUNCHYARD_CRASH_AT": name})
        try:
            for item in items:
                _outlive(place, agent, item)
            place.call("POST", f"/items/{cancelled}/cancel")
            _outlive(place, agent, cancelled)
        finally:
            died = agent.process.poll() is not None
            agent.stop()
        assert not died or agent.process.returncode == -signal.SIGKILL, agent.said()
        place.start_agent(name)
        for item in items:
            assert place.wait_done(item)["attempt_state"] == "succeeded"
        assert place.wait_done(cancelled)["attempt_state"] == "cancelled"
        assert all(ran_once(marker) for marker in markers)


def _outlive(place: Yard, agent: Program, item: str) -> None:
    """Wait for the end of the item, or of the agent."""

    def over() -> bool:
        return agent.process.poll() is not None or place.item(item)["state"] == "done"

    until(over, f"the end of {item} or of the agent")
