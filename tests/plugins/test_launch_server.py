"""Servers of other kinds: a plugin speaks to them, and their address names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from launchyard.adapters.client.files import RestAttemptFiles
from launchyard.adapters.client.server import RestLaunchServer
from launchyard.adapters.system.folder import StateFolder
from launchyard.bootstrap.servers import (
    AgentServer,
    ServerPluginError,
    attempt_files,
    server_place,
)
from launchyard.domain.config.check import check
from launchyard.domain.config.problem import Marked
from launchyard.domain.config.schema import Block, KnownTypes
from launchyard.plugins import API, hookimpl
from launchyard.plugins.manager import Plugins, Rules
from launchyard.plugins.specs import LaunchServerProvider, Place

HOST = "http://127.0.0.1:1"
KEY = "any form, also this"


def mirror(places: list[Place]) -> Plugins:
    """Return plugins with one that speaks to `mirror` servers and notes what it is told."""

    def noted(place: Place) -> tuple[str, str]:
        places.append(place)
        return str(place.settings["server"]), str(place.settings["key"])

    def launch_servers() -> list[LaunchServerProvider]:
        return [
            LaunchServerProvider(
                name="mirror",
                doc="A mirror.",
                config=Block(key="mirror", doc="Nothing to set."),
                make=lambda place: RestLaunchServer(*noted(place)),
                files=lambda place: RestAttemptFiles(*noted(place)),
                process="main",
            )
        ]

    module = SimpleNamespace(launchyard_api=API, launch_servers=hookimpl(launch_servers))
    return Plugins(Rules(extra={"mirror": module}))


@contextmanager
def at(url: str, folder: Path) -> Iterator[AgentServer]:
    """Give the server at *url* to an agent with its state below *folder*."""
    config = check(Marked(value=None), {}, {}, KnownTypes()).config
    assert config is not None
    with StateFolder(str(folder)) as state:
        yield AgentServer(url, KEY, state, config)


def test_an_address_names_its_plugin(tmp_path: Path) -> None:
    """It gets the plain address, the key as it is, and a folder of its own; jobs are told none."""
    places: list[Place] = []
    plugins = mirror(places)
    with at(f"mirror+{HOST}", tmp_path) as server:
        assert isinstance(server.make(plugins), RestLaunchServer)
        assert (server.jobs_url, server.is_wandb) == ("", False)
        place = server_place(f"mirror+{HOST}", KEY, server.folder)
    assert isinstance(attempt_files(plugins, f"mirror+{HOST}", place), RestAttemptFiles)
    assert [(p.settings["server"], p.settings["key"]) for p in places] == [(HOST, KEY)] * 2
    assert {p.folder for p in places} == {str(tmp_path / "mirror")}
    assert not any("key_file" in p.settings for p in places)
    with at(HOST, tmp_path) as server:
        assert server.jobs_url == HOST
    with at(f"wandb+{HOST}", tmp_path) as server:
        assert server.is_wandb


def test_an_address_that_nobody_speaks_to_is_told(tmp_path: Path) -> None:
    """With what to do: another plugin is to be installed, a denied one to be allowed."""
    words = r"`nobody` servers here; install the plugin"
    with at(f"nobody+{HOST}", tmp_path) as server, pytest.raises(ServerPluginError, match=words):
        server.make(mirror([]))
    denied, words = Plugins(Rules(deny=("client",))), r"remove `client` from plugins.deny"
    with at(HOST, tmp_path) as server, pytest.raises(ServerPluginError, match=words):
        server.make(denied)
