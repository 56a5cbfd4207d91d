"""A server whose disk is full, for real: it says so, goes on, and loses nothing it had taken."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.servers import LIMIT_S, RunningServer, running_server

_DISK_B = 48 * 1024 * 1024
_OUTPUT = b"0123456789abcdef" * 65536
_SUBMITS = 200
_ITEMS = "/entities/team/queues/main/items"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a server's folder whose state is on a small disk of its own."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_B},mode=0700", "none", str(state)]
    subprocess.run(mount, check=True, timeout=LIMIT_S)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", str(state)], check=True, timeout=LIMIT_S)


def _fill(file: Path) -> None:
    """Write until not one more block is free."""
    with file.open("wb", buffering=0) as out:
        for size_b in (1024 * 1024, 4096, 1):
            try:
                while out.write(b"x" * size_b) == size_b:
                    pass
            except OSError:
                continue


def _submit(server: RunningServer) -> requests.Response:
    spec = {
        "project": "p",
        "overrides": {"entry_point": ["true"], "run_config": {"note": "x" * 300_000}},
    }
    return server.ask("POST", _ITEMS, json={"spec": spec})


def _fill_database(server: RunningServer) -> tuple[list[str], requests.Response]:
    """Submit until the server refuses; return what it took, and the refusal."""
    taken: list[str] = []
    for _ in range(_SUBMITS):
        answer = _submit(server)
        if not answer.ok:
            return taken, answer
        taken.append(answer.json()["id"])
    raise AssertionError("a full disk takes everything")


def _check_told(server: RunningServer, base: str) -> None:
    """Check what clients hear of a full disk, and that the log hears of it once."""
    for _ in range(2):
        answer = server.ask("PUT", f"{base}/late.bin", data=_OUTPUT)
        assert (answer.status_code, answer.json()["type"]) == (507, "urn:launchyard:disk_full")
        assert "disk is full" in answer.json()["detail"]
        assert "free some space" in answer.json()["remedy"]
    assert server.said().count("cannot take an upload in") == 1
    assert server.said().count("the disk is full; free some space") == 1
    assert "Traceback" not in server.said()


def test_a_full_disk_is_told_and_passes(folder: Path) -> None:
    """Each refusal says what helps; all that was taken is there then, later, and after a kill."""
    filler = folder / "state" / "filler"
    with running_server(folder) as server:
        server.make_queue()
        item = server.submit()
        base = f"/items/{item}/attempts/1/outputs"
        assert server.ask("PUT", f"{base}/early.bin", data=_OUTPUT).status_code == 201
        _fill(filler)
        taken, refusal = _fill_database(server)
        assert refusal.status_code == 503
        assert "the disk is full; free some space" in refusal.json()["detail"]
        _check_told(server, base)
        assert server.ask("GET", "livez").ok
        for known in (item, *taken):
            assert server.call("GET", f"/items/{known}")["state"] == "queued"
        filler.unlink()
        assert server.ask("PUT", f"{base}/late.bin", data=_OUTPUT).status_code == 201
        taken.append(server.submit())
        server.kill()
    with running_server(folder) as server:
        for known in (item, *taken):
            assert server.call("GET", f"/items/{known}")["state"] == "queued"
        for name in ("early.bin", "late.bin"):
            assert server.ask("GET", f"/items/{item}/outputs/{name}").content == _OUTPUT
