"""Code archives and outputs: what is kept, and what is refused."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import requests

from launchyard.domain.spec import ArchiveSource, LaunchSpec
from launchyard.domain.targets.kubernetes_code import fetcher
from tests.adapters.http.agents import FakeAgent
from tests.servers import LIMIT_S, RunningServer


def archive(*members: tuple[str, bytes, bytes]) -> bytes:
    """Make a tar.gz of (name, type, data or link target)."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, kind, data in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(data)
            else:
                info.linkname = data.decode()
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(raw.getvalue())


GOOD = archive(("train.py", tarfile.REGTYPE, b"print(1)\n"))


def digest(data: bytes) -> str:
    """Return the name of an archive."""
    return hashlib.sha256(data).hexdigest()


def test_an_archive_comes_back_as_it_was(server: RunningServer) -> None:
    """Under its digest; asking first saves the upload."""
    path = f"/archives/{digest(GOOD)}"
    assert server.ask("HEAD", path).status_code == 404
    assert server.ask("PUT", path, data=GOOD).status_code == 201
    assert server.ask("PUT", path, data=GOOD).status_code == 201
    assert server.ask("HEAD", path).ok
    agent = server.make_key("agent")
    answer = server.ask("GET", path, key=agent)
    assert answer.content == GOOD
    assert answer.headers["Content-Length"] == str(len(GOOD))


def test_a_job_fetches_its_own_code(server: RunningServer, tmp_path: Path) -> None:
    """With its attempt's token alone, as a pod's init container does; no other code."""
    other = archive(("secret.py", tarfile.REGTYPE, b"print(2)\n"))
    for data in (GOOD, other):
        server.ask("PUT", f"/archives/{digest(data)}", data=data)
    server.make_queue(queue="code")
    agent = FakeAgent.start(server, "code", ("code",))
    command = {"entry_point": ["true"]}
    spec = {"project": "p", "overrides": command, "source": {"archive": digest(GOOD)}}
    server.call("POST", "/entities/team/queues/code/items", json={"spec": spec})
    [grant] = agent.claim()["items"]
    agent.launch(grant)
    token = grant["secrets"]["LAUNCHYARD_TOKEN"]
    assert server.ask("GET", f"/archives/{digest(other)}", key=token).status_code == 403
    code = LaunchSpec(code=ArchiveSource(digest(GOOD)))
    _, flag, script, _, sha256 = map(str, cast("list[str]", fetcher(code, "")["command"]))
    job = {"LAUNCHYARD_SERVER": server.url, "LAUNCHYARD_TOKEN": token}
    words = [sys.executable, flag, script, str(tmp_path), sha256]
    subprocess.run(words, env=job, check=True, timeout=LIMIT_S)
    assert (tmp_path / "train.py").read_text() == "print(1)\n"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("absolute", archive(("/etc/passwd", tarfile.REGTYPE, b"x"))),
        ("parent", archive(("../x", tarfile.REGTYPE, b"x"))),
        ("link out", archive(("a", tarfile.SYMTYPE, b"../../etc"))),
        ("hard link", archive(("a", tarfile.LNKTYPE, b"/etc/passwd"))),
        ("device", archive(("a", tarfile.CHRTYPE, b""))),
        ("pipe", archive(("a", tarfile.FIFOTYPE, b""))),
        (
            "case",
            archive(("a", tarfile.REGTYPE, b"1"), ("A", tarfile.REGTYPE, b"2")),
        ),
        ("bomb", gzip.compress(b"\0" * 100_000_000, 9)),
        ("no archive", b"hello"),
        ("cut", GOOD[:-20]),
        ("empty", b""),
    ],
)
def test_a_bad_archive_is_not_kept(server: RunningServer, name: str, data: bytes) -> None:
    """Each attack is refused in words, and nothing is there afterwards."""
    path = f"/archives/{digest(data)}"
    answer = server.ask("PUT", path, data=data)
    assert answer.status_code in {413, 422}, (name, answer.text)
    assert answer.json()["detail"]
    assert server.ask("GET", path).status_code == 404


def test_an_archive_must_be_what_its_name_says(server: RunningServer) -> None:
    """A damaged upload is noticed by its digest."""
    answer = server.ask("PUT", f"/archives/{'0' * 64}", data=GOOD)
    assert answer.status_code == 422
    assert digest(GOOD) in answer.text
    assert server.ask("PUT", "/archives/XYZ", data=GOOD).status_code == 422


def test_outputs_are_listed_and_fetched(
    server: RunningServer, queue: str, make_agent: Callable[..., FakeAgent]
) -> None:
    """Under their paths; a repeat replaces, bytes and all; a browser neither runs nor guesses."""
    item = server.submit("true", queue=queue)
    agent = make_agent(queue)
    agent.launch(agent.claim()["items"][0])
    base = f"/items/{item}/attempts/1/outputs"
    for path, data in (
        ("plot.html", b"<script>1</script>"),
        ("sub/é n.txt", b"1"),
        ("sub/é n.txt", b"22"),
        ("empty", b""),
    ):
        assert server.ask("PUT", f"{base}/{path}", data=data).status_code == 201
    other = base.replace("attempts/1", "attempts/2")
    assert server.ask("PUT", f"{other}/a", data=b"x").status_code == 404
    kept = [
        file for file in (server.state / "blobs" / "outputs" / item).rglob("*") if file.is_file()
    ]
    assert sorted(file.read_bytes() for file in kept) == [b"", b"22", b"<script>1</script>"]
    listed = server.call("GET", f"/items/{item}/outputs")["outputs"]
    assert {one["path"]: one["size_b"] for one in listed} == {
        "plot.html": 18,
        "sub/é n.txt": 2,
        "empty": 0,
    }
    answer = server.ask("GET", f"/items/{item}/outputs/plot.html")
    assert answer.content == b"<script>1</script>"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert server.ask("GET", f"/items/{item}/outputs/sub/é n.txt").content == b"22"
    assert server.ask("GET", f"/items/{item}/outputs/none").status_code == 404
    assert server.ask("GET", f"/items/{item}/outputs?attempt=2").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "%2e%2e/x",
        "a/%2e%2e/x",
        "%2fetc/passwd",
        "a//b",
        "a/./b",
        "a%5cb",
        "a%00b",
        "a%0ab",
        "%ff",
        "x" * 256,
        "/".join(["x" * 200] * 6),
    ],
)
def test_a_path_leads_nowhere_else(server: RunningServer, queue: str, path: str) -> None:
    """Refused before a byte is kept."""
    item = server.submit("true", queue=queue)
    url = f"{server.api}/items/{item}/attempts/1/outputs/{path}"
    request = server.session.prepare_request(_put(url, server.admin_key))
    request.url = url
    answer = server.session.send(request, timeout=LIMIT_S)
    assert answer.status_code in {404, 422}, answer.text
    assert server.call("GET", f"/items/{item}/outputs")["outputs"] == []


def _put(url: str, key: str) -> requests.Request:
    return requests.Request("PUT", url, data=b"x", headers={"Authorization": f"Bearer {key}"})
