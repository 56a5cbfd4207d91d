"""Jobs of a W&B server: what becomes of a launch, and how the code arrives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launchyard.domain.reason import Reason
from launchyard.domain.spec import ImageSource, JobSource, command_of, parse_spec
from launchyard.ports.source import Fetched, JobRequest, SourceError
from tests.adapters.git.gitserver import Repo, client_environment, git_server, make_certificate
from tests.adapters.wandb.agent_kit import SPEC, Side
from tests.adapters.wandb.jobs_kit import NAME, access, add_code, add_job, completed, fetcher
from tests.programs import LIMIT_S
from tests.wandb_server import WandbServer


@pytest.fixture
def server() -> Iterator[WandbServer]:
    """Give a W&B server; what the fetcher asks has to be right in its dialect."""
    with WandbServer() as server:
        yield server
        assert server.complaints == []


def _fetch(server: WandbServer, into: Path, name: str = NAME, **how: Any) -> Fetched:
    made = fetcher(server, how.pop("environment", None))
    return made.fetch(JobRequest(name=name), str(into), timeout_s=LIMIT_S, cancelled=lambda: False)


def _refused(server: WandbServer, into: Path, name: str = NAME) -> SourceError:
    with pytest.raises(SourceError) as e:
        _fetch(server, into, name)
    assert not into.exists()
    return e.value


def test_a_launch_is_completed_by_its_job(server: WandbServer) -> None:
    """Command and Python are the job's, and the version that was read is pinned."""
    add_code(server, {"train.py": b""})
    spec: Any = {"entity": "ent", "project": "proj", "job": NAME, "overrides": {"args": ["-x"]}}
    parsed = parse_spec(dict(completed(spec, access(server))))
    assert parsed.source == JobSource("ent/proj/train:v0")
    assert command_of(parsed) == ("python", "train.py", "-x")
    assert parsed.python_version == "3.11"


def test_an_image_job_needs_no_fetch(server: WandbServer, tmp_path: Path) -> None:
    """The launch is one of the image; who fetches all the same is told where it can run."""
    add_job(server, {"source_type": "image", "source": {"image": "team/train:2"}})
    parsed = parse_spec(dict(completed({"job": NAME}, access(server))))
    assert parsed.source == ImageSource("team/train:2")
    error = _refused(server, tmp_path / "into")
    assert error.reason is Reason.SOURCE_REFUSED
    assert "containers" in str(error)


def test_a_launch_without_a_job_asks_nothing(server: WandbServer) -> None:
    """The server hears only of jobs."""
    spec: Any = {"docker": {"docker_image": "a"}}
    assert completed(spec, access(server)) == spec
    assert server.requests == []


def test_a_claimed_launch_is_complete_and_a_wrong_one_ends(
    side: Side, wandb_server: WandbServer
) -> None:
    """The agent plans what the job says; an item of a job that is not there is failed in words."""
    add_code(wandb_server, {"train.py": b""})
    good = wandb_server.push("q1", SPEC | {"overrides": {}, "job": NAME})
    bad = wandb_server.push("q1", SPEC | {"job": "ent/proj/gone:v1"})
    granted: list[Any] = []
    while bad.error is None or not granted:
        granted.extend(side.claim(free=1, wait_s=5).items)
    assert [parse_spec(grant.spec).source for grant in granted] == [JobSource("ent/proj/train:v0")]
    assert command_of(parse_spec(granted[0].spec)) == ("python", "train.py")
    assert (bad.error["stage"], good.error) == ("agent", None)
    assert "ent/proj/gone:v1" in bad.error["message"]


def test_code_arrives_with_its_frozen_requirements(server: WandbServer, tmp_path: Path) -> None:
    """Every file of the code artifact is there; the key goes to the server's own addresses."""
    add_code(server, {"train.py": b"print(1)", "pkg/a.py": b"", "run.sh": b"#!/bin/sh\n"}, b"x==1")
    fetched = _fetch(server, tmp_path / "into")
    assert fetched == Fetched(folder=str(tmp_path / "into"), revision="ent/proj/train:v0")
    assert (tmp_path / "into/train.py").read_text() == "print(1)"
    assert (tmp_path / "into/requirements.frozen.txt").read_text() == "x==1"
    assert (tmp_path / "into/run.sh").stat().st_mode & 0o111
    assert not (tmp_path / "into/wandb-job.json").exists()


def test_a_version_is_what_was_asked_for(server: WandbServer, tmp_path: Path) -> None:
    """A newer latest does not change what a pinned name brings."""
    add_code(server, {"train.py": b"old"})
    add_code(server, {"train.py": b"new"})
    _fetch(server, tmp_path / "old", "ent/proj/train:v0")
    _fetch(server, tmp_path / "new")
    assert (tmp_path / "old/train.py").read_text() == "old"
    assert (tmp_path / "new/train.py").read_text() == "new"


def test_a_broken_download_goes_on_where_it_ended(server: WandbServer, tmp_path: Path) -> None:
    """Each part is transferred once, however often the connection breaks."""
    data = bytes(range(256)) * 4000
    code = add_code(server, {"weights.bin": data})
    server.cut(300_000, path="weights.bin", times=3)
    _fetch(server, tmp_path / "into")
    assert (tmp_path / "into/weights.bin").read_bytes() == data
    asked = [r.headers.get("range") for r in server.requests if r.path.endswith("weights.bin")]
    assert asked[0] is None
    assert len(asked) == 4
    assert all(asked[1:])
    assert code.id


def test_a_store_that_stumbles_is_asked_again(server: WandbServer, tmp_path: Path) -> None:
    """An error of the store and a wish for silence cost a little time, not the item."""
    add_code(server, {"train.py": b"1"})
    server.fail(503, path="/storage/", times=2)
    server.rate_limit(0.2, field="artifact", times=1)
    _fetch(server, tmp_path / "into")
    assert (tmp_path / "into/train.py").read_text() == "1"


@pytest.mark.parametrize("planted", ["digest", "gone"])
def test_damaged_code_is_not_used(server: WandbServer, tmp_path: Path, planted: str) -> None:
    """A file that is not what its manifest says, or is not there, ends the fetch."""
    code = add_code(server, {"train.py": b"1", "other.py": b"2"})
    if planted == "digest":
        code.digests["train.py"] = "AAAAAAAAAAAAAAAAAAAAAA=="
        assert _refused(server, tmp_path / "into").reason is Reason.SOURCE_CORRUPT
    else:
        code.stored_manifest = code.manifest
        del code.files["train.py"]
        assert _refused(server, tmp_path / "into").reason is Reason.SOURCE_NOT_FOUND


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"source_type": "conda"}, Reason.SOURCE_REFUSED),
        (
            {"source_type": "repo", "source": {"git": {"remote": "file:///etc"}}},
            Reason.SOURCE_REFUSED,
        ),
        ({"source_type": "artifact", "source": {"artifact": "gone:v9"}}, Reason.SOURCE_NOT_FOUND),
    ],
)
def test_a_wrong_job_is_refused(
    server: WandbServer, tmp_path: Path, document: Any, reason: Reason
) -> None:
    """What the job says wrongly is told, and nothing is left of the fetch."""
    add_job(server, document)
    assert _refused(server, tmp_path / "into").reason is reason


def test_what_is_no_job_is_refused(server: WandbServer, tmp_path: Path) -> None:
    """A data set's name, a job without its file, a name of nothing, a deleted version."""
    server.artifact("data", {"a": b""}, kind="dataset")
    server.artifact("empty", {"a": b""})
    gone = server.artifact("gone", {"a": b""})
    gone.state = "DELETED"
    reasons = [
        _refused(server, tmp_path / "into", f"ent/proj/{name}").reason
        for name in ("data", "empty", "nothing:v1", "gone")
    ]
    reasons.append(_refused(server, tmp_path / "into", "nothing").reason)
    refused, absent = Reason.SOURCE_REFUSED, Reason.SOURCE_NOT_FOUND
    assert reasons == [refused, Reason.SOURCE_CORRUPT, absent, absent, refused]


def test_a_wrong_key_is_told(server: WandbServer, tmp_path: Path) -> None:
    """The remedy names the key's places; the key itself is not told."""
    with pytest.raises(SourceError) as e:
        completed({"job": NAME}, access(server, "x" * 40))
    assert (e.value.reason, e.value.retry) == (Reason.SOURCE_REFUSED, False)
    assert "x" * 40 not in str(e.value)


def test_a_notebook_becomes_a_script(server: WandbServer, tmp_path: Path) -> None:
    """The script lies beside the notebook, under the name that the command has."""
    cells = [{"cell_type": "code", "source": ["!pip install x\n", "print(1)"]}]
    notebook = json.dumps({"cells": cells, "metadata": {}}).encode()
    add_code(server, {"nb/a.ipynb": notebook}, notebook=True, entrypoint=["python", "nb/a.ipynb"])
    parsed = parse_spec(dict(completed({"job": NAME}, access(server))))
    assert command_of(parsed) == ("python", "nb/a.py")
    _fetch(server, tmp_path / "into")
    script = (tmp_path / "into/nb/a.py").read_text()
    assert "print(1)" in script
    assert "pip" not in script


def test_a_notebook_that_is_not_there_is_told(server: WandbServer, tmp_path: Path) -> None:
    """The name of the notebook is in the message."""
    add_code(server, {"a.py": b""}, notebook=True, entrypoint=["python", "../../b.ipynb"])
    error = _refused(server, tmp_path / "into")
    assert "b.ipynb" in str(error)
    assert error.reason is Reason.SOURCE_REFUSED


def test_a_repository_comes_with_what_was_uncommitted(server: WandbServer, tmp_path: Path) -> None:
    """The commit is fetched and patched; a patch that leaves the folder is refused."""
    outside = tmp_path / "server"
    outside.mkdir()
    patch = b"--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-print(1)\n+print(2)\n"
    with git_server(outside, make_certificate(outside)) as git:
        repo = Repo(git.root / "code")
        commit = repo.commit({"train.py": "print(1)\n"})
        source = {"git": {"remote": git.url("code"), "commit": commit}}
        job = {"source_type": "repo", "source": source}
        frozen = {"requirements.frozen.txt": b"x==1"}
        add_job(server, job, {"diff.patch": patch, **frozen})
        add_job(server, job, {"diff.patch": patch.replace(b"train.py", b"../x.py")})
        environment = client_environment(git, outside / "home")
        _fetch(server, tmp_path / "into", "ent/proj/train:v0", environment=environment)
        with pytest.raises(SourceError) as e:
            _fetch(server, tmp_path / "bad", environment=environment)
    assert (tmp_path / "into/train.py").read_text() == "print(2)\n"
    assert (tmp_path / "into/requirements.frozen.txt").read_text() == "x==1"
    assert not (tmp_path / "into/.git").exists()
    assert e.value.reason is Reason.SOURCE_CORRUPT
    assert not (tmp_path / "bad").exists()


def test_what_is_written_follows_no_link(server: WandbServer, tmp_path: Path) -> None:
    """A repository's link with the name of a file of ours is replaced, not written through."""
    outside = tmp_path / "server"
    outside.mkdir()
    (tmp_path / "precious").write_text("mine")
    with git_server(outside, make_certificate(outside)) as git:
        repo = Repo(git.root / "code")
        repo.commit({"train.py": ""})
        (git.root / "code/requirements.frozen.txt").symlink_to(tmp_path / "precious")
        commit = repo.commit({"train.py": "1"})
        source = {"git": {"remote": git.url("code"), "commit": commit}}
        frozen = {"requirements.frozen.txt": b"x==1"}
        add_job(server, {"source_type": "repo", "source": source}, frozen)
        environment = client_environment(git, outside / "home")
        _fetch(server, tmp_path / "into", environment=environment)
    assert (tmp_path / "precious").read_text() == "mine"
    assert (tmp_path / "into/requirements.frozen.txt").read_text() == "x==1"
