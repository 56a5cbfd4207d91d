"""Launchyard's own server, as agents work for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from launchyard.domain.config.schema import Block
from launchyard.domain.server_address import OURS
from launchyard.plugins import API, hookimpl
from launchyard.plugins.specs import LaunchServerProvider, Place
from launchyard.ports.launch_server import AttemptFiles, LaunchServer

launchyard_api: Final = API


def _server(place: Place) -> LaunchServer:
    from launchyard.adapters.client.server import RestLaunchServer

    return RestLaunchServer(str(place.settings["server"]), str(place.settings["key"]))


def _files(place: Place) -> AttemptFiles:
    from launchyard.adapters.client.files import RestAttemptFiles

    return RestAttemptFiles(str(place.settings["server"]), str(place.settings["key"]))


@hookimpl
def launch_servers() -> Sequence[LaunchServerProvider]:
    return (
        LaunchServerProvider(
            name=OURS,
            doc="A Launchyard server.",
            config=Block(key=OURS, doc="Nothing to set."),
            make=_server,
            files=_files,
            process="main",
        ),
    )
