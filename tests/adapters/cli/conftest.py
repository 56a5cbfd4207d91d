"""One real server for the tests of this folder; a queue, a home and an agent for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.cli.kit import Driver, Home
from tests.servers import RunningServer, running_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Give a server that answers, with a team."""
    with running_server(tmp_path_factory.mktemp("server")) as one:
        one.make_queue()
        yield one


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    """Count, so that queues of one session differ."""
    return itertools.count()


@pytest.fixture
def stranger(tmp_path: Path) -> Home:
    """Give a home in which nobody has logged in."""
    return Home(tmp_path)


@pytest.fixture
def home(tmp_path: Path, server: RunningServer, numbers: Iterator[int]) -> Home:
    """Give an administrator's home, with a queue of its own as the default one."""
    queue = f"q{next(numbers)}"
    server.make_queue(queue=queue)
    return Home(tmp_path, server, {"LAUNCHYARD_QUEUE": queue})


@pytest.fixture
def driver(home: Home, server: RunningServer) -> Iterator[Driver]:
    """Give an agent on that queue."""
    made = Driver(server, home.env["LAUNCHYARD_QUEUE"])
    yield made
    made.close()
