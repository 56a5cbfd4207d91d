"""An agent as far as the wire sees it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.servers import LIMIT_S, RunningServer


@dataclass
class FakeAgent:
    """Speaks for one registered agent."""

    server: RunningServer
    id: str
    epoch: int
    queues: tuple[str, ...]
    name: str
    ids: Iterator[int] = field(default_factory=itertools.count)
    waits: list[Waiting] = field(default_factory=list)

    @classmethod
    def start(
        cls, server: RunningServer, name: str, queues: tuple[str, ...], max_jobs: int = 4
    ) -> FakeAgent:
        """Register an agent."""
        body = cls.hello(name, queues) | {"max_jobs": max_jobs}
        grant = server.call("POST", "/agents", json=body)
        return cls(server, grant["agent"], grant["epoch"], queues, name)

    @staticmethod
    def hello(name: str, queues: tuple[str, ...], agent: str = "") -> dict[str, Any]:
        """Return the body of a hello."""
        return {
            "agent": agent,
            "name": name,
            "entity": "team",
            "queues": list(queues),
            "scopes": [f"host:{name}"],
            "max_jobs": 4,
            "hostname": "here",
            "version": "0",
        }

    @property
    def caller(self) -> dict[str, Any]:
        """Which start speaks."""
        return {"agent": self.id, "epoch": self.epoch}

    def wish(self, free: int = 1, wait_s: float = 0, claim_id: str = "") -> dict[str, Any]:
        """Return the body of a claim."""
        return {
            "caller": self.caller,
            "claim_id": claim_id or f"{self.id}-{next(self.ids)}",
            "queues": list(self.queues),
            "free": free,
            "wait_s": wait_s,
        }

    def ask(self, verb: str, body: Any, **more: Any) -> requests.Response:
        """Call one of the agent's addresses."""
        return self.server.ask("POST", f"/agents/{self.id}/{verb}", json=body, **more)

    def post(self, verb: str, **body: Any) -> Any:
        """Call one of the agent's addresses, which has to succeed."""
        answer = self.ask(verb, {"epoch": self.epoch, **body})
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def claim(self, free: int = 1, wait_s: float = 0, claim_id: str = "") -> dict[str, Any]:
        """Claim, and return the answer."""
        answer = self.ask("claim", self.wish(free, wait_s, claim_id), timeout=wait_s + LIMIT_S)
        assert answer.ok, answer.text
        return dict(answer.json())

    def wait(self, free: int = 1, wait_s: float = 55, claim_id: str = "") -> Waiting:
        """Claim in another thread."""
        self.waits.append(Waiting(self.server, self.id, self.wish(free, wait_s, claim_id)))
        return self.waits[-1]

    def leave(self) -> None:
        """End the claims that still wait, so that no later test sees one go."""
        for one in self.waits:
            if not one.done:
                self.ask("abort", {"epoch": self.epoch, "claim_id": one.wish["claim_id"]})
                one.answer()

    def report(self, grant: dict[str, Any], seq: int, **fact: Any) -> dict[str, Any]:
        """Report one fact of a lease; return how it was taken."""
        report = {"lease": lease(grant), "seq": seq, "fact": {"at_ms": 1, **fact}}
        return dict(self.post("reports", batch=[report])["answers"][0])

    def launch(self, grant: dict[str, Any]) -> dict[str, Any]:
        """Make the fenced write; return how it was taken."""
        place = self.place(grant["item"])
        batch = [{"lease": lease(grant), "place": place}]
        return dict(self.post("launching", batch=batch)["answers"][0])

    def place(self, item: str, uid: str = "") -> dict[str, str]:
        """Return where the agent runs an item."""
        return {"scope": f"host:{self.name}", "name": f"ly-{item}", "uid": uid}

    def finish(self, grant: dict[str, Any]) -> None:
        """Take an item through to its end, log included."""
        assert self.launch(grant)["verdict"] == "taken"
        self.report(grant, 1, state="running", place=self.place(grant["item"], "1"))
        self.report(grant, 2, state="succeeded", reason="completed", exit_code=0)
        self.report(grant, 3, logs_complete=True)


def lease(grant: dict[str, Any]) -> dict[str, Any]:
    """Return a grant's lease."""
    return {name: grant[name] for name in ("item", "attempt", "token")}


class Waiting:
    """A claim that waits, in a thread with a connection of its own."""

    def __init__(self, server: RunningServer, agent: str, wish: dict[str, Any]) -> None:
        self.wish = wish
        self._future: Future[dict[str, Any]] = Future()
        self._url = f"{server.api}/agents/{agent}/claim"
        self._headers = {"Authorization": f"Bearer {server.admin_key}"}
        self.session = requests.Session()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            with self.session as session:
                answer = session.post(
                    self._url,
                    json=self.wish,
                    headers=self._headers,
                    timeout=self.wish["wait_s"] + LIMIT_S,
                )
            self._future.set_result({"status": answer.status_code, **answer.json()})
        except (OSError, ValueError) as error:
            self._future.set_exception(error)

    @property
    def done(self) -> bool:
        """Whether the answer is there."""
        return self._future.done()

    def answer(self, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """Wait for the answer."""
        found = self._future.result(limit_s)
        self._thread.join(limit_s)
        return found

    def items(self, limit_s: float = LIMIT_S) -> list[str]:
        """Wait for the answer; return the ids of its items."""
        return [grant["item"] for grant in self.answer(limit_s)["items"]]
