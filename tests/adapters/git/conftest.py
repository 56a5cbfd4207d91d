"""A git server, a repository on it, and a fetcher that reaches it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from launchyard.adapters.git.fetcher import GitFetcher
from launchyard.adapters.git.settings import GitConfig
from launchyard.ports.source import Fetched, GitRequest
from tests.adapters.git.gitserver import (
    Fetch,
    GitServer,
    Repo,
    client_environment,
    git_server,
    make_certificate,
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one certificate for all servers."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def server(tmp_path: Path, certificate: Path) -> Iterator[GitServer]:
    """Serve `repos` over https."""
    with git_server(tmp_path, certificate) as server:
        yield server


@pytest.fixture
def repo(server: GitServer) -> Repo:
    """Give a repository with a file and a script."""
    repo = Repo(server.root / "code")
    repo.commit({"train.py": "one\n", "bin/run.sh": "#!/bin/sh\n"})
    return repo


@pytest.fixture
def fetch(server: GitServer, tmp_path: Path) -> Fetch:
    """Give a function that fetches into `tmp_path/into`."""
    fetcher = GitFetcher(GitConfig(environment=client_environment(server, tmp_path / "home")))

    def call(url: str, ref: str = "", subdir: str = "") -> Fetched:
        request = GitRequest(url=url, ref=ref, subdir=subdir)
        into = str(tmp_path / "into")
        return fetcher.fetch(request, into, timeout_s=60, cancelled=lambda: False)

    return call
