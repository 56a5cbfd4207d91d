"""One real server for all tests of this folder; each test makes the queues it needs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.adapters.http.agents import FakeAgent
from tests.servers import RunningServer, running_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Give a server that answers, with a team."""
    with running_server(tmp_path_factory.mktemp("server")) as one:
        one.call("POST", "/entities", json={"name": "team", "kind": "team"})
        yield one


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    """Count, so that names made in one session differ."""
    return itertools.count()


@pytest.fixture
def queue(server: RunningServer, numbers: Iterator[int]) -> str:
    """Give the name of a new, empty queue."""
    name = f"q{next(numbers)}"
    server.make_queue(queue=name)
    return name


@pytest.fixture
def make_agent(server: RunningServer, numbers: Iterator[int]) -> Iterator[Callable[..., FakeAgent]]:
    """Give a function that registers an agent on queues; none waits for work after the test."""
    made: list[FakeAgent] = []

    def make(*queues: str, max_jobs: int = 4) -> FakeAgent:
        made.append(FakeAgent.start(server, f"agent{next(numbers)}", queues, max_jobs))
        return made[-1]

    yield make
    for agent in made:
        agent.leave()
