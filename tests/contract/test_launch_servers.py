"""The launch server kit against every adapter: our REST client in front of our server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing

import pytest

from launchyard.adapters.client.server import RestLaunchServer
from launchyard.domain.exchange import AgentHello
from launchyard.plugins.testkit.launch_server import LaunchServerCase, LaunchServerContract
from tests.servers import RunningServer, running_server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Give one server for all tests of this module."""
    with running_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def names() -> Iterator[str]:
    """Give a queue's name at a time."""
    return (f"queue{n}" for n in itertools.count())


class TestRestLaunchServer(LaunchServerContract):
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
