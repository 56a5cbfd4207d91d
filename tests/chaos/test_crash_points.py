"""Kill the agent at every named point, one by one: nothing is lost, nothing runs twice."""

from __future__ import annotations

import gzip
import hashlib
import io
import signal
import sqlite3
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from launchyard.actors import crashpoints
from tests.chaos.proxy import proxy
from tests.programs import LIMIT_S, Program, Yard, once, ran_once, until, yard

SOURCE = ("fetch.", "build.")
REACHED = (*SOURCE, "logs.", "outputs.", "release.")
"""Points that take a job with a source, an output or a hand-over: such jobs are run for them."""
ELSEWHERE = ("reclaim.",)
"""Points that a job comes by only when its lease has run out: these have a test of their own."""
WORDS = "said once"
_STOPS = 20


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """Run one server for all points: it is the agent that dies, on a queue of its own."""
    with yard(tmp_path_factory.mktemp("shared"), "--lease-ttl", "8") as place:
        yield place


POINTS = sorted(crashpoints.names())


@pytest.mark.parametrize("name", [one for one in POINTS if not one.startswith(ELSEWHERE)])
def test_a_kill_at_this_point_loses_nothing_and_doubles_nothing(
    shared: Yard, tmp_path: Path, name: str
) -> None:
    """Whichever process dies there, every job runs once and its end is known."""
    with shared.beside(name) as place:
        # In a crowd no start is made ready.
        markers = [tmp_path / f"job{n}" for n in range(1 if name.startswith("prepare.") else 3)]
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
            agent = _stopped(place, agent, tmp_path, name)
        assert set(reached(tmp_path)) == {name}
        assert not died or agent.process.returncode == -signal.SIGKILL, agent.said()
        place.start_agent(name)
        gate.with_suffix(".go").touch()
        for item in items:
            assert place.wait_done(item)["attempt_state"] == "succeeded"
            assert not rich or place.log_of(item).count(WORDS) == 1
        assert place.wait_done(cancelled)["attempt_state"] == "cancelled"
        assert all(ran_once(marker) for marker in markers)


@pytest.mark.parametrize("name", ["", *(one for one in POINTS if one.startswith(ELSEWHERE))])
def test_a_job_that_is_asked_back_loses_nothing(tmp_path: Path, name: str) -> None:
    """Whoever dies of it, or nobody. Reports come through, and nothing that renews the lease."""
    with yard(tmp_path, "--lease-ttl", "8") as place, proxy(place.port, lambda _: False) as between:
        place.through = between.port
        held = tmp_path / "held"
        item = place.submit(*gated(held))
        agent = place.start_agent(env=armed(tmp_path, name) if name else {})
        place.wait_running(item)
        between.refuse = renews
        between.cut()
        until(lambda: offered(place), "the end of the lease")
        held.with_suffix(".go").touch()
        if name:
            assert agent.wait() == -signal.SIGKILL, agent.said()
            assert set(reached(tmp_path)) == {name}
            between.refuse = lambda _: False
            place.start_agent()
        assert place.wait_done(item)["attempt_state"] == "succeeded"
        assert place.log_of(item).count(WORDS) == 1
        assert ran_once(held)


def test_a_log_that_is_whole_before_the_answer_is_told(tmp_path: Path) -> None:
    """The server has ended a job by its word alone, and says so late: its log's end counts, too."""
    with yard(tmp_path, "--lease-ttl", "8") as place, proxy(place.port, lambda _: False) as between:
        place.through = between.port
        held = tmp_path / "held"
        item = place.submit(*gated(held))
        place.start_agent()
        place.wait_running(item)
        between.refuse = lambda head: renews(head) or is_call(head, "reclaim")
        between.cut()
        until(lambda: offered(place), "the end of the lease")
        held.with_suffix(".go").touch()
        place.wait_done(item)
        until(lambda: unsent(place) == 2, "the end and the log's, both to be answered")
        between.refuse = renews
        assert place.log_of(item).count(WORDS) == 1
        until(lambda: unsent(place) == 0, "that nothing is left to tell")


def renews(head: bytes) -> bool:
    """Tell whether a request would bring an agent its leases."""
    return is_call(head, "claim", "heartbeat")


def is_call(head: bytes, *names: str) -> bool:
    """Tell whether a request is one of these calls."""
    return any(f"/{name} ".encode() in head.split(b"\r\n", 1)[0] for name in names)


def unsent(place: Yard) -> int:
    """Return how many reports the agent has in its journal and has not seen answered."""
    with closing(sqlite3.connect(place.folder / "agent" / "journal.db")) as journal:
        return int(journal.execute("SELECT count(*) FROM outbox").fetchone()[0])


def offered(place: Yard) -> bool:
    """Tell whether the server has found a lease run out, and waits for who takes the job up."""
    text = requests.get(f"{place.url}/metrics", timeout=LIMIT_S).text
    return 'launchyard_lease_expirations_total{result="offered"} 1.0' in text


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


def _stopped(place: Yard, agent: Program, folder: Path, name: str) -> Program:
    """Stop the agent; one that ended before it heard that its claim had ended stops once more."""
    agent.stop()
    for _ in range(_STOPS):
        if reached(folder) or not name.startswith("abort."):
            break
        agent = place.start_agent(name, env=armed(folder, name))
        place.wait_done(place.submit("/bin/true"))
        agent.stop()
    return agent


def _outlive(place: Yard, agent: Program, item: str) -> None:
    """Wait for the end of the item, or of the agent."""

    def over() -> bool:
        return agent.process.poll() is not None or place.item(item)["state"] == "done"

    until(over, f"the end of {item} or of the agent")
