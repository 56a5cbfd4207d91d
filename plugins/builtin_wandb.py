"""W&B servers, as agents work for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from launchyard.domain.config.schema import Block
from launchyard.plugins import API, hookimpl
from launchyard.plugins.specs import LaunchServerProvider, Place
from launchyard.ports.launch_server import AttemptFiles, LaunchServer

launchyard_api: Final = API
NAME: Final = "wandb"


def _server(place: Place) -> LaunchServer:
    from launchyard.adapters.wandb.keys import key_in
    from launchyard.adapters.wandb.launch_server import WandbLaunchServer
    from launchyard.adapters.wandb.line import WandbSettings

    given = place.settings
    schedulers, stop_s = given.get("max_schedulers"), given.get("stopped_run_timeout_s")
    return WandbLaunchServer(
        WandbSettings(
            base_url=str(given["server"]),
            key=key_in(given),
            folder=place.folder,
            max_schedulers=schedulers if isinstance(schedulers, int) else 1,
            stop_after_s=float(stop_s) if isinstance(stop_s, (int, float)) else 60.0,
        )
    )


def _files(place: Place) -> AttemptFiles:
    from launchyard.adapters.wandb.files import tails_in

    return tails_in(place.folder)


@hookimpl
def launch_servers() -> Sequence[LaunchServerProvider]:
    return (
        LaunchServerProvider(
            name=NAME,
            doc="A W&B server.",
            config=Block(key=NAME, doc="Nothing to set."),
            make=_server,
            files=_files,
            process="main",
        ),
    )
