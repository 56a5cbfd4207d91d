"""Every source fetcher in the box keeps the source contract."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from launchyard.adapters.archive.archives import TarArchives
from launchyard.adapters.archive.fetcher import ArchiveConfig, ArchiveFetcher
from launchyard.adapters.git.fetcher import GitFetcher
from launchyard.adapters.git.settings import GitConfig
from launchyard.adapters.wandb.job_fetcher import JobFetcher
from launchyard.domain.archive import Limits
from launchyard.plugins.testkit.source import SourceCase, SourceContract
from launchyard.ports.source import ArchiveRequest, Fetched, GitRequest, JobRequest
from tests.adapters.git.gitserver import Repo, client_environment, git_server, make_certificate
from tests.adapters.wandb.jobs_kit import add_code, fetcher
from tests.wandb_server import WandbServer


class TestGit(SourceContract):
    """The git fetcher, with a real server."""

    @pytest.fixture
    def case(self, tmp_path: Path) -> Iterator[SourceCase]:
        outside = tmp_path / "server"
        outside.mkdir()
        secret = "s3cr3ts3cr3t"  # noqa: S105 - an invented one
        login = f"ann:{secret}@"
        with (
            git_server(outside, make_certificate(outside)) as server,
            socket.socket() as deaf,
        ):
            deaf.bind(("127.0.0.1", 0))
            nowhere = f"https://{login}127.0.0.1:{deaf.getsockname()[1]}/x"
            commit = Repo(server.root / "code").commit(self.files)
            environment = client_environment(server, outside / "home")
            yield SourceCase(
                fetcher=GitFetcher(GitConfig(environment=environment)),
                good=GitRequest(url=server.url("code"), ref="main"),
                revision=commit,
                absent=GitRequest(url=server.url("code", login), ref="gone"),
                unreachable=GitRequest(url=nowhere),
                silent=GitRequest(url=server.url("silent")),
                asked=server.reached.is_set,
                secret=secret,
            )


class _Slow:
    """A stream that gives a little at a time, without end."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._never = threading.Event()

    def read(self, size: int) -> bytes:
        self.asked.set()
        self._never.wait(0.02)
        return b"\x1f\x8b\x08\x10" if size else b""

    def close(self) -> None:
        """Hold nothing."""


class TestArchive(SourceContract):
    """The fetcher of code archives, with openers of all tempers."""

    @pytest.fixture
    def case(self, tmp_path: Path) -> SourceCase:
        folder = tmp_path / "source"
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
            (folder / name).chmod(0o755 if name.endswith(".sh") else 0o644)
        packed = TarArchives().pack(str(folder), str(tmp_path / "code.tgz"), Limits())
        data = (tmp_path / "code.tgz").read_bytes()
        slow, secret = _Slow(), "s3cr3ts3cr3t"

        def gone() -> BinaryIO:
            raise FileNotFoundError(secret)

        def torn() -> BinaryIO:
            raise ConnectionResetError(secret)

        def request(opener: object) -> ArchiveRequest:
            return ArchiveRequest(sha256=packed.sha256, open=opener)  # type: ignore[arg-type]

        return SourceCase(
            fetcher=ArchiveFetcher(ArchiveConfig()),
            good=request(lambda: io.BytesIO(data)),
            revision=packed.sha256,
            absent=request(gone),
            unreachable=request(torn),
            silent=request(lambda: cast("BinaryIO", slow)),
            asked=slow.asked.is_set,
            secret=secret,
        )


class TestWandbJob(SourceContract):
    """The fetcher of a W&B server's jobs, with the code in an artifact."""

    @pytest.fixture
    def case(self) -> Iterator[SourceCase]:
        with WandbServer() as server, WandbServer() as closed, WandbServer() as silent:
            for one in (server, silent):
                add_code(one, {name: text.encode() for name, text in self.files.items()})
            closed.down()
            silent.slow(60, path="/storage/")
            fetchers = {one.port: fetcher(one) for one in (server, closed, silent)}
            by_port = _ByPort(fetchers)
            name = "ent/proj/train"

            yield SourceCase(
                fetcher=by_port,
                good=(server.port, JobRequest(name=name)),
                revision=f"{name}:v0",
                absent=(server.port, JobRequest(name=f"{name}:gone")),
                unreachable=(closed.port, JobRequest(name=name)),
                silent=(silent.port, JobRequest(name=name)),
                asked=lambda: bool(silent.waiting),
                secret=server.api_key,
            )


class _ByPort:
    """Three agents, each of a server of its own, as one fetcher."""

    def __init__(self, fetchers: Mapping[int, JobFetcher]) -> None:
        self._fetchers = fetchers

    def fetch(
        self,
        source: tuple[int, JobRequest],
        into: str,
        *,
        timeout_s: float,
        cancelled: Callable[[], bool],
    ) -> Fetched:
        port, request = source
        fetcher = self._fetchers[port]
        return fetcher.fetch(request, into, timeout_s=timeout_s, cancelled=cancelled)
