"""A running server and somebody who asks it in GraphQL."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from tests.servers import RunningServer, running_server

RUNS = {"entry_point": ["true"]}


@dataclass
class Client:
    """Asks as a stock client does: Basic, and the user is `api`."""

    server: RunningServer
    key: str = ""
    session: requests.Session = field(default_factory=requests.Session)

    def post(self, body: Any, path: str = "/graphql") -> requests.Response:
        """Send a body as it is."""
        auth = ("api", self.key or self.server.admin_key)
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.session.post(self.server.url + path, data=data, auth=auth, timeout=60)

    def ask(self, text: str, **variables: Any) -> dict[str, Any]:
        """Ask something; return data and errors."""
        answer = self.post({"query": text, "variables": variables})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def data(self, text: str, **variables: Any) -> Any:
        """Ask something that has to succeed; return the one field that it asks for."""
        answer = self.ask(text, **variables)
        assert "errors" not in answer, answer
        return next(iter(answer["data"].values()))

    def do(self, mutation: str, want: str, **given: Any) -> Any:
        """Make a mutation that has to succeed."""
        answer = self.try_to(mutation, want, **given)
        assert "errors" not in answer, answer
        return answer["data"][mutation]

    def try_to(self, mutation: str, want: str, **given: Any) -> dict[str, Any]:
        """Make a mutation that may be refused."""
        kind = f"{mutation[0].upper()}{mutation[1:]}Input!"
        text = f"mutation M($i: {kind}) {{ {mutation}(input: $i) {{ {want} }} }}"
        return self.ask(text, i=given)

    def push(self, queue: str, entity: str = "team", **spec: Any) -> Any:
        """Push a launch by the queue's name."""
        return self.try_to(
            "pushToRunQueueByName",
            "runQueueItemId runSpec",
            entityName=entity,
            projectName="model-registry",
            queueName=queue,
            runSpec=json.dumps({"entity": entity, "project": "P", "overrides": RUNS, **spec}),
        )

    def pushed(self, queue: str, **spec: Any) -> str:
        """Push a launch that has to be taken; return its item."""
        answer = self.push(queue, **spec)
        assert "errors" not in answer, answer
        return str(answer["data"]["pushToRunQueueByName"]["runQueueItemId"])

    def queue_id(self, name: str, entity: str = "team") -> str:
        """Return the id of a queue."""
        text = """query Q($e: String!, $q: String!) {
          project(name: "model-registry", entityName: $e) { runQueue(name: $q) { id } } }"""
        return str(self.data(text, e=entity, q=name)["runQueue"]["id"])

    def agent(self, *queues: str) -> str:
        """Register a stock agent."""
        made = self.do(
            "createLaunchAgent",
            "launchAgentId",
            entityName="team",
            projectName="model-registry",
            runQueues=[self.queue_id(name) for name in queues],
            hostname="Box.1",
            agentConfig='{"max_jobs": 3}',
            version="wandb@0",
        )
        return str(made["launchAgentId"])

    def pop(self, agent: str, queue: str) -> Any:
        """Ask for work."""
        return self.do(
            "popFromRunQueue",
            "runQueueItemId runSpec",
            entityName="team",
            projectName="model-registry",
            queueName=queue,
            launchAgentId=agent,
        )

    def item(self, item: str) -> dict[str, Any]:
        """Return an item as REST shows it."""
        return dict(self.server.call("GET", f"/items/{item}"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Give a server that answers, with a team and a person."""
    with running_server(tmp_path_factory.mktemp("server")) as one:
        one.call("POST", "/entities", json={"name": "team", "kind": "team"})
        one.call("POST", "/entities", json={"name": "ada", "kind": "personal"})
        yield one


@pytest.fixture
def client(server: RunningServer) -> Iterator[Client]:
    """Give the administrator."""
    one = Client(server)
    with one.session:
        yield one


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    """Count, so that names made in one session differ."""
    return itertools.count()


@pytest.fixture
def queue(server: RunningServer, numbers: Iterator[int]) -> str:
    """Give the name of a new, empty queue."""
    name = f"g{next(numbers)}"
    server.make_queue(queue=name, config={"env": {"A": "1"}})
    return name
