"""Whatever a client sends, the server says what is wrong and goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launchyard.adapters.http.app import endpoints
from launchyard.adapters.http.endpoint import Body
from tests.adapters.http.agents import FakeAgent
from tests.adapters.http.table import table
from tests.servers import RunningServer, running_server

NAMES = sorted(
    {
        field.name
        for one in endpoints(table())
        if not isinstance(one.takes, Body)
        for field in fields(one.takes)
    }
    | {"agent", "epoch", "item", "attempt", "token", "fact", "state", "overrides", "entry_point"}
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["team", "junk", "0.1", "claimed", "viewer", "local-process"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=12,
)
TAKING = [one for one in endpoints(table()) if not isinstance(one.takes, Body)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Give a server of these tests' own: what they make by chance is in nobody's way."""
    with running_server(tmp_path_factory.mktemp("server")) as one:
        one.call("POST", "/entities", json={"name": "team", "kind": "team"})
        yield one


@pytest.fixture(scope="module")
def parts(server: RunningServer) -> dict[str, str]:
    """Make what addresses name."""
    server.make_queue(queue="junk")
    agent = FakeAgent.start(server, "junk", ("junk",))
    item = server.submit("true", queue="junk")
    return {"entity": "team", "queue": "junk", "agent": agent.id, "item": item, "secret": "s"}


@given(st.sampled_from(TAKING), VALUES, st.booleans())
@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_body_makes_the_server_fail(
    server: RunningServer, parts: dict[str, str], one: Any, value: Any, aimed: bool
) -> None:
    """Every answer is a success or a refusal in words."""
    if aimed and isinstance(value, dict):
        value = {"caller": {"agent": parts["agent"], "epoch": 1}, "epoch": 1} | value
    if isinstance(value, dict) and "wait_s" in value:
        value["wait_s"] = 0
    path = one.path.removeprefix("/api/v1").format(**parts)
    answer = server.ask(one.method, path, data=json.dumps(value).encode())
    assert answer.status_code < 500, answer.text
    assert answer.ok or answer.json()["detail"]


@given(
    st.sampled_from(["state", "before", "most", "entity", "queue"]),
    st.text(st.characters(codec="utf-8"), max_size=20),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_query_makes_the_server_fail(server: RunningServer, name: str, value: str) -> None:
    """Parameters are judged like bodies."""
    assert server.ask("GET", "/items", params={name: value}).status_code < 500
