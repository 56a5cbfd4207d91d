"""Which targets an agent serves: those that are always there, are configured, or are found."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from launchyard.adapters.system.folder import StateFolder
from launchyard.bootstrap.hosts import RUN_ENTRY, HostSettings, RunHostSpec
from launchyard.bootstrap.policy import TargetSettingsError
from launchyard.bootstrap.servers import AgentServer
from launchyard.domain.config.model import AgentConfig
from launchyard.plugins.factory import absent
from launchyard.plugins.specs import Place, Setting, TargetProvider
from launchyard.ports import events
from launchyard.ports.target import HostSpec, Target

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What targets are made from; `common` gives what every process of a role is told."""

    config: AgentConfig
    server: AgentServer
    folder: StateFolder
    environment: Mapping[str, str]
    common: Callable[[str], HostSettings]


def made_targets(providers: Iterable[TargetProvider], around: Surroundings) -> Mapping[str, Target]:
    """Return the targets of an agent by their names.

    Raises:
        TargetSettingsError: one that is configured cannot be used.
        FolderError: a folder cannot be made.
    """
    made = {}
    for provider in providers:
        if not provider.when_configured or provider.name in around.config.named_targets:
            made[provider.name] = _made(provider, around)
        elif around.server.is_wandb and (target := _found(provider, around)) is not None:
            made[provider.name] = target
    return made


def _made(provider: TargetProvider, around: Surroundings) -> Target:
    try:
        return _target(provider, around)
    except ValueError as e:
        raise TargetSettingsError(f"the target {provider.name} cannot be used: {e}") from None


def _found(provider: TargetProvider, around: Surroundings) -> Target | None:
    """Return a target that nobody configured, if this machine has it."""
    if absent(provider) or not provider.present(around.environment):
        return None
    try:
        return _target(provider, around)
    except ValueError as e:
        events.TARGET_LEFT_OUT.log(_log, target=provider.name, error=e)
        return None


def _target(provider: TargetProvider, around: Surroundings) -> Target:
    config, name = around.config, provider.name
    folder = around.folder.below(name)
    settings = config.targets.get(name, {})
    spec = RunHostSpec(
        common=around.common(provider.process),
        target=name,
        folder=folder,
        settings=settings,
        launchers=provider.submits,
    )
    return provider.target(
        Setting(
            place=Place(folder=folder, settings=settings, environment=around.environment),
            host=HostSpec(name=name, entry=RUN_ENTRY, spec=spec),
            server=around.server.jobs_url,
            macro_env=config.macro_env,
            run_s=config.run_timeout_s,
            grace_s=config.cancel_grace_s,
            log_quota_b=config.log_quota_b,
        )
    )
