"""Who may call what: every operation of the OpenAPI description for every kind of caller.

The table below is written by hand and says what is wanted; nothing in it comes from the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

from launchyard.adapters.http.app import endpoints
from launchyard.adapters.http.describe import openapi
from tests.adapters.http.agents import FakeAgent
from tests.adapters.http.table import table
from tests.servers import RunningServer

COLUMNS: Final = (
    *("nobody", "server"),
    *("viewer", "submitter", "agent", "admin"),
    *("viewer afar", "submitter afar", "agent afar", "admin afar"),
    *("token", "other's token", "dead token"),
)
"""`afar` is another entity than the one asked for; `server` administers every entity."""

# n, s: nobody, server        v s a A: viewer, submitter, agent, admin
# t o d: an attempt's token for its own item, for another's, and after the attempt's end
WANTED: Final = """
                                                                             here   afar
                                                                         ns  vsaA   vsaA   tod
GET    /api/v1/info                                                      yy  yyyy   yyyy   yyy
GET    /livez                                                            yy  yyyy   yyyy   yyy
GET    /readyz                                                           yy  yyyy   yyyy   yyy
GET    /metrics                                                          yy  yyyy   yyyy   yyy
GET    /api/v1/me                                                        -y  yyyy   yyyy   ---
GET    /api/v1/entities                                                  -y  yyyy   yyyy   ---
POST   /api/v1/entities                                                  -y  ----   ----   ---
POST   /api/v1/gc                                                        -y  ----   ----   ---
GET    /api/v1/keys                                                      -y  ---y   ---y   ---
POST   /api/v1/keys                                                      -y  ---y   ---y   ---
DELETE /api/v1/keys/{id}                                                 -y  ---y   ----   ---
GET    /api/v1/entities/{entity}/queues                                  -y  yyyy   ----   ---
POST   /api/v1/entities/{entity}/queues                                  -y  ---y   ----   ---
GET    /api/v1/entities/{entity}/queues/{queue}                          -y  yyyy   ----   ---
PATCH  /api/v1/entities/{entity}/queues/{queue}                          -y  ---y   ----   ---
PUT    /api/v1/entities/{entity}/queues/{queue}                          -y  ---y   ----   ---
DELETE /api/v1/entities/{entity}/queues/{queue}                          -y  ---y   ----   ---
GET    /api/v1/entities/{entity}/queues/{queue}/dead-letters             -y  yyyy   ----   ---
POST   /api/v1/entities/{entity}/queues/{queue}/dead-letters/replay      -y  -y-y   ----   ---
GET    /api/v1/entities/{entity}/secrets                                 -y  -y-y   ----   ---
PUT    /api/v1/entities/{entity}/secrets/{secret}                        -y  ---y   ----   ---
DELETE /api/v1/entities/{entity}/secrets/{secret}                        -y  ---y   ----   ---
POST   /api/v1/entities/{entity}/queues/{queue}/items                    -y  -y-y   ----   ---
POST   /api/v1/entities/{entity}/queues/{queue}/plan                     -y  -y-y   ----   ---
GET    /api/v1/items                                                     -y  yyyy   yyyy   ---
GET    /api/v1/items?entity=team                                         -y  yyyy   ----   ---
GET    /api/v1/items/{item}                                              -y  yyyy   ----   y--
PATCH  /api/v1/items/{item}                                              -y  -y-y   ----   ---
GET    /api/v1/items/{item}/why                                          -y  yyyy   ----   ---
GET    /api/v1/items/{item}/events                                       -y  yyyy   ----   ---
POST   /api/v1/items/{item}/cancel                                       -y  -y-y   ----   ---
POST   /api/v1/items/{item}/retry                                        -y  -y-y   ----   ---
POST   /api/v1/items/{item}/duplicate                                    -y  -y-y   ----   ---
GET    /api/v1/items/{item}/logs                                         -y  yyyy   ----   y--
PUT    /api/v1/items/{item}/attempts/{attempt}/logs/{source}             -y  --yy   ----   y--
GET    /api/v1/items/{item}/outputs                                      -y  yyyy   ----   y--
GET    /api/v1/items/{item}/outputs/{path}                               -y  yyyy   ----   ---
PUT    /api/v1/items/{item}/attempts/{attempt}/outputs/{path}            -y  --yy   ----   y--
PUT    /api/v1/archives/{sha256}                                         -y  -y-y   -y-y   ---
HEAD   /api/v1/archives/{sha256}                                         -y  -yyy   -yyy   ---
GET    /api/v1/archives/{sha256}                                         -y  -yyy   -yyy   ---
GET    /api/v1/agents                                                    -y  yyyy   yyyy   ---
GET    /api/v1/agents?entity=team                                        -y  yyyy   ----   ---
POST   /api/v1/agents                                                    -y  --yy   --yy   ---
POST   /api/v1/agents/{agent}/drain                                      -y  ---y   ----   ---
POST   /api/v1/agents/{agent}/pause                                      -y  ---y   ----   ---
POST   /api/v1/agents/{agent}/resume                                     -y  ---y   ----   ---
POST   /api/v1/agents/{agent}/claim                                      -y  --yy   ----   ---
POST   /api/v1/agents/{agent}/heartbeat                                  -y  --yy   ----   ---
POST   /api/v1/agents/{agent}/abort                                      -y  --yy   ----   ---
POST   /api/v1/agents/{agent}/launching                                  -y  --yy   ----   ---
POST   /api/v1/agents/{agent}/reports                                    -y  --yy   ----   ---
POST   /api/v1/agents/{agent}/reclaim                                    -y  --yy   ----   ---
POST   /api/v1/agents/{agent}/release                                    -y  --yy   ----   ---
POST   /api/v1/agents/{agent}/goodbye                                    -y  --yy   ----   ---
"""
MISSING: Final = ("/archives/{sha256}", "/outputs/{path}", "/secrets/{secret}")
"""What is not there, or not any more: for these 404 is an answer to somebody who may ask."""


def wanted() -> Mapping[str, Mapping[str, bool]]:
    """Return, by operation and caller, whether it may be called."""
    rows: dict[str, Mapping[str, bool]] = {}
    for line in WANTED.splitlines()[3:]:
        method, address, *cells = line.split()
        marks = "".join(cells)
        assert len(marks) == len(COLUMNS), line
        rows[f"{method} {address}"] = {c: m == "y" for c, m in zip(COLUMNS, marks, strict=True)}
    return rows


def described() -> set[str]:
    """Return the operations of the OpenAPI description."""
    paths: dict[str, dict[str, Any]] = openapi(endpoints(table()), "0")["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


@dataclass
class World:
    """A team with one of everything, and everybody's keys."""

    keys: dict[str, str]
    parts: dict[str, str]
    items: dict[str, str]


@pytest.fixture(scope="module")
def world(server: RunningServer) -> World:
    """Make a team with queue, items, agent, key and secret; two attempts have tokens."""
    server.make_queue(queue="rights")
    server.make_queue(entity="afar", queue="rights")
    roles = ("viewer", "submitter", "agent", "admin")
    keys = {role: server.make_key(role) for role in roles}
    keys |= {f"{role} afar": server.make_key(role, "afar") for role in roles}
    agent = FakeAgent.start(server, "rights", ("rights",))
    for _ in range(3):
        server.submit("true", queue="rights")
    alive, over = agent.claim(free=2)["items"]
    assert agent.launch(alive)["verdict"] == "taken"
    agent.finish(over)
    token = alive["secrets"]["LAUNCHYARD_TOKEN"]
    keys |= {"nobody": "", "server": server.admin_key, "token": token, "other's token": token}
    keys["dead token"] = over["secrets"]["LAUNCHYARD_TOKEN"]
    wish = {"user": "x", "entity": "team", "role": "viewer"}
    key = server.call("POST", "/keys", json=wish)["id"]
    waiting = server.call("GET", "/items?entity=team&queue=rights&state=queued")["items"][0]["id"]
    parts = {"entity": "team", "queue": "rights", "agent": agent.id, "attempt": "1", "id": key}
    parts |= {"source": "own.a", "sha256": "0" * 64, "path": "a.txt", "secret": "hf"}
    return World(keys, parts, {"token": alive["item"], "dead token": over["item"], "": waiting})


def test_the_table_is_whole() -> None:
    """An operation that is new in the description is a row that somebody has to write."""
    assert {row.partition("?")[0] for row in wanted()} == described()


@pytest.mark.parametrize("row", wanted())
def test_every_cell(server: RunningServer, world: World, row: str) -> None:
    """Who may not is refused before anything is looked at or done; who may gets an answer."""
    method, _, address = row.partition(" ")
    wrong: dict[str, int] = {}
    # Who may not comes first, so that nothing can be gone before they ask for it.
    for who, may in sorted(wanted()[row].items(), key=lambda cell: cell[1]):
        status = _call(server, world, method, address, who)
        if status not in _statuses(address, who, may=may) or status >= 500:
            wrong[who] = status
    assert wrong == {}


def _statuses(address: str, who: str, *, may: bool) -> set[int]:
    """Return the answers that fit a cell."""
    if may:
        hidden = set() if address.endswith(MISSING) else {404}
        return set(range(200, 500)) - {401, 403} - hidden
    return {401} if who in {"nobody", "dead token"} else {403, 404}


def _call(server: RunningServer, world: World, method: str, address: str, who: str) -> int:
    item = world.items.get(who, world.items[""])
    path = address.format(**world.parts, item=item)
    path = path.removeprefix("/api/v1") if path.startswith("/api/v1") else path.lstrip("/")
    more: dict[str, Any] = {} if method in {"GET", "HEAD"} else {"data": b"{}"}
    with server.ask(method, path, key=world.keys[who], stream=True, **more) as answer:
        if "event-stream" not in answer.headers.get("Content-Type", ""):
            assert answer.content is not None
        return answer.status_code


def test_who_was_refused_changed_nothing(server: RunningServer, world: World) -> None:
    """Queue and key are there."""
    for who in ("nobody", "viewer", "submitter", "agent", "admin afar", "token"):
        for address in ("/entities/{entity}/queues/{queue}", "/keys/{id}"):
            path = f"/api/v1{address}"
            assert _call(server, world, "DELETE", path, who) in {401, 403, 404}
    assert server.ask("GET", "/entities/team/queues/rights").ok


class TestToken:
    """What else a token is held to."""

    def test_it_is_of_one_attempt(self, server: RunningServer, world: World) -> None:
        """Another attempt's log and outputs are not its own, nor are the agent's logs."""
        key, item = world.keys["token"], world.items["token"]
        for path in (f"/items/{item}/logs?attempt=2", f"/items/{item}/outputs?attempt=2"):
            assert server.ask("GET", path, key=key).status_code == 403
        for path in ("attempts/2/logs/own.a", "attempts/2/outputs/a"):
            assert server.ask("PUT", f"/items/{item}/{path}", key=key, data=b"x").status_code == 403
        agents = server.ask("PUT", f"/items/{item}/attempts/1/logs/job", key=key, data=b"x")
        assert (agents.status_code, "own." in agents.text) == (422, True)

    def test_it_is_worth_nothing_when_changed(self, server: RunningServer, world: World) -> None:
        """Item, attempt and signature: whichever digit was changed."""
        key, item = world.keys["token"], world.items["token"]
        assert server.ask("GET", f"/items/{item}", key=key).ok
        for at in (4, 20, 39, 40, 70, 103):
            forged = f"{key[:at]}{'0' if key[at] != '0' else '1'}{key[at + 1 :]}"
            assert server.ask("GET", f"/items/{item}", key=forged).status_code == 401

    def test_it_is_the_same_for_the_whole_attempt(self, server: RunningServer) -> None:
        """Whoever holds the lease: a job keeps its token when another start of the agent adopts it.

        Before the attempt is about to be anywhere it is worth nothing.
        """
        server.make_queue(queue="tokens")
        agent = FakeAgent.start(server, "tokens", ("tokens",))
        item = server.submit("true", queue="tokens")
        grant = agent.claim()["items"][0]
        token = grant["secrets"]["LAUNCHYARD_TOKEN"]
        assert server.ask("GET", f"/items/{item}", key=token).status_code == 401
        agent.launch(grant)
        hello = FakeAgent.hello("tokens", ("tokens",), agent.id)
        [again] = server.call("POST", "/agents", json=hello)["leases"]
        assert again["secrets"]["LAUNCHYARD_TOKEN"] == token
        assert server.ask("GET", f"/items/{item}", key=token).ok
