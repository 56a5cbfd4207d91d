"""The disk of the agent's journal is full: people are told, nothing is lost, nothing is stuck."""

from __future__ import annotations

from pathlib import Path

import pytest

from launchyard.adapters.sqlite.journal import SqliteJournal
from launchyard.domain.attempt import AttemptState
from tests.actors.kit import Bench, Running, gated, runs_of, until
from tests.actors.server import ScriptedServer

S = AttemptState
FILL = "x" * 100_000


class Disk:
    """Gives journals, and room to the last of them, or none."""

    def __init__(self) -> None:
        self._journal: SqliteJournal | None = None

    def open(self, folder: str) -> SqliteJournal:
        """Open a journal with room; a new connection knows no limit."""
        self._journal = SqliteJournal(folder)
        return self._journal

    def leave(self, pages: int) -> None:
        """Let the database grow by so many pages and no more."""
        journal = self._journal
        assert journal is not None
        with journal._lock:
            db = journal._alive()
            (used,) = db.execute("PRAGMA page_count").fetchone()
            db.execute(f"PRAGMA max_page_count = {used + pages}")


def full(running: Running) -> bool:
    """Tell whether people are told of it, with the remedy."""
    errors = {one.where: one.message for one in running.agent.view.status().errors}
    return "make room" in errors.get("journal", "")


def big(marker: Path, times: int) -> tuple[str, ...]:
    """Return a command that the journal needs much room for."""
    return ("/bin/sh", "-c", f"echo ran >>{marker}", *[FILL] * times)


@pytest.fixture
def server() -> ScriptedServer:
    """Return a server whose leases hold for long."""
    return ScriptedServer()


def test_a_full_disk_only_makes_wait(tmp_path: Path, server: ScriptedServer) -> None:
    """What runs goes on, what is new is not begun; with room again all is done and said once."""
    disk = Disk()
    bench = Bench(tmp_path, server, journal=disk.open)
    server.enqueue("a", *gated(tmp_path / "a"))
    with bench.running() as running:
        server.wait_state("a", S.RUNNING)
        disk.leave(0)
        server.enqueue("b", *big(tmp_path / "b", 1))
        until(lambda: full(running), "the message")
        (tmp_path / "a.go").touch()
        assert runs_of(tmp_path / "b") == 0
        assert running.agent.inbox.since is None  # a new start would wait, too
        disk.leave(10_000)
        for item in "ab":
            assert server.wait_end(item).state is S.SUCCEEDED
        until(lambda: not running.agent.view.status().errors, "no more message")
        disk.leave(0)
        # Much more than what the first two may have left free.
        server.enqueue("c", *big(tmp_path / "c", 5))
        until(lambda: full(running), "the message again")
        running.agent.signal(15)
        code, text = running.wait()
        assert code == 75
        assert "journal" in text
    with bench.running():
        assert server.wait_end("c").state is S.SUCCEEDED
    assert [runs_of(tmp_path / name) for name in "abc"] == [1, 1, 1]
