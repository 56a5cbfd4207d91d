"""The code-mount way: the very scripts that run in pods, in a real shell, and code on claims."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from launchyard.adapters.kubernetes.paths import Address
from launchyard.adapters.kubernetes.places import KubernetesConfig
from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.adapters.kubernetes.target import KubernetesTarget, KubernetesTargetConfig
from launchyard.domain.config.problem import DocumentError
from launchyard.domain.documents import Json
from launchyard.domain.spec import ArchiveSource, GitSource, LaunchSpec
from launchyard.domain.targets.kubernetes_code import MOUNT, fetcher, install_first
from launchyard.domain.targets.kubernetes_plan import KubernetesDefaults
from launchyard.domain.targets.preview import unclaimed
from launchyard.ports.target import HostSpec, PlanInput, Planned
from tests.adapters.git.gitserver import (
    GitServer,
    Repo,
    client_environment,
    git_server,
    make_certificate,
)
from tests.adapters.kubernetes.jobs import end_of, launch
from tests.rig.kubernetes.standin import standin

LIMIT_S = 120.0
OLD_TARFILE = """\
import tarfile

del tarfile.data_filter


class Old(tarfile.TarFile):
    def extractall(self, path):
        for member in self.getmembers():
            self._extract_member(member, f"{path}/{member.name}")


tarfile.open = Old.open
"""
"""What a python begins with here that is to be like one of before 3.11.4."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    """Serve repositories over https."""
    folder = tmp_path_factory.mktemp("git")
    with git_server(folder, make_certificate(folder)) as server:
        yield server


@pytest.fixture(scope="module")
def repo(server: GitServer) -> Repo:
    """Give a repository with a tag, a branch and a submodule."""
    inner = Repo(server.root / "inner")
    seen = inner.commit({"inner.txt": "inner\n"})
    repo = Repo(server.root / "code")
    repo.commit({"train.py": "one\n", "bin/run.sh": "#!/bin/sh\n"})
    repo.git("tag", "-a", "v1", "-m", "one")
    repo.git("checkout", "-q", "-b", "side")
    repo.commit({"train.py": "side\n"})
    repo.git("checkout", "-q", "main")
    repo.commit({"train.py": "two\n"})
    repo.link("sub", server.url("inner"), seen)
    return repo


def words_of(words: Json, into: Path) -> list[str]:
    """Return the command of a container as the cluster gives it, with *into* as its volume."""
    assert isinstance(words, list)
    return [str(word).replace("$$", "$").replace(MOUNT, str(into)) for word in words]


def fetched(source: GitSource | ArchiveSource, into: Path, environment: Mapping[str, str]) -> str:
    """Run the init container's command; return what it says where it fails."""
    command = words_of(fetcher(LaunchSpec(code=source), "")["command"], into)
    command[0] = sys.executable if command[0] == "python3" else command[0]
    done = subprocess.run(
        command, env=dict(environment), capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    return "" if done.returncode == 0 else done.stderr or "failed"


@pytest.mark.parametrize(
    ("ref", "text"), [("", "two"), ("main", "two"), ("side", "side"), ("v1", "one")]
)
def test_a_pod_fetches_a_repository(
    server: GitServer, repo: Repo, tmp_path: Path, ref: str, text: str
) -> None:
    """W-33: by branch, by tag or as it is, with its submodules; any user of the pod may read it."""
    into = tmp_path / "into"
    environment = client_environment(server, tmp_path / "home")
    assert fetched(GitSource(server.url("code"), ref), into, environment) == ""
    assert (into / "train.py").read_text() == f"{text}\n"
    assert (into / "sub" / "inner.txt").is_file() == (text == "two")
    assert (into / "bin" / "run.sh").stat().st_mode & 0o777 == 0o777
    assert (into / "train.py").stat().st_mode & 0o777 == 0o666


@pytest.mark.parametrize("short", [False, True])
def test_a_pod_fetches_one_commit(
    server: GitServer, repo: Repo, tmp_path: Path, *, short: bool
) -> None:
    """Also by the first letters of its id, and from servers that give no single commit by it."""
    into, commit = tmp_path / "into", repo.git("rev-parse", "v1^{commit}")
    environment = client_environment(server, tmp_path / "home")
    server.knows_protocol_2 = short
    try:
        source = GitSource(server.url("code"), commit[:9] if short else commit)
        assert fetched(source, into, environment) == ""
    finally:
        server.knows_protocol_2 = True
    assert (into / "train.py").read_text() == "one\n"


def test_a_pod_fetches_from_no_other_place(server: GitServer, repo: Repo, tmp_path: Path) -> None:
    """Neither local folders nor plain http, whatever the image's own git settings say."""
    environment = client_environment(server, tmp_path / "home")
    for url in (str(repo.path), f"file://{repo.path}", f"ext::sh -c touch% {tmp_path}/evil"):
        assert fetched(GitSource(url), tmp_path / "into", environment)
        assert not (tmp_path / "into" / "train.py").exists()
    assert not (tmp_path / "evil").exists()
    assert fetched(GitSource(server.url("code"), "no-such-ref"), tmp_path / "x", environment)


@contextmanager
def archives(data: bytes) -> Iterator[tuple[str, list[str]]]:
    """Serve one archive as our server does; give its address, and the keys that were shown."""
    keys: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers["Authorization"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", keys
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_pod_fetches_an_archive(tmp_path: Path) -> None:
    """With the attempt's own token; bytes of another digest are not unpacked."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("train.py")
        member.size = 2
        archive.addfile(member, io.BytesIO(b"x\n"))
    data = packed.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    with archives(data) as (address, keys):
        environment = {"LAUNCHYARD_SERVER": address, "LAUNCHYARD_TOKEN": "t"}
        assert fetched(ArchiveSource(digest), tmp_path / "a", environment) == ""
        said = fetched(ArchiveSource("0" * 64), tmp_path / "b", environment)
    assert (tmp_path / "a" / "train.py").read_text() == "x\n"
    assert "not the one" in said
    assert not (tmp_path / "b").exists()
    assert keys == ["Bearer t", "Bearer t"]


def test_an_older_python_fetches_an_archive_too(tmp_path: Path) -> None:
    """That of Debian 12, which an image of people's own may well have, knows no filters."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("train.py"))
    (tmp_path / "sitecustomize.py").write_text(OLD_TARFILE)
    digest = hashlib.sha256(packed.getvalue()).hexdigest()
    with archives(packed.getvalue()) as (address, _):
        environment = {"LAUNCHYARD_SERVER": address, "LAUNCHYARD_TOKEN": "t"}
        environment["PYTHONPATH"] = str(tmp_path)
        assert fetched(ArchiveSource(digest), tmp_path / "a", environment) == ""
    assert (tmp_path / "a" / "train.py").is_file()


@pytest.mark.parametrize(
    ("told", "file", "asked"),
    [
        ("", "requirements.txt", "-r requirements.txt"),
        ("", "requirements.frozen.txt", "-r requirements.frozen.txt"),
        ("", "pyproject.toml", "."),
        ("", "README", None),
        (("numpy==2", "x>1"), "README", "-r /tmp/launchyard-requirements.txt"),
    ],
)
def test_requirements_are_installed_before_the_command(
    tmp_path: Path, told: str | tuple[str, ...], file: str, asked: str | None
) -> None:
    """W-33: by the first file that is there; the command then gets its words as they are."""
    (tmp_path / file).touch()
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {tmp_path}/asked\n')
    program.chmod(0o755)
    container: dict[str, Json] = {"command": ["printf", "%s|"], "args": ["a b", "$(c)", "*"]}
    install_first(container, told)
    words = [*words_of(container["command"], tmp_path), *words_of(container["args"], tmp_path)]
    done = subprocess.run(
        words,
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    assert done.stdout == "a b|$(c)|*|"
    seen = (tmp_path / "asked").read_text() if (tmp_path / "asked").exists() else None
    assert seen == (None if asked is None else f"-m pip install -q {asked}\n")


def planned(claims: dict[str, str], name: str) -> Planned:
    """Plan a launch of a repository on a queue that has a `code_claim`."""
    host = HostSpec(name="kubernetes", entry="m:f", spec=None)
    defaults = KubernetesDefaults(code_claims=claims)
    target = KubernetesTarget(KubernetesTargetConfig(host=host, scope="s", defaults=defaults))
    spec: Json = {
        "project": "p",
        "source": {"git": {"url": "https://user:pw@git.example/x.git"}},
        "overrides": {"entry_point": ["true"]},
    }
    grant = unclaimed("team", "q", "kubernetes", spec, {"code_claim": "code"})
    return target.plan(PlanInput(grant=grant, name=name, folder="/nowhere"))


def test_code_on_a_claim_is_there_before_its_job_and_gone_after_it(tmp_path: Path) -> None:
    """W-33: the agent fetches it with its own credentials; any user of the pod may read it."""
    root = tmp_path / "claim"
    root.mkdir()
    wish = launch("exit 0")
    made = planned({"code": str(root)}, wish.name)
    folder = root / wish.name
    assert made.build is not None
    assert (made.build.into, made.build.builder) == (str(folder), "")
    assert made.build.source == GitSource("https://user:pw@git.example/x.git")
    folder.mkdir(mode=0o700)
    (folder / "train.py").write_text("one\n")
    (folder / "train.py").chmod(0o600)
    with standin(tmp_path) as cluster:
        address = Address(cluster.kubeconfig)
        config = KubernetesConfig(folder=str(tmp_path), address=address, code_roots=(str(root),))
        with closing(KubernetesRunner(config)) as runner:
            handle = runner.submit(replace(wish, plan=made.plan))
            assert stat.S_IMODE(folder.stat().st_mode) == 0o777
            assert stat.S_IMODE((folder / "train.py").stat().st_mode) == 0o666
            end_of(runner, handle)
            runner.remove(handle)
    assert not folder.exists()


def test_a_claim_that_the_agent_has_not_is_told() -> None:
    """W-33: with what to do about it."""
    with pytest.raises(DocumentError) as caught:
        planned({"other": "/x"}, "ly-a1")
    [problem] = caught.value.problems
    assert "no volume claim `code`" in problem.message
    assert "code_claims" in problem.hint
