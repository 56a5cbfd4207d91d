"""The launch server kits: our REST client in front of our server, W&B's adapter of a stand-in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from launchyard.adapters.client.server import RestLaunchServer
from launchyard.adapters.wandb.launch_server import WandbLaunchServer
from launchyard.domain.exchange import AgentHello
from launchyard.plugins.testkit.any_server import AnyServerContract
from launchyard.plugins.testkit.launch_server import LaunchServerCase, LaunchServerContract
from tests.adapters.wandb.agent_kit import SPEC, settings
from tests.servers import RunningServer, running_server
from tests.wandb_server import WandbServer


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Give one server for all tests of this module."""
    with running_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def names() -> Iterator[str]:
    """Give a queue's name at a time."""
    return (f"queue{n}" for n in itertools.count())


class TestLaunchyard(LaunchServerContract):
    """Our own pair."""

    @pytest.fixture
    def case(self, running: RunningServer, names: Iterator[str]) -> Iterator[LaunchServerCase]:
        """Give a client, a client of nobody, and a new queue."""
        name = next(names)
        running.make_queue(queue=name)
        key = running.make_key("agent")
        hello = AgentHello(
            agent="",
            name=name,
            entity="team",
            queues=(name,),
            scopes=(f"host:{name}",),
            max_jobs=4,
            hostname="here",
            version="0",
        )
        with (
            closing(RestLaunchServer(running.url, key)) as server,
            closing(RestLaunchServer("http://127.0.0.1:9", key)) as silent,
        ):
            yield LaunchServerCase(
                server=server,
                silent=silent,
                hello=hello,
                submit=lambda: running.submit(queue=name),
                cancel=lambda item: running.call("POST", f"/items/{item}/cancel"),
                drain=lambda agent: running.call("POST", f"/agents/{agent}/drain"),
            )


class TestWandb(AnyServerContract):
    """A W&B server has no leases and pushes nothing; what it is told has tests of its own."""

    @pytest.fixture
    def case(self, tmp_path: Path) -> Iterator[LaunchServerCase]:
        """Give an adapter, one of nobody, and a new queue."""
        hello = AgentHello(
            agent="",
            name="here",
            entity="ent",
            queues=("q1",),
            scopes=("host:here",),
            max_jobs=4,
            hostname="box",
            version="0",
        )

        def stop(item: str) -> None:
            stand_in.stop_run(stand_in.state.items[item].run_name or "")

        with WandbServer() as stand_in:
            stand_in.queue("q1")
            nobody = settings(stand_in, tmp_path / "silent", base_url="http://127.0.0.1:9")
            with (
                closing(WandbLaunchServer(settings(stand_in, tmp_path / "here"))) as server,
                closing(WandbLaunchServer(nobody)) as silent,
            ):
                yield LaunchServerCase(
                    server=server,
                    silent=silent,
                    hello=hello,
                    submit=lambda: stand_in.push("q1", SPEC).id,
                    cancel=lambda item: stand_in.stop_run(
                        stand_in.state.items[item].run_name or ""
                    ),
                    drain=lambda agent: stand_in.stop_agent(stand_in.state.agents[agent]),
                )
            assert stand_in.complaints == []
