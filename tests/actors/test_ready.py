"""A start made ready while the server is asked for it begins with the answer, or never."""

from __future__ import annotations

from pathlib import Path

import pytest

from launchyard.domain.attempt import AttemptState
from tests.actors.kit import Bench, once, runs_of, until
from tests.actors.server import ScriptedServer

S = AttemptState


@pytest.fixture
def server() -> ScriptedServer:
    """Return a server that answers no fenced write yet."""
    server = ScriptedServer()
    server.hold.add("launching")
    return server


@pytest.fixture
def bench(tmp_path: Path, server: ScriptedServer) -> Bench:
    """Return a folder for agents of that server."""
    return Bench(tmp_path, server)


def ready(bench: Bench) -> list[Path]:
    """Return the folders of what was made ready or begun."""
    return list(bench.folder.glob("**/runs/ly-*/owner"))


def answer(server: ScriptedServer) -> None:
    """Let the server answer."""
    with server.changed:
        server.hold.clear()
        server.changed.notify_all()


def test_nothing_begins_before_the_answer(bench: Bench, server: ScriptedServer) -> None:
    """Then it does, once."""
    server.enqueue("a", *once(bench.folder / "a"))
    with bench.running():
        until(lambda: ready(bench), "a start made ready")
        assert not list(bench.folder.glob("**/runs/ly-*/started"))
        assert runs_of(bench.folder / "a") == 0
        answer(server)
        assert server.wait_end("a").state is S.SUCCEEDED
    assert runs_of(bench.folder / "a") == 1


def test_a_start_that_is_refused_leaves_nothing(bench: Bench, server: ScriptedServer) -> None:
    """It is taken away by itself, and has never begun."""
    server.enqueue("a", *once(bench.folder / "a"))
    with bench.running():
        until(lambda: ready(bench), "a start made ready")
        server.cancel("a")
        answer(server)
        assert server.wait_end("a").state is S.CANCELLED
        jobs = bench.folder / "jobs"
        until(lambda: not ready(bench) and not any(jobs.iterdir()), "nothing left of it")
    assert runs_of(bench.folder / "a") == 0


def test_in_a_crowd_none_is_made_ready(bench: Bench, server: ScriptedServer) -> None:
    """All of them run all the same."""
    for n in range(4):
        server.enqueue(f"i{n}", *once(bench.folder / f"m{n}"))
    with bench.running() as running:
        until(lambda: len(running.agent.view.status().attempts) == 4, "the claims")
        assert not ready(bench)
        answer(server)
        assert [server.wait_end(f"i{n}").state for n in range(4)] == [S.SUCCEEDED] * 4
    assert [runs_of(bench.folder / f"m{n}") for n in range(4)] == [1] * 4
