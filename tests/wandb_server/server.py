"""The stand-in itself: what tests hold in their hands."""

from __future__ import annotations

import base64
import binascii
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from tests.wandb_server.answers import Answers
from tests.wandb_server.dialect import Dialect
from tests.wandb_server.faults import Fault, Faults
from tests.wandb_server.operations import Operations
from tests.wandb_server.records import Agent, Artifact, Item, Queue, Run, Sweep
from tests.wandb_server.state import State
from tests.wandb_server.storage import Storage
from tests.wandb_server.web import Call, Reply, Web

API_KEY = "standin" + "0" * 33
_TELEMETRY = "/sdk/otel/"
"""Where clients since 0.31 send figures about themselves; a server may lack it."""


@dataclass(kw_only=True)
class Request:
    """One request and what became of it; `at` and `ended` are of `time.monotonic()`.

    `fields` are the root fields of a GraphQL request in their order, aliases resolved; `aliases`
    maps each alias (or name) to its field. `operation` is the name in the document.
    """

    at: float
    method: str
    path: str
    headers: dict[str, str]
    operation: str = ""
    fields: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    query: str = ""
    size_b: int = 0
    status: int = 0
    answer: Any = None
    ended: float = 0.0
    fault: Fault | None = None


class WandbServer:
    """A W&B server on a loopback socket; see the package's docstring for how to use it."""

    def __init__(
        self,
        *,
        entities: Mapping[str, bool] | None = None,
        viewer: str = "ent",
        lease_s: float = 60.0,
        api_key: str = API_KEY,
        port: int = 0,
        certificate: Path | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.api_key = api_key
        self.state = State(entities or {"ent": False, "team": True}, lease_s)
        self.faults = Faults()
        self.requests: list[Request] = []
        self.complaints: list[str] = []
        self.waiting = 0
        """How many requests wait in a `slow` at the moment."""
        self._viewer = viewer
        self._let_go = threading.Event()
        self._certificate = certificate
        self._web: Web | None = Web(port, self._answer, self.complaints, certificate)
        self.port: int = self._web.server_address[1]
        self.base_url = f"{'https' if certificate else 'http'}://{host}:{self.port}"
        self._answers = Answers(self.state, self.base_url)
        operations = Operations(self.state, self._answers, viewer)
        self._dialect = Dialect(operations.fields(), self.complaints)
        self._storage = Storage(self.state)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop for good; requests that wait in a `slow` end at once."""
        self.let_go()
        self.down()

    # Going away

    def down(self) -> None:
        """Close the port and every connection; what is kept stays."""
        if self._web is not None:
            self._web.close()
            self._web = None

    def up(self) -> None:
        """Come back on the same port."""
        if self._web is None:
            self._web = Web(self.port, self._answer, self.complaints, self._certificate)

    # Trouble

    def fail(self, status: int = 500, **where: Any) -> None:
        """Answer matching requests with *status*; *where* takes the names of `Fault`."""
        self.faults.add(Fault(status=status, **where))

    def rate_limit(self, retry_after_s: float = 1, **where: Any) -> None:
        """Answer 429 with a Retry-After."""
        headers = {"Retry-After": f"{retry_after_s:g}"}
        self.faults.add(Fault(status=429, headers=headers, **where))

    def slow(self, delay_s: float, **where: Any) -> None:
        """Wait before each answer, at most until `let_go`."""
        self.faults.add(Fault(delay_s=delay_s, **where))

    def let_go(self) -> None:
        """End every `slow`, also for the requests that wait in one."""
        self._let_go.set()

    def cut(self, cut_b: int, **where: Any) -> None:
        """Do what is asked, send *cut_b* bytes of the body, then break the connection."""
        self.faults.add(Fault(cut_b=cut_b, **where))

    def lose_answer(self, **where: Any) -> None:
        """Do what is asked and break the connection without a word."""
        self.faults.add(Fault(cut_b=0, **where))

    def graphql_error(self, message: str, **where: Any) -> None:
        """Answer 200 with a GraphQL error, and do nothing; with `alias=`, see `Fault`."""
        self.faults.add(Fault(message=message, **where))

    # What is there

    def queue(self, name: str, entity: str | None = None, **fields: Any) -> Queue:
        """Add a queue (fields of `records.Queue`), or give the one of this name."""
        with self.state.changed:
            return self.state.add_queue(entity or self._viewer, name, **fields)

    def push(
        self, queue: str, spec: Mapping[str, Any], *, entity: str | None = None, **how: Any
    ) -> Item:
        """Put an item into a queue, which is made if need be; `priority=`, `values=`."""
        with self.state.changed:
            found = self.state.add_queue(entity or self._viewer, queue)
            return self.state.push(found, spec, **how)

    def run(self, name: str, project: str = "proj", entity: str | None = None) -> Run:
        """Give a run, which is made (state running) when nobody knows it; set what you like."""
        with self.state.changed:
            run = self.state.run(entity or self._viewer, project, name, make=True)
            assert run is not None
            return run

    def stop_run(self, name: str, project: str = "proj", entity: str | None = None) -> None:
        """Ask for a run to be stopped, as a user does in the web page."""
        self.run(name, project, entity).stopped = True

    def stop_agent(self, agent: Agent) -> None:
        """Ask an agent to stop polling, as a user does in the web page."""
        agent.stop_polling = True

    def sweep(self, name: str, state: str = "RUNNING", project: str = "proj") -> Sweep:
        """Make a sweep in a state."""
        made = Sweep(entity=self._viewer, project=project, name=name, state=state)
        return self.state.sweeps.setdefault((self._viewer, project, name), made)

    def artifact(
        self,
        name: str,
        files: Mapping[str, bytes],
        *,
        kind: str = "job",
        aliases: tuple[str, ...] = ("latest",),
        project: str = "proj",
    ) -> Artifact:
        """Add the next version of an artifact with its files."""
        with self.state.changed:
            artifact = self.state.add_artifact(self._viewer, project, name, kind)
            artifact.files.update(files)
            self.state.alias(artifact, list(aliases))
            return artifact

    @property
    def agents(self) -> list[Agent]:
        """List the agents in the order of their registration."""
        with self.state.changed:
            return list(self.state.agents.values())

    @property
    def items(self) -> list[Item]:
        """List the items in the order of their arrival."""
        with self.state.changed:
            self.state.expire()
            return list(self.state.items.values())

    @property
    def files(self) -> dict[str, bytes]:
        """Give what was uploaded, by its path: `run/ENTITY/PROJECT/RUN/NAME` for run files."""
        return self.state.files

    def seen(self, field: str) -> list[Request]:
        """List the requests that had a root field."""
        with self.state.changed:
            return [r for r in self.requests if field in r.fields]

    def wait_for(
        self, condition: Callable[[WandbServer], Any], timeout_s: float = 120.0, why: str = ""
    ) -> Any:
        """Wait until *condition(server)* is true, and give its value; it is asked at each change.

        Raises AssertionError after *timeout_s* with the last requests and all complaints.
        """
        with self.state.changed:
            until = time.monotonic() + timeout_s
            while not (value := condition(self)):
                left_s = until - time.monotonic()
                if left_s <= 0:
                    last = [(r.operation or r.path, r.status) for r in self.requests[-12:]]
                    raise AssertionError(f"{why or 'waited in vain'}: {last} {self.complaints}")
                # An item's lease or a run's end may come without a request.
                self.state.changed.wait(min(left_s, 0.5))
            return value

    # Answering

    def _answer(self, call: Call) -> Reply:
        path = unquote(urlsplit(call.path).path)
        request = Request(at=time.monotonic(), method=call.method, path=path, headers=call.headers)
        request.size_b = len(call.body)
        document: Any = None
        if path == "/graphql":
            document = self._dialect.read(call.body, request)
        request.fault = fault = self.faults.take(path, request.fields)
        if fault is not None and fault.delay_s:
            self._delay(fault.delay_s)
        reply = self._planted(fault) or self._do(call, path, request, document)
        if fault is not None:
            reply.cut_b = fault.cut_b
            if fault.deaf and self._web is not None:
                self._web.stop_listening()
        request.status, request.ended = reply.status, time.monotonic()
        with self.state.changed:
            self.requests.append(request)
            self.state.changed.notify_all()
        return reply

    def _delay(self, delay_s: float) -> None:
        with self.state.changed:
            self.waiting += 1
            self.state.changed.notify_all()
        self._let_go.wait(delay_s)
        with self.state.changed:
            self.waiting -= 1

    def _planted(self, fault: Fault | None) -> Reply | None:
        if fault is not None and fault.status is not None:
            return Reply(status=fault.status, body=fault.body.encode(), headers=dict(fault.headers))
        if fault is not None and fault.message is not None and fault.alias is None:
            return _json({"data": None, "errors": [{"message": fault.message}]})
        return None

    def _do(self, call: Call, path: str, request: Request, document: Any) -> Reply:
        # Storage addresses are signed in the real thing and need no key.
        if not path.startswith(("/storage/", _TELEMETRY)) and not self._may(call):
            return _json({"error": "invalid API key"}, status=401)
        with self.state.changed:
            if path == "/graphql":
                request.answer = self._dialect.execute(document, request)
                self.state.changed.notify_all()
                return _json(request.answer)
            reply = self._storage.answer(call, path)
        if reply is None and path.startswith(_TELEMETRY):
            return _json({"error": "not found"}, status=404)
        if reply is None:
            self.complaints.append(f"{call.method} {path}: no such address")
            return _json({"error": "not found"}, status=404)
        return reply

    def _may(self, call: Call) -> bool:
        kind, _, value = call.headers.get("authorization", "").partition(" ")
        if kind == "Bearer":
            return value == self.api_key
        try:
            return base64.b64decode(value).decode() == f"api:{self.api_key}"
        except (binascii.Error, UnicodeDecodeError):
            return False


def _json(document: Any, status: int = 200) -> Reply:
    body = json.dumps(document).encode()
    return Reply(status=status, body=body, headers={"Content-Type": "application/json"})
