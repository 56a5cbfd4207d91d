"""What runs in the worker processes: their entries, named by the main process and wired here."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from launchyard.actors.build_host import BuildHost, BuildHostParts
from launchyard.actors.child import Channel
from launchyard.actors.run_host import RunHost, RunHostParts
from launchyard.adapters.prometheus.metrics import MetricsConfig, PrometheusMetrics
from launchyard.adapters.system.clock import SystemClock
from launchyard.adapters.system.scheduling import yield_to_others
from launchyard.bootstrap.logs import LogSettings, set_up
from launchyard.bootstrap.servers import attempt_files, key_source, server_place
from launchyard.domain.documents import Json
from launchyard.plugins.builtin_wandb_sources import NAME as JOBS
from launchyard.plugins.factory import FactoryError, make
from launchyard.plugins.manager import Plugins, Rules
from launchyard.plugins.specs import Place, Provider
from launchyard.ports import events
from launchyard.ports.launch_server import AttemptFiles

A = TypeVar("A")
_log = logging.getLogger(__name__)
BUILD_ENTRY = "launchyard.bootstrap.hosts:build_host"
RUN_ENTRY = "launchyard.bootstrap.hosts:run_host"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """What every worker process needs: its server, its key, its log, and which plugins count.

    *server_folder* is where the main process's adapter of the server keeps its things; *key_file*
    is where the key may be replaced.
    """

    role: str
    server: str
    key: str = field(repr=False)
    log: LogSettings
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    server_folder: str = ""
    key_file: str = ""

    def files(self, plugins: Plugins) -> AttemptFiles:
        """Return what takes the bytes of attempts."""
        return attempt_files(plugins, self.server, self.server_place(self.server_folder))

    def server_place(self, folder: str) -> Place:
        """Return what an adapter in front of the server is told; *folder* is its alone."""
        return server_place(self.server, self.key, folder, key_source(self.key_file))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHostSpec:
    """The run host of one target; *folder* is the target's alone."""

    common: HostSettings
    target: str
    folder: str
    settings: Mapping[str, Json] = field(default_factory=dict)
    launchers: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildHostSpec:
    """The build host; each builder and fetcher gets a folder of its own below *folder*."""

    common: HostSettings
    folder: str
    settings: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    most: int = 2
    timeout_s: float = 3600.0


def run_host(spec: RunHostSpec, channel: Channel) -> RunHost:
    """Make and start a target's run host."""
    common = spec.common
    set_up(common.log)
    plugins = _plugins(common)
    provider = plugins.targets[spec.target]
    metrics = PrometheusMetrics(MetricsConfig(process=common.role))
    place = Place(
        folder=spec.folder,
        settings=spec.settings,
        environment=dict(os.environ),
        metrics=metrics,
    )
    runner = make(provider, place)
    yield_to_others()  # no sooner: the local runner's jobs get what policy it found
    parts = RunHostParts(
        runner=runner,
        files=common.files(plugins),
        clock=SystemClock(),
        metrics=metrics,
        launchers=spec.launchers,
    )
    return RunHost(parts, channel).start()


def build_host(spec: BuildHostSpec, channel: Channel) -> BuildHost:
    """Make and start the build host, with every builder and fetcher that can be made."""
    common = spec.common
    set_up(common.log)
    plugins = _plugins(common)
    broken: dict[str, str] = {}
    parts = BuildHostParts(
        builders=_made(spec, plugins.builders, broken),
        fetchers=_made(spec, plugins.sources, broken),
        broken=broken,
        files=common.files(plugins),
        clock=SystemClock(),
        metrics=PrometheusMetrics(MetricsConfig(process=common.role)),
        most=spec.most,
        timeout_s=spec.timeout_s,
    )
    return BuildHost(parts, channel).start()


def _made(
    spec: BuildHostSpec, providers: Mapping[str, Provider[A]], broken: dict[str, str]
) -> dict[str, A]:
    """Make all that can be made: one that cannot costs those alone who ask for it."""
    made: dict[str, A] = {}
    for name, provider in providers.items():
        try:
            made[name] = make(provider, _place(spec, name))
        except FactoryError as e:
            events.BUILDER_UNUSABLE.log(_log, error=e)
            broken[name] = f"this agent's {e}"
    return made


def _plugins(common: HostSettings) -> Plugins:
    return Plugins(Rules(allow=common.allow, deny=common.deny))


def _place(spec: BuildHostSpec, name: str) -> Place:
    folder = os.path.join(spec.folder, name)  # noqa: PTH118 - the port wants a text
    os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
    settings = spec.settings.get(name, {})
    if name == JOBS:
        told = spec.common.server_place("").settings
        settings = {**settings, **told}
    return Place(folder=folder, settings=settings, environment=dict(os.environ))
