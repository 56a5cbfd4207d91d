"""`up` and `demo`: everything on one machine, started and stopped in order."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from launchyard.adapters.cli.contexts import Context, Contexts
from tests.adapters.cli.kit import LIMIT_S, Home
from tests.programs import Program, free_port, until


class Up:
    """A running `launchyard up`."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.port = free_port()
        self.process = home.begin("up", "--port", str(self.port), "--operations-port", "0")
        self.said = ""
        assert self.process.stdout is not None
        while "Ctrl-C stops both" not in self.said:
            line = self.process.stdout.readline()
            assert line, self.process.communicate(timeout=LIMIT_S)
            self.said += line

    @property
    def children(self) -> list[int]:
        """The server's and the agent's process ids."""
        return Program(cast("Any", self.process), self.home.folder).children()

    def stop(self) -> tuple[int, str]:
        """Press Ctrl-C; return exit code and last words."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, err


@pytest.fixture
def up(stranger: Home) -> Iterator[Up]:
    """Give a running `up` in a new home."""
    made = Up(stranger)
    yield made
    made.stop()


def _words(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def _gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_up_makes_a_launch_need_no_flag(up: Up, stranger: Home) -> None:
    """A context, a key that only the owner can read, a queue; and Ctrl-C ends both in order."""
    (stranger.folder / "code").mkdir()
    (stranger.folder / "code" / "train.py").write_text("print('trained')\n")
    done = stranger.run("launch", "--dir", "code", "--follow", "--", sys.executable, "train.py")
    assert done.code == 0, done.err
    assert "trained\n" in done.out
    state = stranger.folder / "launchyard"
    assert stat.S_IMODE((state / "admin.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((state / "contexts.json").stat().st_mode) == 0o600
    assert (state / "admin.key").read_text().strip() not in up.said + done.out + done.err
    pids = up.children
    code, err = up.stop()
    assert (code, "stopped" in err) == (0, True), err
    until(lambda: all(_gone(pid) for pid in pids), "children gone")
    socket.create_server(("127.0.0.1", up.port)).close()


def test_up_again_finds_everything_there(stranger: Home) -> None:
    """Its queue and its items are still known; draining its agent ends it, and is no error."""
    Contexts(stranger.variables()).save("team", Context(url="http://127.0.0.1:1"))
    first = Up(stranger)
    assert "went to team" in first.said
    assert "launchyard login --use team" in first.said
    item = stranger.run("launch", "--follow", "--json", "--", "true").lines[0]["item"]["id"]
    assert first.stop()[0] == 0
    again = Up(stranger)
    try:
        assert "went to" not in again.said
        assert stranger.run("login", "--use", "team").code == 0
        assert stranger.run("show", item).code == 7
        assert stranger.run("show", item, "--context", "local").code == 0
        stranger.env["LAUNCHYARD_CONTEXT"] = "local"
        assert stranger.run("show", item, "--json").json["attempt_state"] == "succeeded"
        assert stranger.run("drain", "local").code == 0
        until(lambda: again.process.poll() is not None, "the end")
    finally:
        code, err = again.stop()
    assert code == 0, err
    assert "drained" in err


def test_up_ends_with_the_program_that_ends(up: Up) -> None:
    """A server that is killed takes the agent along, and its log is named."""
    [server] = [pid for pid in up.children if b"server" in _words(pid)]
    os.kill(server, signal.SIGKILL)
    _, err = up.process.communicate(timeout=LIMIT_S)
    assert up.process.returncode != 0
    assert "the server ended" in err
    assert "server.log" in err
    assert "Traceback" not in err


def test_the_demo_runs_from_folder_to_result(stranger: Home) -> None:
    """With a job of its own where there is no example; a second run finds what the first kept."""
    for _ in range(2):
        done = stranger.run("demo")
        assert done.code == 0, done.err + done.out
        assert "step 10/10" in done.out
        assert re.search(r"pi: 3\.1\d", done.out)
        assert "metrics.json" in done.out
        assert "the demo took" in done.err
    until(lambda: not _running(str(stranger.folder)), "the end")


def _running(word: str) -> list[str]:
    """Return the processes that name *word* in their command."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


def test_a_demo_that_fails_says_so(stranger: Home) -> None:
    """The job's own failure is the demo's exit code."""
    (stranger.folder / "code").mkdir()
    (stranger.folder / "code" / "train.py").write_text("raise SystemExit(3)\n")
    done = stranger.run("demo", "--dir", "code")
    assert done.code == 10, done.err
    assert "exit code 3" in done.err
    assert stranger.run("demo", "--dir", "nosuch").code == 2
