"""Which adapter speaks to the agent's server: the address tells its dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from launchyard.adapters.system.folder import StateFolder
from launchyard.domain.config.model import AgentConfig
from launchyard.domain.documents import Json
from launchyard.domain.wandb_address import is_wandb, wandb_url
from launchyard.plugins.builtin_client import NAME as OURS
from launchyard.plugins.builtin_wandb import NAME as WANDB
from launchyard.plugins.manager import Plugins
from launchyard.plugins.specs import LaunchServerProvider, Place
from launchyard.ports.launch_server import AttemptFiles, LaunchServer


class ServerPluginError(Exception):
    """Nothing speaks to the server, because its plugin is denied."""


class AgentServer:
    """The server that one agent works for; its adapter keeps its things in the state folder."""

    def __init__(self, url: str, key: str, state: StateFolder, config: AgentConfig) -> None:
        self._url, self._key = url, key
        self.is_wandb = is_wandb(url)
        self.folder = state.below(WANDB) if self.is_wandb else ""
        self._told: dict[str, Json] = {
            "max_schedulers": config.max_schedulers,
            "stopped_run_timeout_s": config.stopped_run_timeout_s,
        }
        self._leave: Callable[[], None] | None = None

    @property
    def jobs_url(self) -> str:
        """The address that jobs report to as ours; a W&B server's is told in its own way."""
        return "" if self.is_wandb else self._url

    def make(self, plugins: Plugins) -> LaunchServer:
        """Return the server, as its plugin knows it.

        Raises:
            ServerPluginError: the plugin is denied.
        """
        place = server_place(self._url, self._key, self.folder, self._told)
        made = _provider(plugins, self._url).make(place)
        self._leave = getattr(made, "close", None)
        return made

    def close(self) -> None:
        """Take leave of it, where the agent itself could not."""
        if self._leave is not None:
            self._leave()


def attempt_files(plugins: Plugins, server: str, place: Place) -> AttemptFiles:
    """Return what takes the bytes of attempts there.

    Raises:
        ServerPluginError: the plugin is denied.
    """
    return _provider(plugins, server).files(place)


def server_place(
    server: str, key: str, folder: str, settings: Mapping[str, Json] | None = None
) -> Place:
    """Return what the adapter in front of *server* is told; *folder* is its alone."""
    url = wandb_url(server, "") if is_wandb(server) else server
    return Place(folder=folder, settings={**(settings or {}), "server": url, "key": key})


def _provider(plugins: Plugins, server: str) -> LaunchServerProvider:
    name, plugin = (WANDB, WANDB) if is_wandb(server) else (OURS, "client")
    provider = plugins.launch_servers.get(name)
    if provider is None:
        raise ServerPluginError(
            f"nothing speaks to the server; remove `{plugin}` from plugins.deny"
        )
    return provider
