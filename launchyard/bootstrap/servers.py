"""Which adapter speaks to the agent's server: the address tells its dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from launchyard.adapters.system.folder import StateFolder
from launchyard.domain.config.model import AgentConfig
from launchyard.domain.documents import Json
from launchyard.domain.server_address import OURS, dialect, plain_address
from launchyard.domain.wandb_address import WORD
from launchyard.plugins.manager import Plugins
from launchyard.plugins.specs import LaunchServerProvider, Place
from launchyard.ports.launch_server import AttemptFiles, LaunchServer


class ServerPluginError(Exception):
    """Nothing speaks to the server: its plugin is denied, or not installed."""


class AgentServer:
    """The server that one agent works for; its adapter keeps its things in the state folder."""

    def __init__(
        self, url: str, key: str, state: StateFolder, config: AgentConfig, key_file: str = ""
    ) -> None:
        self._url, self._key = url, key
        self._dialect = dialect(url)
        self.folder = "" if self._dialect == OURS else state.below(self._dialect)
        self._told: dict[str, Json] = {
            "max_schedulers": config.max_schedulers,
            "stopped_run_timeout_s": config.stopped_run_timeout_s,
            **key_source(key_file),
        }
        self._leave: Callable[[], None] | None = None

    @property
    def is_wandb(self) -> bool:
        """Whether it is a W&B server."""
        return self._dialect == WORD

    @property
    def jobs_url(self) -> str:
        """The address that jobs report to as ours; a W&B server's is told in its own way."""
        return self._url if self._dialect == OURS else ""

    def make(self, plugins: Plugins) -> LaunchServer:
        """Return the server, as its plugin knows it.

        Raises:
            ServerPluginError: its plugin is denied or not installed.
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
        ServerPluginError: its plugin is denied or not installed.
    """
    return _provider(plugins, server).files(place)


def server_place(
    server: str, key: str, folder: str, settings: Mapping[str, Json] | None = None
) -> Place:
    """Return what the adapter in front of *server* is told; *folder* is its alone."""
    told: dict[str, Json] = {"server": plain_address(server), "key": key}
    return Place(folder=folder, settings={**(settings or {}), **told})


def key_source(file: str) -> dict[str, Json]:
    """Return what an adapter is told of the file that its key came from, if it came from one."""
    return {"key_file": file} if file else {}


def _provider(plugins: Plugins, server: str) -> LaunchServerProvider:
    name = dialect(server)
    provider = plugins.launch_servers.get(name)
    if provider is not None:
        return provider
    known = {WORD: "wandb", OURS: "client"}
    remedy = "install the plugin that does; `launchyard plugins` shows which there are"
    if name in known:
        remedy = f"remove `{known[name]}` from plugins.deny"
    raise ServerPluginError(f"nothing speaks to `{name}` servers here; {remedy}")
