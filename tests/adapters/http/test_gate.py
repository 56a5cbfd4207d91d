"""What every request passes: names, ids, problems, limits, and the description of it all."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from launchyard.adapters.http.app import endpoints
from tests.adapters.http.table import table
from tests.servers import RunningServer


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:80", "[::1]:8630", "localhost."]
)
def test_our_names_are_let_through(server: RunningServer, host: str) -> None:
    """The loopback under each of its names, with any port."""
    assert server.ask("GET", "/info", headers={"Host": host}).ok


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "a b", "localhost@evil", "["]
)
def test_a_strange_host_is_refused(server: RunningServer, host: str) -> None:
    """A name that an attacker made point here is not ours: no DNS rebinding."""
    answer = server.ask("GET", "/info", headers={"Host": host})
    assert answer.status_code in {400, 421}
    if answer.status_code == 421:
        assert answer.json()["type"] == "urn:launchyard:wrong_host"


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://localhost.evil.example", "file://", "x"]
)
def test_a_strange_page_is_refused(server: RunningServer, origin: str) -> None:
    """Whatever key its visitor's browser may hold."""
    answer = server.ask("POST", "/entities", headers={"Origin": origin}, json={})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:launchyard:wrong_origin")


def test_our_own_page_is_let_through(server: RunningServer) -> None:
    """An origin on the loopback."""
    assert server.ask("GET", "/me", headers={"Origin": server.url}).ok


def test_probes_answer_under_any_name(server: RunningServer) -> None:
    """An orchestrator asks by the address it knows; no key is needed."""
    for path in ("livez", "readyz"):
        assert server.ask("GET", path, key="", headers={"Host": "10.1.2.3"}).ok


def test_every_answer_has_an_id(server: RunningServer) -> None:
    """One that the client chose, if it is harmless, else one of ours."""
    answer = server.ask("GET", "/info", headers={"X-Request-Id": "mine-1"})
    assert answer.headers["X-Request-Id"] == "mine-1"
    for wish in ("", "a b", "x" * 65):
        headers = {"X-Request-Id": wish}
        found = server.ask("GET", "/info", headers=headers).headers["X-Request-Id"]
        assert re.fullmatch(r"[0-9a-f]{16}", found)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "nothing", 404),
        ("PUT", "/info", 405),
        ("GET", "/me", 401),
        ("PUT", "/items/x", 405),
    ],
)
def test_every_refusal_is_a_problem_document(
    server: RunningServer, method: str, path: str, status: int
) -> None:
    """Also those that no route made."""
    answer = server.ask(method, path, key="")
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert {"type", "title", "detail"} <= problem.keys()
    assert problem["detail"]


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "deep"),
        (b"[" * 300 + b"]" * 300, "deep"),
        (b'{"name": NaN}', "no JSON"),
        (b'{"name": "\\ud800"}', "no JSON"),
        (b'{"name": 1}', "name"),
        (b"[]", "object"),
        (b'{"name": "' + b"9" * 9_000_000 + b'"}', "at most"),
        (b'{"name": ' + b"9" * 5000 + b"}", ""),
    ],
)
def test_a_bad_body_is_refused_in_words(server: RunningServer, body: bytes, part: str) -> None:
    """Never a 500, whatever a client sends."""
    answer = server.ask("POST", "/entities", data=body)
    assert answer.status_code in {413, 422}
    assert part in answer.json()["detail"]


def test_what_is_nested_as_deep_as_allowed_goes_all_the_way(server: RunningServer) -> None:
    """Through every walk over a document: merge, macros, store and answer."""
    deep: object = "end"
    for level in range(190):
        deep = {"k": deep} if level % 2 else [deep]
    server.ask("POST", "/entities", json={"name": "team", "kind": "team"})
    body = {"name": "deep", "resource": "local-process", "config": {"env": deep}}
    queues = server.ask("POST", "/entities/team/queues", json=body)
    assert queues.status_code < 500, queues.text
    server.make_queue(queue="flat")
    specs: tuple[dict[str, object], ...] = (
        {"unknown": deep},
        {"overrides": {"args": deep}},
        {"resource_args": {"local-process": deep}},
        {"resource_args": deep},
        {"secrets": deep},
    )
    for spec in specs:
        sent = {"spec": {"project": "p", **spec}}
        for path in ("items", "plan"):
            answer = server.ask("POST", f"/entities/team/queues/flat/{path}", json=sent)
            assert answer.status_code < 500, (spec.keys(), answer.text)
    assert server.ask("GET", "/items", params={"entity": "team"}).ok
    assert "RecursionError" not in server.said()


def test_a_body_without_a_length_is_limited_too(server: RunningServer) -> None:
    """What comes in chunks is counted as it comes."""
    pieces = (b"x" * 1_000_000 for _ in range(12))
    assert server.ask("POST", "/entities", data=pieces).status_code == 413


def test_junk_on_the_wire_does_no_harm(server: RunningServer) -> None:
    """The server answers 400 or hangs up, and goes on."""
    address = urlsplit(server.url)
    for junk in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"A" * 100_000, b"GET / HTTP/9\r\n\r\n"):
        with socket.create_connection((address.hostname or "", address.port or 0)) as sock:
            sock.sendall(junk)
            sock.shutdown(socket.SHUT_WR)
            sock.settimeout(30)
            try:
                assert not sock.recv(100).startswith(b"HTTP/1.1 5")
            except ConnectionResetError:
                continue
    assert server.ask("GET", "/info").ok


def test_the_numbers_name_routes_not_paths(server: RunningServer, queue: str) -> None:
    """No id of an item, and nothing that a stranger typed, becomes a label."""
    item = server.submit("true", queue=queue)
    server.ask("GET", f"/items/{item}")
    server.ask("GET", "/made-up-address")
    answer = server.ask("GET", "metrics", key="")
    assert 'route="/api/v1/items/{item}"' in answer.text
    assert item not in answer.text
    assert "made-up" not in answer.text


def test_every_route_is_described(server: RunningServer) -> None:
    """With what it needs, takes and gives; every reference leads somewhere."""
    description: dict[str, Any] = server.ask("GET", "/openapi.json", key="").json()
    for one in endpoints(table()):
        path = one.path.replace(":path}", "}")
        operation = description["paths"][path][one.method.lower()]
        assert operation["summary"]
        assert str(one.status) in operation["responses"]
    known = description["components"]["schemas"]
    references = re.findall(r"#/components/schemas/(\w+)", json.dumps(description))
    assert set(references) <= known.keys()
    assert "ItemGrant" in known


def test_the_page_of_the_docs_knows_every_route() -> None:
    """`docs/rest.md` binds clients, so it has to be whole."""
    text = (Path(__file__).parents[3] / "docs/rest.md").read_text("utf-8")
    for one in endpoints(table()):
        last = one.path.rstrip("}").replace("{", "/").split("/")[-1].replace(":path", "")
        assert last in text, one.path
