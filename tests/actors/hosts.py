"""Worker processes for tests: the real run host and runner, with files instead of a server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from launchyard.actors.build_host import BuildHost, BuildHostParts
from launchyard.actors.child import Channel
from launchyard.actors.run_host import RunHost, RunHostParts
from launchyard.adapters.local.runner import LocalConfig, LocalRunner
from launchyard.adapters.prometheus.metrics import PrometheusMetrics
from launchyard.adapters.system.clock import SystemClock
from launchyard.domain.reason import Reason
from launchyard.ports.builder import BuildRequest, Built
from launchyard.ports.launch_server import AttemptFiles, LogCursorError, ServerError
from launchyard.ports.runner import Handle, Launch, RunnerError

HOLD: Final = "hold"
"""A file of this name keeps logs from being taken, or submits from being answered."""

TRIES: Final = "tries"


class FolderFiles:
    """`AttemptFiles` in a folder: a log is a file, and its length the cursor."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def append_log(self, item: str, attempt: int, source: str, start: int, data: bytes) -> int:
        path = self._root / f"{item}-{attempt}-{source}.log"
        stored = path.stat().st_size if path.exists() else 0
        if start != stored:
            raise LogCursorError(stored)
        with path.open("ab") as file:
            file.write(data)
        return stored + len(data)

    def put_output(self, item: str, attempt: int, path: str, file: BinaryIO) -> None:
        (self._root / f"{item}-{attempt}-{path}.out").write_bytes(file.read())

    def open_archive(self, sha256: str) -> BinaryIO:
        return (self._root / sha256).open("rb")


class NoBuilder:
    """A `Builder` whose jobs need nothing but their source."""

    def build(
        self, request: BuildRequest, log: Callable[[bytes], None], cancelled: Callable[[], bool]
    ) -> Built:
        log(f"{request.name} needs nothing\n".encode())
        return Built(cache="miss" if cancelled() else "none")


class FilesOnHold(FolderFiles):
    """Take no log while there is a file `HOLD` beside the folder."""

    def append_log(self, item: str, attempt: int, source: str, start: int, data: bytes) -> int:
        if (self._root.parent / HOLD).exists():
            raise ServerError("not now", retry=True)
        return super().append_log(item, attempt, source, start, data)


def run_host(folder: str, channel: Channel) -> RunHost:
    """Run attempts below *folder*, their logs in its `files`."""
    return _run_host(folder, FolderFiles(f"{folder}/files"), channel)


def run_host_on_hold(folder: str, channel: Channel) -> RunHost:
    """Run attempts below *folder*; no log is taken while its `HOLD` is there."""
    return _run_host(folder, FilesOnHold(f"{folder}/files"), channel)


class FarRunner(LocalRunner):
    """A runner whose submits fail while a file `HOLD` is there, and are counted in `TRIES`.

    Where the file says `lost` they are heard, and only the answer does not come.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(LocalConfig(root=f"{folder}/local"))
        self._folder = Path(folder)

    def submit(self, launch: Launch) -> Handle:
        with suppress(FileNotFoundError):
            lost = (self._folder / HOLD).read_text() == "lost"
            if lost:
                super().submit(launch)
            with (self._folder / TRIES).open("a") as file:
                file.write(f"{launch.name}\n")
            reason = Reason.TARGET_UNREACHABLE
            raise RunnerError("it does not answer", reason=reason, retry=True, unsure=lost)
        return super().submit(launch)


def run_host_far_away(folder: str, channel: Channel) -> RunHost:
    """Run attempts below *folder*, of whose submits not all are heard or answered."""
    return _run_host(folder, FolderFiles(f"{folder}/files"), channel, FarRunner(folder))


def _run_host(
    folder: str, files: AttemptFiles, channel: Channel, runner: LocalRunner | None = None
) -> RunHost:
    clock = SystemClock()
    parts = RunHostParts(
        runner=runner or LocalRunner(LocalConfig(root=f"{folder}/local")),
        files=files,
        clock=clock,
        metrics=PrometheusMetrics(),
    )
    return RunHost(parts, channel).start()


def build_host(folder: str, channel: Channel) -> BuildHost:
    """Fetch archives from *folder*'s `files`; the builder makes nothing of them."""
    from launchyard.adapters.archive.fetcher import ArchiveConfig, ArchiveFetcher  # noqa: PLC0415

    parts = BuildHostParts(
        builders={"venv": NoBuilder()},
        fetchers={"archive": ArchiveFetcher(ArchiveConfig())},
        files=FolderFiles(f"{folder}/files"),
        clock=SystemClock(),
        metrics=PrometheusMetrics(),
    )
    return BuildHost(parts, channel).start()


def broken_host(folder: str, channel: Channel) -> RunHost:
    """Fail as an adapter without its package does."""
    raise ImportError(f"no module for {folder}")
