"""The agent's main process, wired from its configuration."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from platform import python_version
from typing import Final

from launchyard.actors.agent import Agent, AgentParts
from launchyard.actors.desk import BUILD, Rules
from launchyard.actors.identity import Identity
from launchyard.adapters.http.operations import (
    OperationsConfig,
    OperationsEndpoint,
    OperationsError,
)
from launchyard.adapters.http.operations_pages import OperationsViews, pages
from launchyard.adapters.prometheus.exposition import Exposition, MetricsError
from launchyard.adapters.prometheus.fleet import Fleet
from launchyard.adapters.prometheus.metrics import PrometheusMetrics
from launchyard.adapters.sqlite.journal import SqliteJournal, set_aside
from launchyard.adapters.system.clock import SystemClock
from launchyard.adapters.system.folder import FolderError, StateFolder, default_state
from launchyard.bootstrap.hosts import (
    BUILD_ENTRY,
    BuildHostSpec,
    HostSettings,
)
from launchyard.bootstrap.logs import LogSettings, set_level, set_up
from launchyard.bootstrap.policy import (
    PluginMissingError,
    TargetSettingsError,
    check_required,
    outgoing,
    plugin_rules,
    required,
)
from launchyard.bootstrap.reload import change, level, rules
from launchyard.bootstrap.servers import AgentServer, ServerPluginError
from launchyard.bootstrap.targets import Surroundings, made_targets
from launchyard.bootstrap.tidying import tidied
from launchyard.domain.config.model import AgentConfig
from launchyard.plugins.manager import Plugins
from launchyard.plugins.policy import PluginPolicy
from launchyard.ports import events, families
from launchyard.ports.journal import JournalError
from launchyard.ports.plugins import Fault
from launchyard.ports.target import HostSpec

_log = logging.getLogger(__name__)
_BUSY: Final = 6
_BROKEN: Final = 1
_CONFIG: Final = 3
_SIGNALS: Final = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
)
_LAST_POSTS_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOptions:
    """What a start of the agent brings beside its configuration.

    *server* is the address that is used, whatever the configuration says. *operations_port* None
    leaves it to the configuration. *reload* reads the configuration again, for SIGHUP.
    """

    server: str = ""
    key: str = field(default="", repr=False)
    key_file: str = ""
    log_file: str = ""
    operations_port: int | None = None
    rebuild_journal: bool = False
    reload: Callable[[], AgentConfig] | None = None
    folder_wait_s: float = 10.0


def run_agent(config: AgentConfig, options: AgentOptions) -> int:
    """Be an agent until it is drained; return the exit code (`docs/cli.md` lists them)."""
    try:
        set_up(_log_settings(config, options, "main"))
    except OSError as e:
        return _fail(f"the log {options.log_file} cannot be written: {e.strerror}", _BROKEN)
    name = config.name or socket.gethostname()
    try:
        place = config.state_dir or default_state(name)
        with (
            StateFolder(place, options.folder_wait_s) as folder,
            tidied(folder.path, config.retention.venvs_s),
        ):
            return _in_folder(config, options, folder)
    except FolderError as e:
        return _fail(str(e), _BUSY)
    except JournalError as e:
        return _fail(str(e), _BROKEN)
    except OperationsError as e:
        return _fail(str(e), _BUSY)
    except (MetricsError, PluginMissingError, ServerPluginError, TargetSettingsError) as e:
        return _fail(str(e), _CONFIG)


def _in_folder(config: AgentConfig, options: AgentOptions, folder: StateFolder) -> int:
    if options.rebuild_journal and (aside := set_aside(folder.path)):
        events.JOURNAL_ASIDE.log(_log, file=aside)
    plan = _Wiring(config, options, folder)
    agent = Agent(plan.parts())
    endpoint = plan.endpoint(agent)
    for number in _SIGNALS:
        signal.signal(number, lambda n, _frame: agent.signal(n))
    endpoint.start()
    try:
        code, text = agent.run()
    finally:
        endpoint.stop()
        plan.close()
    return _fail(text, code) if text else code


def _fail(text: str, code: int) -> int:
    prefix = "error" if code else "note"
    sys.stderr.write(f"{prefix}: {text}\n")
    return code


def _log_settings(config: AgentConfig, options: AgentOptions, process: str) -> LogSettings:
    return LogSettings(
        level=level(config), format=config.log_format, file=options.log_file, process=process
    )


class _Wiring:
    """Puts the parts of one agent together."""

    def __init__(self, config: AgentConfig, options: AgentOptions, folder: StateFolder) -> None:
        self._config, self._options, self._folder = config, options, folder
        self._server = options.server or config.server or ""
        self._remote = AgentServer(self._server, options.key, folder, config, options.key_file)
        self._metrics = PrometheusMetrics()
        self._environment = dict(os.environ)
        self._outgoing = outgoing(config, self._metrics)
        self._plugins = Plugins(plugin_rules(config, self._outgoing), self._note_fault)
        self._policy = PluginPolicy(self._plugins, self._metrics)

    def parts(self) -> AgentParts:
        """Return everything that the actors need.

        Raises:
            PluginMissingError: a plugin that must be there is not.
            JournalError: the journal is damaged or cannot be written.
            FolderError: a folder cannot be made.
        """
        config = self._config
        check_required(self._plugins, required(config))
        targets = made_targets(
            self._plugins.targets.values(),
            Surroundings(config, self._remote, self._folder, self._environment, self._common),
        )
        self._metrics.prepare(families.AGENT_FAMILIES, config.queues, targets)
        what = {"component": "agent", "version": version("launchyard"), "python": python_version()}
        self._metrics.gauge(families.BUILD_INFO, 1, what)
        self._note_reload(ok=True)
        return AgentParts(
            identity=Identity(
                name=config.name or socket.gethostname(),
                entity=config.entity or "",
                queues=config.queues,
                version=version("launchyard"),
                server=self._server,
            ),
            server=self._remote.make(self._plugins),
            journal=SqliteJournal(self._folder.path),
            clock=SystemClock(),
            metrics=self._metrics,
            targets=targets,
            build=self._build_host(),
            rules=rules(config, self._folder.below("jobs"), self._server),
            keep=(self._folder.fd,),
            reload=self._reload if self._options.reload is not None else None,
            policy=self._policy,
            look_s=config.host_guard.interval_s,
        )

    def close(self) -> None:
        """Take leave of the server, and let events out that are still on their way."""
        self._remote.close()
        if self._outgoing is not None:
            self._outgoing.close(_LAST_POSTS_S)

    def endpoint(self, agent: Agent) -> OperationsEndpoint:
        """Return the operations endpoint, bound to its port.

        Raises:
            OperationsError: the port is taken.
        """
        fleet = Fleet(self._metrics)
        exposition = Exposition(fleet, self._environment, lambda: _refresh(agent, fleet))
        given = self._options.operations_port
        port = self._config.operations.port if given is None else given
        where = OperationsConfig(host=self._config.operations.host, port=port)
        views = OperationsViews(agent=agent.view, metrics=exposition.render)
        return OperationsEndpoint(where, pages(views))

    def _build_host(self) -> HostSpec:
        config = self._config
        spec = BuildHostSpec(
            common=self._common("build"),
            folder=self._folder.below("build"),
            settings={
                "git": {"most_b": config.source_limit_b},
                **({config.builder.type: config.builder.extra} if config.builder.type else {}),
            },
            most=config.max_builds,
            timeout_s=config.build_timeout_s,
        )
        return HostSpec(name=BUILD, entry=BUILD_ENTRY, spec=spec)

    def _common(self, role: str) -> HostSettings:
        return HostSettings(
            role=role,
            server=self._server,
            key=self._options.key,
            key_file=self._options.key_file,
            log=_log_settings(self._config, self._options, role),
            allow=self._config.plugins.allow,
            deny=self._config.plugins.deny,
            server_folder=self._remote.folder,
        )

    def _note_fault(self, fault: Fault) -> None:
        events.PLUGIN_FAULT.log(_log, plugin=fault.plugin, error=fault.message)
        labels = {"plugin": fault.plugin, "hook": fault.hook or "load"}
        self._metrics.count(families.PLUGIN_ERRORS, labels)

    def _note_reload(self, *, ok: bool) -> None:
        self._metrics.gauge(families.RELOAD_OK, float(ok))
        if ok:
            self._metrics.gauge(families.RELOADED_AT, time.time())

    def _reload(self) -> Rules:
        """Read the configuration again, and say which changes wait for the next start."""
        if self._options.reload is not None:
            self._note_reload(ok=False)
            found = change(self._config, self._options.reload())
            self._note_reload(ok=True)
            self._config = found.now
            set_level(level(found.now))
            events.CONFIG_READ.log(_log, keys=", ".join(found.taken) or "nothing new")
            if found.waiting:
                events.CONFIG_WAITS.log(_log, keys=", ".join(found.waiting))
        return rules(self._config, self._folder.below("jobs"), self._server)


def _refresh(agent: Agent, fleet: Fleet) -> None:
    """Bring the numbers up to date: ours, and those of the worker processes."""
    agent.view.refresh()
    for role, (generation, snapshot) in agent.numbers().items():
        fleet.heard(role, generation, snapshot)
