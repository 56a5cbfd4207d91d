"""The plugins that an agent's configuration asks for: which, with what, and which must be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from launchyard.adapters.system.machine import LinuxMachine
from launchyard.domain.config.model import AgentConfig
from launchyard.domain.documents import Json
from launchyard.domain.review import Review, Reviewed
from launchyard.plugins.builtin_policy import HOST_GUARD, SECURE_MODE, configured
from launchyard.plugins.manager import Plugins, Rules
from launchyard.plugins.policy import PluginPolicy
from launchyard.ports.metrics import Metrics
from launchyard.ports.webhook import Outgoing

if TYPE_CHECKING:
    from launchyard.adapters.webhook.sender import WebhookSender


class PluginMissingError(Exception):
    """A plugin that must be there is not; the message says why, and the remedy."""


class TargetSettingsError(Exception):
    """A target cannot work with its settings; the message says why, and the remedy."""


def plugin_rules(config: AgentConfig, out: Outgoing | None = None) -> Rules:
    """Return which plugins *config* wants, with what they are told."""
    return Rules(
        allow=config.plugins.allow,
        deny=config.plugins.deny,
        extra=configured(config, LinuxMachine(), out),
        settings=_settings(config.plugins.settings),
    )


def reviewed(review: Review, config: AgentConfig | None) -> Reviewed:
    """Ask the reviewers that *config* sets up; without one, those that are installed."""
    rules = plugin_rules(config) if config is not None else Rules()
    return PluginPolicy(Plugins(rules)).review(review)


def required(config: AgentConfig) -> Sequence[str]:
    """Return the plugins without which nothing must run: those named, and rules switched on."""
    rules = [SECURE_MODE] * config.secure_mode + [HOST_GUARD] * config.host_guard.asks
    return (*config.plugins.require, *rules)


def check_required(plugins: Plugins, names: Sequence[str]) -> None:
    """See that the plugins *names* are on.

    Raises:
        PluginMissingError: one is not.
    """
    found = {view.name: view for view in plugins.listing()}
    for name in names:
        view = found.get(name)
        if view is None:
            raise PluginMissingError(
                f"the plugin {name} is required and not installed; install it where the agent"
                " runs, or remove it from `plugins.require`"
            )
        if view.state != "on":
            why = view.faults[-1] if view.faults else f"is {view.state}"
            raise PluginMissingError(
                f"the plugin {name} is required and {why}; `launchyard plugins` tells more"
            )


def outgoing(config: AgentConfig, metrics: Metrics) -> WebhookSender | None:
    """Return what posts events, where there is an address for them."""
    hook = config.webhook
    if not hook.url or not hook.secret:
        return None
    # An agent without a webhook loads no TLS.
    from launchyard.adapters.webhook.address import Networks  # noqa: PLC0415
    from launchyard.adapters.webhook.post import Receiver  # noqa: PLC0415
    from launchyard.adapters.webhook.sender import SenderConfig, WebhookSender  # noqa: PLC0415

    receiver = Receiver(
        url=hook.url,
        secret=hook.secret,
        networks=Networks.of(hook.allow),
        timeout_s=hook.timeout_s,
    )
    states = frozenset(hook.states)
    return WebhookSender(SenderConfig(receiver=receiver, states=states, tries=hook.tries), metrics)


def _settings(given: Mapping[str, Json] | None) -> Mapping[str, Mapping[str, Json]]:
    return {name: value for name, value in (given or {}).items() if isinstance(value, dict)}
