"""What the git fetcher brings, from real git over real sockets."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from launchyard.adapters.git.fetcher import GitFetcher
from launchyard.adapters.git.settings import GitConfig
from launchyard.ports.source import GitRequest
from tests.adapters.git.gitserver import (
    Fetch,
    GitServer,
    Repo,
    client_environment,
)


def files(folder: str) -> dict[str, str]:
    """Return the text of every file below *folder*."""
    root = Path(folder)
    return {str(p.relative_to(root)): p.read_text() for p in root.rglob("*") if p.is_file()}


def test_the_default_branch_is_the_remotes(server: GitServer, fetch: Fetch) -> None:
    """Without a ref the remote's HEAD decides, whatever it is called."""
    repo = Repo(server.root / "odd", branch="trunk")
    commit = repo.commit({"a": "1"})
    fetched = fetch(server.url("odd"))
    assert fetched.revision == commit
    assert files(fetched.folder) == {"a": "1"}


def test_a_branch_comes_before_a_tag(repo: Repo, server: GitServer, fetch: Fetch) -> None:
    """A name that is both gives the branch, as people expect who push to it."""
    old = repo.git("rev-parse", "HEAD")
    repo.git("tag", "both", old)
    repo.git("checkout", "--quiet", "-b", "both")
    new = repo.commit({"train.py": "two\n"})
    assert fetch(server.url("code"), "both").revision == new


@pytest.mark.parametrize("annotated", [True, False])
def test_a_tag_gives_its_commit(
    repo: Repo, server: GitServer, fetch: Fetch, annotated: bool
) -> None:
    """Both kinds of tags lead to the commit, not to the tag's own object."""
    commit = repo.git("rev-parse", "HEAD")
    repo.git("tag", *(["-a", "-m", "x"] if annotated else []), "v1.0")
    repo.commit({"train.py": "two\n"})
    fetched = fetch(server.url("code"), "v1.0")
    assert fetched.revision == commit
    assert files(fetched.folder)["train.py"] == "one\n"


@pytest.mark.parametrize("knows_protocol_2", [True, False])
@pytest.mark.parametrize("length", [40, 12])
def test_a_commit_is_found(
    repo: Repo, server: GitServer, fetch: Fetch, knows_protocol_2: bool, length: int
) -> None:
    """A commit below a branch's tip is found by any id, also where the server hands out tips."""
    commit = repo.git("rev-parse", "HEAD")
    repo.commit({"train.py": "two\n"})
    server.knows_protocol_2 = knows_protocol_2
    fetched = fetch(server.url("code"), commit[:length])
    assert fetched.revision == commit
    assert files(fetched.folder)["train.py"] == "one\n"


def test_a_fetch_is_shallow(repo: Repo, server: GitServer, fetch: Fetch) -> None:
    """A branch costs one commit, not its history: what was removed is never sent."""
    size_b = 1_000_000
    repo.commit({"old.txt": os.urandom(size_b).hex()})
    (repo.path / "old.txt").unlink()
    repo.commit({})
    fetch(server.url("code"), "main")
    assert 0 < server.sent_b < size_b / 10


def test_ssh_is_spoken(repo: Repo, fetch: Fetch, tmp_path: Path) -> None:
    """Both ways to write an ssh address run the ssh program of the agent."""
    commit = repo.git("rev-parse", "HEAD")
    assert fetch("ssh://git@example.org:2222/code/.git").revision == commit
    log = (tmp_path / "home/ssh.log").read_text()
    assert "-p 2222 git@example.org" in log


def test_an_scp_like_address_is_ssh(repo: Repo, fetch: Fetch) -> None:
    """`user@host:path` is an address, too."""
    assert fetch("git@example.org:code/.git").revision == repo.git("rev-parse", "HEAD")


def test_git_leaves_nothing_of_its_own(repo: Repo, server: GitServer, fetch: Fetch) -> None:
    """The files are the commit's alone, executable where they were."""
    folder = fetch(server.url("code")).folder
    assert {p.name for p in Path(folder).iterdir()} == {"train.py", "bin"}
    assert Path(folder, "bin/run.sh").stat().st_mode & 0o100


def test_a_subdir_is_entered(repo: Repo, server: GitServer, fetch: Fetch, tmp_path: Path) -> None:
    """The folder that was asked for is given, inside the whole."""
    assert fetch(server.url("code"), "", "bin").folder == str(tmp_path / "into/bin")


@pytest.mark.parametrize("relative", [True, False])
def test_a_submodule_is_fetched(
    repo: Repo, server: GitServer, fetch: Fetch, relative: bool
) -> None:
    """Submodules come along, by whole and by relative address."""
    inner = Repo(server.root / "lib")
    commit = inner.commit({"lib.py": "x\n"})
    repo.link("vendor/lib", "../../lib/.git" if relative else server.url("lib"), commit)
    folder = fetch(server.url("code")).folder
    assert files(folder)["vendor/lib/lib.py"] == "x\n"
    assert not list(Path(folder).rglob(".git"))


def test_hooks_and_templates_do_not_run(repo: Repo, server: GitServer, tmp_path: Path) -> None:
    """Neither a global hooks folder nor a template of the agent's user takes part."""
    mark = tmp_path / "mark"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (hooks / name).chmod(0o755)
    env = client_environment(server, tmp_path / "home")
    (tmp_path / "home/.gitconfig").write_text(f"[core]\n\thooksPath = {hooks}\n")
    request = GitRequest(url=server.url("code"))
    fetcher = GitFetcher(GitConfig(environment=env))
    fetcher.fetch(request, str(tmp_path / "into"), timeout_s=60, cancelled=lambda: False)
    assert not mark.exists()


def test_credentials_log_in_and_stay_secret(repo: Repo, server: GitServer, fetch: Fetch) -> None:
    """User data of the address logs in; the address that git sees has none."""
    server.login = "ann:s3cr3t/pass word"
    url = server.url("code", "ann:s3cr3t%2Fpass%20word@")
    assert fetch(url).revision == repo.git("rev-parse", "HEAD")


def test_large_files_stay_pointers(repo: Repo, server: GitServer, tmp_path: Path) -> None:
    """A filter for large files is not run, also where the agent's user has one."""
    mark = tmp_path / "mark"
    repo.commit({".gitattributes": "*.bin filter=lfs\n", "a.bin": "version x\noid sha256:1\n"})
    env = client_environment(server, tmp_path / "home")
    filters = f'[filter "lfs"]\n\tsmudge = touch {mark}\n\trequired = true\n'
    (tmp_path / "home/.gitconfig").write_text(filters)
    fetched = GitFetcher(GitConfig(environment=env)).fetch(
        GitRequest(url=server.url("code")),
        str(tmp_path / "into"),
        timeout_s=60,
        cancelled=threading.Event().is_set,
    )
    assert files(fetched.folder)["a.bin"].startswith("version x")
    assert not mark.exists()
