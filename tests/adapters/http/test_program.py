"""The server as a program: its start, its end, and what it remembers."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.server import server as command
from tests.adapters.http.agents import FakeAgent
from tests.programs import until, yard
from tests.servers import LIMIT_S, RunningServer, running_server, start_program


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunningServer]:
    """Give a server that this test may stop."""
    with running_server(tmp_path) as server:
        server.make_queue()
        yield server


def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    """Also after kill -9: key, queue, item, lease, log, archive and output are there."""
    with running_server(tmp_path) as before:
        before.make_queue()
        item = before.submit("true")
        agent = FakeAgent.start(before, "a", ("main",))
        grant = agent.claim()["items"][0]
        agent.launch(grant)
        before.call("PUT", f"/items/{item}/attempts/1/logs/job?start=0", data=b"hello\n")
        before.call("PUT", f"/items/{item}/attempts/1/outputs/a", data=b"1")
        shown = before.call("GET", f"/items/{item}")
        info = before.call("GET", "/info")
        before.kill()
    with running_server(tmp_path) as after:
        assert after.admin_key == before.admin_key
        assert after.call("GET", "/info") == info
        assert after.call("GET", f"/items/{item}") == shown
        assert after.ask("GET", f"/items/{item}/logs").content == b"hello\n"
        assert after.ask("GET", f"/items/{item}/outputs/a").content == b"1"
        again = FakeAgent(after, agent.id, agent.epoch, agent.queues, agent.name)
        leases = [{name: grant[name] for name in ("item", "attempt", "token")}]
        beat = again.ask("heartbeat", {"caller": again.caller, "leases": leases}).json()
        assert (beat["stale"], beat["unlisted"]) == ([], [])
        again.report(grant, 1, state="succeeded", reason="completed")
        assert after.call("GET", f"/items/{item}")["state"] == "done"


def test_a_stop_ends_polls_and_streams_at_once(own: RunningServer) -> None:
    """SIGTERM: exit code 0 within seconds, though a claim and two followers wait."""
    item = own.submit("true")
    agent = FakeAgent.start(own, "a", ("main",))
    agent.launch(agent.claim()["items"][0])
    waiting = agent.wait(wait_s=55)
    text = "\nlaunchyard_claims_waiting 1"
    until(lambda: text in own.ask("GET", "metrics", key="").text, "the claim")
    with (
        requests.get(
            f"{own.api}/items/{item}/events",
            headers={"Authorization": f"Bearer {own.admin_key}"},
            stream=True,
            timeout=LIMIT_S,
        ) as events,
        requests.get(
            f"{own.api}/items/{item}/logs?follow=1",
            headers={"Authorization": f"Bearer {own.admin_key}"},
            stream=True,
            timeout=LIMIT_S,
        ) as log,
    ):
        began = time.monotonic()
        assert own.stop() == 0
        assert time.monotonic() - began < 40
        assert b"launching" in events.content
        assert log.content is not None
    assert waiting.answer()["items"] == []
    assert not [line for line in own.said().splitlines() if " INFO " not in line]


def test_a_taken_port_is_told(own: RunningServer, tmp_path: Path) -> None:
    """With the address and what to do; exit code 6."""
    folder = tmp_path / "second"
    folder.mkdir()
    port = int(own.url.rsplit(":", 1)[1])
    with start_program(folder, port) as process:
        assert process.wait(LIMIT_S) == 6
    said = (folder / "server.log").read_text()
    assert f"127.0.0.1:{port}" in said
    assert "--port" in said
    assert "Traceback" not in said


def test_a_folder_serves_one_server(own: RunningServer, tmp_path: Path) -> None:
    """The second one says who has it."""
    with start_program(tmp_path) as process:
        assert process.wait(LIMIT_S) == 6
    assert "another server uses the state folder" in own.said()
    assert own.ask("GET", "/info").ok


def test_logs_are_cut_at_the_quota_that_was_set(tmp_path: Path) -> None:
    """With a mark, though agent and queue would keep more; a size may have a unit, as elsewhere."""
    with yard(tmp_path, "--log-quota", "2KiB") as made:
        made.start_agent()
        item = made.submit("/bin/sh", "-c", "head -c 5000 /dev/zero | tr '\\0' x")
        kept, _, mark = made.log_of(item).partition("\n")
        assert kept == 2048 * "x"
        assert "its quota of 2048 bytes is used up" in mark


def test_a_quota_that_is_no_size_is_wrong_usage() -> None:
    """Before anything is started."""
    done = CliRunner().invoke(command, ["--log-quota", "much"])
    assert done.exit_code == Code.USAGE
    assert "50MiB" in done.output


def test_secrets_are_their_owner_s_alone(own: RunningServer, tmp_path: Path) -> None:
    """Key file and state folder cannot be read by others; the log has no key."""
    key = tmp_path / "admin.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(own.state.stat().st_mode) == 0o700
    assert own.admin_key not in own.said()


def test_a_key_of_another_database_administers_this_one_too(tmp_path: Path) -> None:
    """Whoever keeps the key file and loses the database goes on with the same key."""
    (tmp_path / "admin.key").write_text("k" * 48)
    with running_server(tmp_path) as server:
        assert server.call("GET", "/me")["everywhere"] == "admin"
        assert server.admin_key == "k" * 48


def test_a_broken_key_file_is_told(tmp_path: Path) -> None:
    """With the file's name and what to do."""
    (tmp_path / "admin.key").write_text("no key at all")
    with start_program(tmp_path) as process:
        assert process.wait(LIMIT_S) == 1
    said = (tmp_path / "server.log").read_text()
    assert "admin.key" in said
    assert "no key at all" not in said
