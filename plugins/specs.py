"""The hooks. Each returns descriptors of adapters and does nothing else.

A descriptor says what an adapter is called, what it may be told and how it is made; listing
them imports no cloud SDK, because only `make` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from launchyard.domain.config.schema import Block
from launchyard.domain.documents import Json
from launchyard.plugins import hookspec
from launchyard.ports.builder import Builder
from launchyard.ports.runner import Runner
from launchyard.ports.source import SourceFetcher
from launchyard.ports.target import HostSpec, Target

P_co = TypeVar("P_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an adapter comes to live.

    `folder` exists and is its alone; `settings` are the values of its configuration block, already
    checked; `environment` are the agent's own variables.
    """

    folder: str
    settings: Mapping[str, Json] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetProvider(Provider[Runner]):
    """A kind of compute: `make` gives its runner, in a worker process of its own.

    `target` gives what the main process knows of it; it imports no SDK and reaches for nothing.
    """

    target: Callable[[Setting], Target]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderProvider(Provider[Builder]):
    """A way to turn source code into what a target can run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceProvider(Provider[SourceFetcher[Any]]):
    """A kind of place that source code comes from."""


@hookspec
def targets() -> Sequence[TargetProvider]:  # type: ignore[empty-body]
    """Return the targets that this plugin brings."""


@hookspec
def builders() -> Sequence[BuilderProvider]:  # type: ignore[empty-body]
    """Return the builders that this plugin brings."""


@hookspec
def sources() -> Sequence[SourceProvider]:  # type: ignore[empty-body]
    """Return the fetchers of source code that this plugin brings."""
