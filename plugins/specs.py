"""The hooks.

Most return descriptors of adapters and do nothing else; three are asked while an agent works:
`review_launch`, `can_accept` and `job_event`.

A descriptor says what an adapter is called, what it may be told and how it is made; listing
them imports no cloud SDK, because only `make` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from launchyard.domain.config.schema import Block
from launchyard.domain.documents import Json
from launchyard.domain.review import JobEvent, Question, Rejection, Review
from launchyard.plugins import hookspec
from launchyard.ports.builder import Builder
from launchyard.ports.cloud import CloudEnvironment
from launchyard.ports.launch_server import AttemptFiles, LaunchServer
from launchyard.ports.metrics import Metrics
from launchyard.ports.registry import Registry
from launchyard.ports.runner import Runner
from launchyard.ports.source import SourceFetcher
from launchyard.ports.target import HostSpec, Target

P_co = TypeVar("P_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an adapter comes to live.

    `folder` exists and is its alone; `settings` are the values of its configuration block, already
    checked; `environment` are the agent's own variables. `metrics` counts in the worker process
    that the adapter lives in; elsewhere there is none.
    """

    folder: str
    settings: Mapping[str, Json] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    metrics: Metrics | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider(Generic[P_co]):
    """A named way to make an adapter of the port `P_co`.

    `name` is what people write into configurations: lower-case letters, digits and dashes.
    `config` describes the keys that the agent's configuration may hold for it. `process` names
    the worker process that it lives in. `modules` are what `make` needs to import, and `extra` is
    the part of Launchyard (or the requirement) that brings them.
    """

    name: str
    doc: str
    config: Block
    make: Callable[[Place], P_co]
    process: str
    modules: tuple[str, ...] = ()
    extra: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a target is told in the agent's main process.

    `host` is the worker process that will make the runner, with the same `place`. `server` is the
    address that jobs may report to. No `run_s` means no limit.
    """

    place: Place
    host: HostSpec
    server: str = ""
    macro_env: tuple[str, ...] = ()
    run_s: float | None = None
    grace_s: float = 10.0
    log_quota_b: int = 64 * 1024 * 1024


def _nowhere(_environment: Mapping[str, str]) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetProvider(Provider[Runner]):
    """A kind of compute: `make` gives its runner, in a worker process of its own.

    `target` gives what the main process knows of it; it imports no SDK and reaches for nothing.
    It may raise ValueError for settings that it cannot work with. One that is only there
    `when_configured` needs its block under `targets` in the agent's configuration; on a W&B server,
    whose configurations have no such blocks, it is tried as well if it is `present`: the agent's
    variables, or a file, tell that this machine has it. `submits` is how many calls of `submit` may
    be under way at a time.
    """

    target: Callable[[Setting], Target]
    when_configured: bool = False
    present: Callable[[Mapping[str, str]], bool] = _nowhere
    submits: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderProvider(Provider[Builder]):
    """A way to turn source code into what a target can run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceProvider(Provider[SourceFetcher[Any]]):
    """A kind of place that source code comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentProvider(Provider[CloudEnvironment]):
    """A cloud, or another place with credentials of its own: `environment.type` names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryProvider(Provider[Registry]):
    """A kind of image registry: `registry.type` names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchServerProvider(Provider[LaunchServer]):
    """A kind of server that an agent works for.

    The settings of its place hold `server`, the address, `key`, and what the agent's
    configuration says (`max_schedulers`, `stopped_run_timeout_s`). `files` makes, in a worker
    process, what takes the bytes of attempts; its place has the same folder, and is told the same.
    """

    files: Callable[[Place], AttemptFiles]


@hookspec
def environments() -> Sequence[EnvironmentProvider]:  # type: ignore[empty-body]
    """Return the clouds that this plugin brings."""


@hookspec
def registries() -> Sequence[RegistryProvider]:  # type: ignore[empty-body]
    """Return the image registries that this plugin brings."""


@hookspec
def launch_servers() -> Sequence[LaunchServerProvider]:  # type: ignore[empty-body]
    """Return the kinds of server that this plugin speaks to."""


@hookspec
def review_launch(review: Review, settings: Mapping[str, Json]) -> Review | Rejection | None:
    """Judge a launch, when it is planned and again when an agent has claimed it.

    None lets it pass; a `Rejection` ends it; a `Review` with another spec or config takes its
    place. Whatever goes wrong in here refuses the launch.
    """


@hookspec
def can_accept(question: Question, settings: Mapping[str, Json]) -> Rejection | None:
    """Say why this agent must take no work for a target now; None when it may.

    It is asked every few seconds, for each target. Whatever goes wrong in here is a no.
    """


@hookspec
def job_event(event: JobEvent, settings: Mapping[str, Json]) -> None:
    """Hear of a step of an attempt.

    Each plugin hears the events in their order, in a thread of its own. One that is too far behind
    misses some, and no job ever waits for one.
    """


@hookspec
def targets() -> Sequence[TargetProvider]:  # type: ignore[empty-body]
    """Return the targets that this plugin brings."""


@hookspec
def builders() -> Sequence[BuilderProvider]:  # type: ignore[empty-body]
    """Return the builders that this plugin brings."""


@hookspec
def sources() -> Sequence[SourceProvider]:  # type: ignore[empty-body]
    """Return the fetchers of source code that this plugin brings."""
