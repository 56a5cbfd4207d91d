"""One real server for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from launchyard.adapters.client.operator import RestOperator
from tests.servers import RunningServer, running_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Give a server that answers, with a team and a queue."""
    with running_server(tmp_path_factory.mktemp("server")) as one:
        one.make_queue()
        yield one


@pytest.fixture
def operator(server: RunningServer) -> Iterator[RestOperator]:
    """Give an administrator's client."""
    made = RestOperator(server.url, server.admin_key)
    yield made
    made.close()
