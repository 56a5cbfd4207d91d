"""A running server and somebody who asks it in GraphQL."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from tests.adapters.http.agents import FakeAgent
from tests.servers import RunningServer, running_server

RUNS = {"entry_point": ["true"]}
RUN_NAMES = {"entityName": "team", "modelName": "p"}


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


@dataclass
class Job:
    """A job of our own agent: its token speaks in `client`."""

    client: Client
    agent: FakeAgent
    grant: dict[str, Any]

    @property
    def item(self) -> str:
        """Return its item."""
        return str(self.grant["item"])

    @property
    def run(self) -> str:
        """Return the name of its run."""
        return str(self.grant["run_id"])

    def upsert(self, **more: Any) -> dict[str, Any]:
        """Begin a run, or try to."""
        given = {**RUN_NAMES, "name": self.run, **more}
        return self.client.try_to("upsertBucket", "inserted bucket { id name }", **given)

    def stream(self, run: str = "", project: str = "p", **body: Any) -> int:
        """Send a piece of a run's stream; return the status of the answer."""
        path = f"/files/team/{project}/{run or self.run}/file_stream"
        return self.client.post(body, path).status_code

    @classmethod
    def begun(cls, client: Client, queue: str, **spec: Any) -> Job:
        """Launch something, and let our agent run it."""
        body = {"spec": {"project": "P", "overrides": RUNS, **spec}}
        client.server.call("POST", f"/entities/team/queues/{queue}/items", json=body)
        agent = FakeAgent.start(client.server, f"own-{queue}", (queue,))
        [grant] = agent.claim()["items"]
        assert agent.launch(grant)["verdict"] == "taken"
        agent.report(grant, 1, state="running", place=agent.place(grant["item"], "1"))
        return cls(Client(client.server, grant["secrets"]["LAUNCHYARD_TOKEN"]), agent, grant)

    def over(self) -> None:
        """End it."""
        self.agent.report(self.grant, 2, state="failed", reason="exit_code", exit_code=1)


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


@pytest.fixture
def job(client: Client, queue: str) -> Job:
    """Give a job that runs, in a project P."""
    return Job.begun(client, queue)
