"""Kill the agent at every named point, one by one: nothing is lost, nothing runs twice."""

from __future__ import annotations

import gzip
import hashlib
import io
import signal
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from launchyard.actors import crashpoints
from tests.programs import Program, Yard, once, ran_once, until, yard

SOURCE = ("fetch.", "build.")
REACHED = (*SOURCE, "logs.", "outputs.", "release.")
"""Points that take a job with a source, an output or a hand-over: such jobs are run for them."""
ELSEWHERE = ("reclaim.",)
"""Points that no such job comes by."""
WORDS = "said once"


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
        rich = name.startswith(REACHED)
        job = talks if rich else once
        items = [place.submit(*job(marker, "0.1"), **built(place, name)) for marker in markers]
        cancelled = place.submit("/bin/sleep", "600")
        agent = place.start_agent(name, env=armed(tmp_path, name))
        held = gate = tmp_path / "held"
        try:
            for item in items:
                _outlive(place, agent, item)
            place.call("POST", f"/items/{cancelled}/cancel")
            _outlive(place, agent, cancelled)
            if name.startswith("release."):
                markers.append(held)
                items.append(place.submit(*gated(held)))
                place.wait_running(items[-1])
        finally:
            died = agent.process.poll() is not None
            agent.stop()
        assert name.startswith(ELSEWHERE) or set(reached(tmp_path)) == {name}
        assert not died or agent.process.returncode == -signal.SIGKILL, agent.said()
        place.start_agent(name)
        gate.with_suffix(".go").touch()
        for item in items:
            assert place.wait_done(item)["attempt_state"] == "succeeded"
            assert not rich or place.log_of(item).count(WORDS) == 1
        assert place.wait_done(cancelled)["attempt_state"] == "cancelled"
        assert all(ran_once(marker) for marker in markers)


def talks(marker: Path, then: str) -> tuple[str, ...]:
    """Return a job that is run once, says so, and leaves a file."""
    shell, flag, script = once(marker, then)
    return shell, flag, f'echo {WORDS}; echo kept >"$LAUNCHYARD_OUTPUT/file"; {script}'


def gated(marker: Path) -> tuple[str, ...]:
    """Return such a job that ends when `<marker>.go` is there."""
    gate = marker.with_suffix(".go")
    return talks(marker, f'0; while [ ! -e "{gate}" ]; do sleep 0.05; done')


def built(place: Yard, name: str) -> Mapping[str, Any]:
    """Return what has a job's source fetched and built, where the point asks for it."""
    if not name.startswith(SOURCE):
        return {}
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("requirements.txt"))  # empty: nobody needs a network
    data = gzip.compress(raw.getvalue())
    sha256 = hashlib.sha256(data).hexdigest()
    place.call("PUT", f"/archives/{sha256}", data=data)
    return {"source": {"archive": sha256}, "requirements": "requirements.txt"}


def armed(folder: Path, name: str) -> Mapping[str, str]:
    """Return the variables of an agent that dies at *name*, and writes down that it was there."""
    return {
        crashpoints.VARIABLE: name,
        crashpoints.NOTE: str(folder / "reached"),
        "LAUNCHYARD_AGENT_HOST_BOUND_ON_EXIT": "leave",
    }


def reached(folder: Path) -> list[str]:
    """Return the points that processes have died at."""
    note = folder / "reached"
    return note.read_text().split() if note.exists() else []


def _outlive(place: Yard, agent: Program, item: str) -> None:
    """Wait for the end of the item, or of the agent."""

    def over() -> bool:
        return agent.process.poll() is not None or place.item(item)["state"] == "done"

    until(over, f"the end of {item} or of the agent")
