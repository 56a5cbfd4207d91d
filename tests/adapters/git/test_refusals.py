"""What the git fetcher refuses, and how it stops."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from launchyard.adapters.git.fetcher import GitFetcher
from launchyard.adapters.git.settings import GitConfig
from launchyard.domain.reason import Reason
from launchyard.ports.source import GitRequest, SourceError
from tests.adapters.git.gitserver import (
    Fetch,
    GitServer,
    Repo,
    client_environment,
)


def refused(fetch: Fetch, *arguments: str) -> SourceError:
    """Return the error of a fetch that has to fail."""
    with pytest.raises(SourceError) as e:
        fetch(*arguments)
    return e.value


def processes_below(folder: Path) -> list[str]:
    """Return the processes that work below *folder*."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        if target.startswith(str(folder)):
            found.append(target)
    return found


@pytest.mark.parametrize(
    ("subdir", "reason"),
    [
        ("nope", Reason.SOURCE_NOT_FOUND),
        ("../x", Reason.SOURCE_REFUSED),
        ("out", Reason.SOURCE_REFUSED),
    ],
)
def test_a_bad_subdir_is_refused(
    repo: Repo, server: GitServer, fetch: Fetch, subdir: str, reason: Reason
) -> None:
    """Absent, above, or through a link: each says so."""
    (repo.path / "out").symlink_to("/")
    repo.commit({})
    assert refused(fetch, server.url("code"), "", subdir).reason is reason


def test_a_missing_ref_names_the_next_best(
    repo: Repo, server: GitServer, fetch: Fetch, tmp_path: Path
) -> None:
    """A wrong name is answered with the names that are there."""
    repo.git("branch", "feature")
    e = refused(fetch, server.url("code"), "featur")
    assert e.reason is Reason.SOURCE_NOT_FOUND
    assert not e.retry
    assert "did you mean 'feature'" in str(e)
    assert not (tmp_path / "into").exists()


def test_a_missing_commit_is_not_found(repo: Repo, server: GitServer, fetch: Fetch) -> None:
    """A commit id that nobody knows ends after the whole history was searched."""
    assert refused(fetch, server.url("code"), "0" * 40).reason is Reason.SOURCE_NOT_FOUND


def test_an_empty_repository_says_so(server: GitServer, fetch: Fetch) -> None:
    """A repository without a commit has no default branch."""
    Repo(server.root / "empty")
    e = refused(fetch, server.url("empty"))
    assert e.reason is Reason.SOURCE_NOT_FOUND
    assert "no default branch" in str(e)


def test_a_missing_repository_is_not_found(server: GitServer, fetch: Fetch) -> None:
    """The host answers, the repository is not there."""
    e = refused(fetch, server.url("nobody"))
    assert (e.reason, e.retry) == (Reason.SOURCE_NOT_FOUND, False)


def test_an_unreachable_host_may_be_tried_again(fetch: Fetch) -> None:
    """Nothing listens there; it may later."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        e = refused(fetch, f"https://127.0.0.1:{listener.getsockname()[1]}/x")
    assert (e.reason, e.retry) == (Reason.SOURCE_UNREACHABLE, True)


@pytest.mark.parametrize(
    "url",
    [
        "-uexploit",
        "--upload-pack=touch x",
        "ext::sh -c touch% x",
        "fd::3",
        "file:///{root}/code/.git",
        "{root}/code/.git",
        "http://127.0.0.1/code",
        "git://127.0.0.1/code",
        "ssh://-oProxyCommand=x/code",
    ],
)
def test_bad_addresses_start_nothing(
    repo: Repo, server: GitServer, fetch: Fetch, url: str, tmp_path: Path
) -> None:
    """Refused before git runs and before the folder is made."""
    e = refused(fetch, url.format(root=str(server.root).lstrip("/")))
    assert (e.reason, e.retry) == (Reason.SOURCE_REFUSED, False)
    assert not (tmp_path / "into").exists()


def test_a_redirect_to_another_protocol_is_refused(
    repo: Repo, server: GitServer, fetch: Fetch
) -> None:
    """A server cannot send git on to http or files."""
    server.redirect_to = f"http://{server.host}"
    with pytest.raises(SourceError):
        fetch(server.url("code"))


def test_a_submodule_in_a_submodule_is_judged(repo: Repo, server: GitServer, fetch: Fetch) -> None:
    """The rules hold at every depth."""
    inner = Repo(server.root / "lib")
    inner.commit({"lib.py": "x\n"})
    commit = inner.link("deep", f"file://{server.root}/code/.git", "1" * 40)
    repo.link("lib", server.url("lib"), commit)
    assert refused(fetch, server.url("code")).reason is Reason.SOURCE_REFUSED


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% {mark}",
        "file://{root}/lib/.git",
        "{root}/lib/.git",
        "-u./touch-it",
        "--upload-pack=touch {mark}",
        "http://127.0.0.1/lib",
        "ssh://-oProxyCommand=touch/lib",
        "../../../../../../etc",
    ],
)
def test_bad_submodules_are_refused(
    repo: Repo, server: GitServer, fetch: Fetch, url: str, tmp_path: Path
) -> None:
    """A commit cannot make the agent run a program, read its files or leave its host."""
    commit = Repo(server.root / "lib").commit({"lib.py": "x\n"})
    mark = tmp_path / "mark"
    repo.link("lib", url.format(root=server.root, mark=mark), commit)
    e = refused(fetch, server.url("code"))
    assert (e.reason, e.retry) == (Reason.SOURCE_REFUSED, False)
    assert not mark.exists()
    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize("user_data", ["ann:hunter2hunter2@", "ghp_tokentokentoken@"])
def test_wrong_credentials_stay_secret(
    repo: Repo, server: GitServer, fetch: Fetch, user_data: str
) -> None:
    """A refused login is an error without the credential in it, with a remedy."""
    server.login = "ann:right"
    e = refused(fetch, server.url("code", user_data))
    assert (e.reason, e.retry) == (Reason.SOURCE_REFUSED, False)
    assert "hunter2" not in repr(e)
    assert "ghp_" not in repr(e)
    assert "credential helper" in str(e)


def test_a_login_of_nobody_asks_nobody(repo: Repo, server: GitServer, fetch: Fetch) -> None:
    """Where a login is needed and none is known the fetch ends; nothing waits at a terminal."""
    server.login = "ann:right"
    assert refused(fetch, server.url("code")).reason is Reason.SOURCE_REFUSED


def test_an_unknown_certificate_is_refused(repo: Repo, server: GitServer, tmp_path: Path) -> None:
    """A server that nobody vouches for is not trusted."""
    env = client_environment(server, tmp_path / "home")
    del env["GIT_SSL_CAINFO"]
    fetcher = GitFetcher(GitConfig(environment=env))
    with pytest.raises(SourceError, match="certificate") as e:
        fetcher.fetch(
            GitRequest(url=server.url("code")),
            str(tmp_path / "into"),
            timeout_s=60,
            cancelled=lambda: False,
        )
    assert e.value.reason is Reason.SOURCE_REFUSED


def test_a_cancel_ends_every_process(server: GitServer, tmp_path: Path) -> None:
    """A fetch that waits for its server ends when it is cancelled, and git's children with it."""
    config = GitConfig(environment=client_environment(server, tmp_path / "home"))
    into = tmp_path / "into"
    with pytest.raises(SourceError) as e:
        GitFetcher(config).fetch(
            GitRequest(url=server.url("silent")),
            str(into),
            timeout_s=60,
            cancelled=server.reached.is_set,
        )
    assert e.value.reason is Reason.CANCELLED
    assert processes_below(into) == []


def test_a_timeout_ends_every_process(server: GitServer, tmp_path: Path) -> None:
    """A server that never answers costs the time that was given, no more."""
    config = GitConfig(environment=client_environment(server, tmp_path / "home"))
    into = tmp_path / "into"
    with pytest.raises(SourceError, match="within") as e:
        GitFetcher(config).fetch(
            GitRequest(url=server.url("silent")), str(into), timeout_s=1, cancelled=lambda: False
        )
    assert (e.value.reason, e.value.retry) == (Reason.SOURCE_UNREACHABLE, True)
    assert processes_below(into) == []


def test_a_missing_git_is_named(tmp_path: Path) -> None:
    """An agent without git says what to install."""
    config = replace(GitConfig(environment={"PATH": str(tmp_path)}), git="no-such-git")
    with pytest.raises(SourceError, match="installed") as e:
        GitFetcher(config).fetch(
            GitRequest(url="https://127.0.0.1:1/x"),
            str(tmp_path / "into"),
            timeout_s=5,
            cancelled=lambda: False,
        )
    assert not e.value.retry


def test_a_repository_that_brings_too_much_is_stopped(
    repo: Repo, server: GitServer, tmp_path: Path
) -> None:
    """While it is fetched; the message says the limit and the key, and nothing is left."""
    repo.commit({"blob.hex": os.urandom(400_000).hex()})
    config = GitConfig(environment=client_environment(server, tmp_path / "home"))
    request = GitRequest(url=server.url("code"))
    into = tmp_path / "into"
    for most_b, fits in ((300_000, False), (4_000_000, True)):
        fetcher = GitFetcher(replace(config, most_b=most_b))
        fetch = partial(fetcher.fetch, request, str(into), timeout_s=60, cancelled=lambda: False)
        if fits:
            assert Path(fetch().folder, "blob.hex").is_file()
        else:
            with pytest.raises(SourceError, match="source_limit") as caught:
                fetch()
            assert (caught.value.reason, caught.value.retry) == (Reason.SOURCE_REFUSED, False)
            assert not into.exists() or not list(into.iterdir())
