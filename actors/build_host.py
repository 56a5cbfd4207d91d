"""The worker process that fetches source code and builds what attempts run in."""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from launchyard.actors.build_log import BuildLog, BuildLogRules
from launchyard.actors.child import Channel
from launchyard.actors.crashpoints import reach
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.messages import (
    Build,
    BuildDone,
    BuildFailed,
    CancelBuild,
    Discard,
    FromHost,
    Numbers,
    Ping,
    Pong,
    Ref,
    TellNumbers,
    ToHost,
)
from launchyard.actors.role import Crew, Role
from launchyard.domain.reason import Reason
from launchyard.domain.spec import ArchiveSource, GitSource, JobSource, NoSource, Source
from launchyard.ports import events, families
from launchyard.ports.builder import Builder, BuildError, Built
from launchyard.ports.clock import Clock
from launchyard.ports.launch_server import AttemptFiles, ServerError
from launchyard.ports.metrics import Metrics
from launchyard.ports.source import (
    ArchiveRequest,
    Fetched,
    GitRequest,
    JobRequest,
    SourceError,
    SourceFetcher,
)
from launchyard.ports.target import BuildJob

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildHostParts:
    """What a build host is made of; `builders` and `fetchers` by their names.

    `broken` says of those that could not be made why; what asks for one of them fails with that.
    """

    builders: Mapping[str, Builder]
    fetchers: Mapping[str, SourceFetcher[Any]]
    broken: Mapping[str, str] = field(default_factory=dict)
    files: AttemptFiles
    clock: Clock
    metrics: Metrics
    most: int = 2
    timeout_s: float = 3600.0
    log: BuildLogRules = field(default_factory=BuildLogRules)


class BuildHost:
    """A pool of workers, and the wishes to stop a build."""

    def __init__(self, parts: BuildHostParts, channel: Channel) -> None:
        self._parts, self._channel = parts, channel
        self.crew = Crew("build", parts.clock.boottime)
        failed = families.ACTOR_FAILURES
        self.crew.on_restart = lambda name: parts.metrics.count(failed, {"actor": name})
        self._pool = [Mailbox[Build | Discard]() for _ in range(parts.most)]
        self._lock = threading.Lock()
        self._stops: dict[Ref, threading.Event] = {}
        self._under_way = Counter[str]()

    def start(self) -> BuildHost:
        """Start every worker; return this host."""
        for number, mailbox in enumerate(self._pool):
            self._hire(f"builder-{number}", mailbox)
        return self

    def _hire(self, name: str, mailbox: Mailbox[Build | Discard]) -> None:
        self.crew.hire(name, mailbox, lambda: BuildWorker.start(mailbox, self, self._parts))

    def handle(self, messages: Sequence[ToHost]) -> None:
        """Sort *messages* into mailboxes; in the process's main thread."""
        for message in messages:
            match message:
                case Build(ref):
                    self._begin(ref, message)
                case CancelBuild(ref):
                    with self._lock:
                        if ref in self._stops:
                            self._stops[ref].set()
                case Discard():
                    self._give(message)
                case Ping(number):
                    self.crew.check()
                    self.say(Pong(number))
                case TellNumbers(number):
                    self.say(Numbers(number, self._parts.metrics.snapshot(), self.crew.views()))
                case _:
                    events.MESSAGE_UNKNOWN.log(_log, who="a build host", what=message)

    def _begin(self, ref: Ref, wish: Build) -> None:
        with self._lock:
            if ref in self._stops and not self._stops[ref].is_set():
                return
            self._stops[ref] = threading.Event()
        self._give(wish)

    def _give(self, letter: Build | Discard) -> None:
        min(self._pool, key=lambda mailbox: (len(mailbox), bool(mailbox.doing))).put(letter)

    def stop_of(self, ref: Ref) -> threading.Event:
        """Return the event that stops this build."""
        with self._lock:
            return self._stops.setdefault(ref, threading.Event())

    @contextlib.contextmanager
    def counted(self, builder: str) -> Iterator[None]:
        """Show a build as one that is under way; several may be, with one builder, too."""
        self._count(builder, 1)
        try:
            yield
        finally:
            self._count(builder, -1)

    def _count(self, builder: str, by: int) -> None:
        with self._lock:
            self._under_way[builder] += by
            now = self._under_way[builder]
            self._parts.metrics.gauge(families.BUILDS_IN_PROGRESS, now, {"builder": builder})

    def say(self, message: FromHost) -> None:
        """Send *message* to the main process; any thread may."""
        self._channel.send(message)

    def finish(self, ref: Ref, message: FromHost) -> None:
        """Tell the end of a build."""
        with self._lock:
            self._stops.pop(ref, None)
        self.say(message)


class BuildWorker(Role[Build | Discard]):
    """Carries out one build after another, in its own thread; clears away between them."""

    def __init__(
        self, mailbox: Mailbox[Build | Discard], host: BuildHost, parts: BuildHostParts
    ) -> None:
        super().__init__(mailbox)
        self._host, self._parts = host, parts

    def work(self, letters: Sequence[Build | Discard]) -> None:
        for letter in letters:
            if isinstance(letter, Discard):
                shutil.rmtree(letter.folder, ignore_errors=True)
                continue
            self.mailbox.doing = f"builds for {letter.ref.item}"
            try:
                self._build(letter)
            except Exception as e:
                detail = f"the builder broke: {type(e).__name__}: {e}"
                self._host.finish(letter.ref, BuildFailed(letter.ref, Reason.AGENT_ERROR, detail))
                raise

    def _build(self, wish: Build) -> None:
        metrics, began = self._parts.metrics, self._parts.clock.boottime()
        builder = {"builder": wish.job.builder or "none"}
        log = BuildLog(self._parts.files, metrics, wish.ref, self._parts.log)
        stop = self._host.stop_of(wish.ref)
        end: BuildDone | BuildFailed
        with self._host.counted(builder["builder"]):
            try:
                end = self._made(wish.ref, wish.job, log, stop.is_set)
            except (SourceError, BuildError) as e:
                log.write(f"{e}\n".encode())
                end = BuildFailed(wish.ref, e.reason, str(e), e.retry)
            finally:
                missing = log.close()
        end = _with_log(end, missing)
        outcome = {**builder, "outcome": _outcome(end)}
        spent_s = self._parts.clock.boottime() - began
        metrics.observe(families.BUILD_DURATION, spent_s, outcome)
        cache = end.built.cache if isinstance(end, BuildDone) else "none"
        metrics.count(families.BUILDS_FINISHED, {**outcome, "cache": cache})
        self._host.finish(wish.ref, end)

    def _made(
        self, ref: Ref, job: BuildJob, log: BuildLog, cancelled: Callable[[], bool]
    ) -> BuildDone:
        folder = self._fetched(job, log, cancelled)
        if job.request is None:
            return BuildDone(ref, Built(cache="none"), folder)
        builder = self._builder(job.builder)
        source = folder if job.request.source else ""
        request = replace(job.request, source=source, timeout_s=self._parts.timeout_s)
        reach("build.before_call")
        built = builder.build(request, log.write, cancelled)
        reach("build.after_call")
        return BuildDone(ref, built, folder)

    def _builder(self, name: str) -> Builder:
        builder = self._parts.builders.get(name)
        if builder is None:
            known = ", ".join(self._parts.builders) or "none"
            missing = f"this agent has no builder {name}; it has {known}"
            text = self._parts.broken.get(name, missing)
            raise BuildError(text, reason=Reason.BUILDER_MISSING)
        return builder

    def _fetched(self, job: BuildJob, log: BuildLog, cancelled: Callable[[], bool]) -> str:
        """Bring the source into its folder; what an interrupted fetch left there goes first."""
        kind, request = self._request(job.source)
        if kind == "":
            return job.into
        fetcher = self._parts.fetchers.get(kind)
        if fetcher is None:
            text = self._parts.broken.get(kind, f"this agent cannot fetch {kind} sources")
            raise SourceError(text, reason=Reason.SOURCE_REFUSED)
        into = Path(job.into)
        try:
            shutil.rmtree(into, ignore_errors=True)
            into.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as e:
            text = f"the folder {into.parent} cannot be made: {e.strerror}"
            raise SourceError(text, reason=Reason.DISK_FULL) from e
        reach("fetch.before_call")
        fetched: Fetched = fetcher.fetch(
            request, job.into, timeout_s=self._parts.timeout_s, cancelled=cancelled
        )
        reach("fetch.after_call")
        log.write(f"source: {kind} {fetched.revision}\n".encode())
        return fetched.folder

    def _request(self, source: Source) -> tuple[str, Any]:
        """Return the name of the fetcher and what to ask of it."""
        files = self._parts.files
        match source:
            case NoSource():
                return "", None
            case GitSource(url, ref, subdir):
                return "git", GitRequest(url=url, ref=ref, subdir=subdir)
            case ArchiveSource(sha256):
                return "archive", ArchiveRequest(sha256=sha256, open=lambda: _opened(files, sha256))
            case JobSource(name):
                return "wandb-job", JobRequest(name=name)
            case _:
                raise SourceError(
                    f"this agent cannot fetch {type(source).__name__} sources",
                    reason=Reason.SOURCE_REFUSED,
                )


def _opened(files: AttemptFiles, sha256: str) -> Any:
    try:
        return files.open_archive(sha256)
    except ServerError as e:
        raise SourceError(str(e), reason=Reason.SOURCE_UNREACHABLE, retry=e.retry) from e


def _with_log(end: BuildDone | BuildFailed, missing: str) -> BuildDone | BuildFailed:
    """Return *end* with what its log lacks; people hear of it where they look for the reason."""
    if not missing:
        return end
    events.LOG_CUT.log(_log, item=end.ref.item, error=missing)
    return end if isinstance(end, BuildDone) else replace(end, detail=f"{end.detail}; {missing}")


def _outcome(end: BuildDone | BuildFailed) -> str:
    if isinstance(end, BuildDone):
        return "succeeded"
    ends = {Reason.CANCELLED: "cancelled", Reason.BUILD_TIMEOUT: "timed_out"}
    return ends.get(end.reason, "failed")
