"""Schemathesis over the OpenAPI description: whatever fits it, or just does not, is no 500.

Half of the addresses name what is there, so that requests come further than to a 404.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from launchyard.adapters.http.app import endpoints
from launchyard.adapters.http.describe import openapi
from tests.adapters.http.agents import FakeAgent
from tests.adapters.http.table import table
from tests.servers import LIMIT_S, RunningServer, running_server

SCHEMA = schemathesis.openapi.from_dict(openapi(endpoints(table()), "0"))
FOUND: Any = list(SCHEMA.get_all_operations())
OPERATIONS = {found.ok().label: found.ok() for found in FOUND}
EXAMPLES = 6
ID = "X-Schemathesis-TestCaseId"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Give a server of these tests' own: what they make by chance is in nobody's way."""
    with running_server(tmp_path_factory.mktemp("server")) as one:
        one.call("POST", "/entities", json={"name": "team", "kind": "team"})
        yield one


@pytest.fixture(scope="module")
def there(server: RunningServer) -> dict[str, str]:
    """Make what addresses may name."""
    server.make_queue(queue="schema")
    agent = FakeAgent.start(server, "schema", ("schema",))
    item = server.submit("true", queue="schema")
    server.submit("true", queue="schema")
    agent.launch(agent.claim()["items"][0])
    return {
        "entity": "team",
        "queue": "schema",
        "item": item,
        "agent": agent.id,
        "attempt": "1",
        "source": "job",
        "path": "a",
        "sha256": "0" * 64,
        "secret": "schema",
    }


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_makes_the_server_fail(
    server: RunningServer, there: dict[str, str], label: str
) -> None:
    """Every answer is one that the description knows: a success, or a refusal in words."""
    operation: Any = OPERATIONS[label]
    modes = st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    cases = modes.flatmap(lambda mode: operation.as_strategy(generation_mode=mode))

    @given(cases, st.booleans())
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    def ask(case: Any, aimed: bool) -> None:
        if aimed:
            case.path_parameters = {**case.path_parameters, **_named(case.path_parameters, there)}
        if isinstance(case.body, dict) and "wait_s" in case.body:
            case.body["wait_s"] = 0
        _judge(*_sent(server, case))

    ask()


def _named(asked: Any, there: dict[str, str]) -> dict[str, str]:
    return {name: there[name] for name in asked if name in there}


def _sent(server: RunningServer, case: Any) -> tuple[str, requests.Response]:
    request: dict[str, Any] = case.as_transport_kwargs(base_url=server.url)
    request["headers"]["Authorization"] = f"Bearer {server.admin_key}"
    request["headers"].pop("Host", None)
    # The head of the answer is enough: a stream would go on.
    with server.session.request(**request, stream=True, timeout=LIMIT_S) as answer:
        kind = answer.headers.get("Content-Type", "")
        text = "" if "event-stream" in kind or answer.status_code < 400 else answer.text
    return text, answer


def _judge(text: str, answer: requests.Response) -> None:
    status = answer.status_code
    assert status < 500, f"{answer.request.method} {answer.request.url}: {status} {text}"
    kind = answer.headers.get("Content-Type", "")
    if status >= 400 and answer.request.method != "HEAD" and kind:
        # A head that is no HTTP is the parser's to refuse, in plain text.
        assert kind == "application/problem+json" or "Invalid HTTP" in text, text
