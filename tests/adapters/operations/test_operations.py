"""The agent's endpoint, asked over real sockets."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from launchyard.adapters.http.operations import (
    Answer,
    OperationsConfig,
    OperationsEndpoint,
    OperationsError,
)
from launchyard.adapters.http.operations_pages import OperationsViews, pages
from launchyard.domain.attempt import AttemptState
from launchyard.ports.agent_status import (
    ActorView,
    AgentStatus,
    AttemptView,
    ErrorView,
    LimitView,
)

STATUS = AgentStatus(
    agent="0190-agent",
    name="rig",
    version="0.1.0",
    server="http://127.0.0.1:9450",
    state="running",
    ready=True,
    started_ms=1_000,
    queues=("gpu", "cpu"),
    lease_s=31.5,
    limits=(LimitView(kind="run", used=1, limit=4), LimitView(kind="build", used=0, limit=-1)),
    actors=(
        ActorView(name="supervisor", process="main", doing="1 attempt"),
        ActorView(name="poller", process="main", parent="supervisor", doing="waits for work"),
        ActorView(name="launcher-1", process="run-local", parent="gone", alive=False, restarts=2),
    ),
    attempts=(
        AttemptView(
            item="0190-item",
            attempt=1,
            queue="gpu",
            target="local-process",
            state=AttemptState.RUNNING,
            since_ms=1_000,
            detail="<script>alert(1)</script>",
        ),
    ),
    errors=(ErrorView(where="reporter", message="server away & back", at_ms=500, times=3),),
)


@dataclass
class Agent:
    """An agent that says what the test wants."""

    told: AgentStatus = STATUS
    dead: tuple[str, ...] = ()
    fails: bool = False

    def status(self) -> AgentStatus:
        if self.fails:
            raise RuntimeError("token s3cr3t")
        return self.told

    def stuck(self) -> tuple[str, ...]:
        return self.dead


@dataclass
class Site:
    """A listening endpoint and its agent."""

    agent: Agent
    endpoint: OperationsEndpoint
    heard: list[str] = field(default_factory=list)

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str, str]:
        """Return status, content type and body."""
        connection = http.client.HTTPConnection(*self.endpoint.address, timeout=120)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
        finally:
            connection.close()


@pytest.fixture
def site() -> Iterator[Site]:
    """Give an endpoint of an agent that is well."""
    agent = Agent()
    heard: list[str] = []

    def metrics(accept: str) -> tuple[bytes, str]:
        heard.append(accept)
        return b"launchyard_up 1\n", "text/plain; version=0.0.4"

    views = OperationsViews(agent=agent, metrics=metrics, now_ms=lambda: 4_000_000)
    endpoint = OperationsEndpoint(OperationsConfig(port=0), pages(views))
    endpoint.start()
    yield Site(agent, endpoint, heard)
    endpoint.stop()


def test_metrics_come_as_they_are_rendered(site: Site) -> None:
    """Text and type are the renderer's, which sees what the scraper accepts."""
    assert site.get("/metrics", Accept="application/openmetrics-text") == (
        200,
        "text/plain; version=0.0.4",
        "launchyard_up 1\n",
    )
    assert site.heard == ["application/openmetrics-text"]


def test_an_agent_that_moves_is_live_whatever_happens_outside(site: Site) -> None:
    """A server that is away, or a drain, is no reason to be killed."""
    site.agent.told = replace(STATUS, ready=False, why="the server is away")
    assert site.get("/livez")[0] == 200
    assert site.get("/healthz")[0] == 200


def test_what_is_stuck_is_named(site: Site) -> None:
    """A probe that fails says on whose account."""
    site.agent.dead = ("poller", "host run-local")
    assert site.get("/livez")[::2] == (503, "stuck: poller\nstuck: host run-local\n")
    assert site.get("/readyz")[0] == 503


def test_ready_says_why_not(site: Site) -> None:
    """While draining no work is taken, and a look says so."""
    assert site.get("/readyz")[::2] == (200, "ok\n")
    assert site.get("/readyz?verbose")[2] == "[+] takes work\n[+] everything lives\n"
    site.agent.told = replace(STATUS, state="draining", ready=False, why="draining")
    assert site.get("/readyz")[::2] == (503, "draining\n")
    assert "[-] takes work: draining" in site.get("/readyz?verbose")[2]


def test_the_status_page_tells_it_all(site: Site) -> None:
    """Actors, attempts, limits and troubles are on one page, for eyes and for programs."""
    code, content_type, page = site.get("/status")
    assert (code, content_type) == (200, "text/html; charset=utf-8")
    for text in ("supervisor", "waits for work", "0190-item", "1 of 4", "no limit", "1 h 6 min"):
        assert text in page
    assert page.index("supervisor") < page.index('<ul class="">') < page.index("poller")
    assert "launcher-1" in page


def test_the_status_page_trusts_no_text(site: Site) -> None:
    """What a job is called cannot become part of the page."""
    page = site.get("/status")[2]
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "away &amp; back" in page


def test_the_status_is_json_for_programs(site: Site) -> None:
    """By its own path, or by what the request accepts."""
    for answer in (site.get("/status.json"), site.get("/status", Accept="application/json")):
        assert answer[1] == "application/json"
        document = json.loads(answer[2])
        assert document["attempts"][0]["state"] == "running"
        assert document["limits"][1] == {"kind": "build", "used": 0, "limit": -1}


def test_the_version_is_told(site: Site) -> None:
    """A look says what runs here."""
    told = json.loads(site.get("/version")[2])
    assert (told["component"], told["version"]) == ("agent", "0.1.0")


def test_an_unknown_page_lists_the_known(site: Site) -> None:
    """A wrong path is answered by the right ones."""
    code, _, text = site.get("/metrix")
    assert code == 404
    assert "/metrics" in text


def test_only_reading_is_possible(site: Site) -> None:
    """Nothing can be changed here; HEAD gives the head alone."""
    assert site.get("/status", "POST")[0] == 501
    assert site.get("/livez", "HEAD")[::2] == (200, "")


def test_a_page_that_fails_tells_nothing(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """The reader sees that it failed; the log has the rest, and the others go on."""
    site.agent.fails = True
    code, _, text = site.get("/status")
    assert code == 500
    assert "s3cr3t" not in text
    assert "/status failed" in caplog.text
    assert site.get("/livez")[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9460", "", "127.0.0.1.evil.example"]
)
def test_another_hosts_name_is_refused_on_loopback(site: Site, host: str) -> None:
    """A web page that points its own name at this machine reads nothing."""
    assert site.get("/status.json", Host=host)[0] == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9460", "127.0.0.1:1", "[::1]:9460"])
def test_this_machines_names_are_good(site: Site, host: str) -> None:
    """People write it in several ways."""
    assert site.get("/livez", Host=host)[0] == 200


def test_a_port_in_use_is_a_clear_error() -> None:
    """The message names the port and the setting."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OperationsError, match=rf"127\.0\.0\.1:{port}.*`operations\.port`"):
            OperationsEndpoint(OperationsConfig(port=port), {})


def test_a_name_that_is_no_address_is_a_clear_error() -> None:
    """A host that this machine does not have is told likewise."""
    with pytest.raises(OperationsError, match=r"cannot listen on 192\.0\.2\.1:0"):
        OperationsEndpoint(OperationsConfig(host="192.0.2.1", port=0), {})


def test_slow_clients_keep_nobody_waiting() -> None:
    """Clients that say nothing take no turn from those that ask."""
    endpoint = OperationsEndpoint(OperationsConfig(port=0), {"/": lambda _: Answer(body=b"ok")})
    endpoint.start()
    silent = [socket.create_connection(endpoint.address) for _ in range(5)]
    try:
        assert Site(Agent(), endpoint).get("/")[2] == "ok"
    finally:
        for connection in silent:
            connection.close()
        endpoint.stop()


def test_stopping_gives_the_port_back() -> None:
    """A new agent can listen where the old one did, at once; stopping twice is harmless."""
    endpoint = OperationsEndpoint(OperationsConfig(port=0), {})
    endpoint.start()
    endpoint.stop()
    endpoint.stop()
    again = OperationsEndpoint(OperationsConfig(port=endpoint.address[1]), {})
    again.stop()
    assert not [t for t in threading.enumerate() if t.name == "operations"]


def test_it_loads_no_web_framework() -> None:
    """An agent stays small."""
    code = (
        "import sys, launchyard.adapters.http.operations_pages;"
        "sys.exit(' '.join({'fastapi', 'starlette', 'uvicorn', 'asyncio', 'prometheus_client'}"
        " & set(sys.modules)) or 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
