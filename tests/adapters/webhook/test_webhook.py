"""Posting events: what arrives, what is tried again, and where nothing is ever posted to."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from launchyard.adapters.prometheus.metrics import PrometheusMetrics
from launchyard.adapters.webhook.address import AddressRefusedError, Networks, resolve
from launchyard.adapters.webhook.post import PostError, Receiver, post, sign
from launchyard.adapters.webhook.sender import SenderConfig, WebhookSender
from launchyard.domain.attempt import AttemptState
from launchyard.domain.review import JobEvent

SECRET = "0123456789abcdef"  # noqa: S105 - the test's own
LIMIT_S = 120.0


class Site:
    """A receiver that notes what it gets and answers as it is told, 200 when it is not."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.changed = threading.Condition()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook?a=1"

    def wait(self, count: int) -> None:
        """Wait until so many posts have come."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.got) >= count, LIMIT_S)

    def _handler(site: Site) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler's self is another
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with site.changed:
                    site.got.append(({**self.headers, "path": self.path}, body))
                    status = site.answers.pop(0) if site.answers else 200
                    site.changed.notify_all()
                self.send_response(status)
                if status in range(300, 400):
                    self.send_header("Location", site.url)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        return Handler


@pytest.fixture
def site() -> Iterator[Site]:
    """Give a receiver."""
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


def receiver(url: str, *allow: str) -> Receiver:
    """Return a receiver as a configuration names it."""
    return Receiver(url=url, secret=SECRET, networks=Networks.of(allow), timeout_s=LIMIT_S)


def event(number: int = 1, state: AttemptState = AttemptState.RUNNING) -> JobEvent:
    """Return an attempt's step."""
    return JobEvent(
        id=f"i.1.{number}",
        at_ms=1,
        item="i",
        attempt=1,
        seq=number,
        state=state,
        entity="team",
        queue="q",
        target="local-process",
        agent="a",
    )


def counts(metrics: PrometheusMetrics) -> dict[str, float]:
    """Return the deliveries by their results."""
    return {
        sample.labels["result"]: sample.value
        for sample in metrics.snapshot()
        if sample.family.name == "webhook_deliveries" and sample.suffix == "_total"
    }


def test_a_post_can_be_verified(site: Site) -> None:
    """Whoever has the key can tell who sent the body, and when."""
    post(receiver(site.url, "127.0.0.0/8"), "i.1.1", b'{"a":1}', 1700000000)
    (headers, body), *others = site.got
    assert not others
    assert (headers["path"], body) == ("/hook?a=1", b'{"a":1}')
    digest = hmac.new(SECRET.encode(), b'1700000000.{"a":1}', hashlib.sha256).hexdigest()
    assert headers["Launchyard-Signature"] == f"v1={digest}"
    assert headers["Launchyard-Timestamp"] == "1700000000"
    assert headers["Launchyard-Event"] == "i.1.1"


def test_a_signature_covers_time_and_body() -> None:
    """Neither can be changed."""
    known = sign(SECRET, "1", b"x")
    assert known not in {sign(SECRET, "2", b"x"), sign(SECRET, "1", b"y"), sign("other", "1", b"x")}


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - an address to be refused
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%lo",
        "fc00::1",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_private_addresses_are_refused(address: str) -> None:
    """Loopback, private, link-local, metadata, and IPv6 that stands for one of them."""
    assert not Networks().permit(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_public_addresses_may_be_reached(address: str) -> None:
    """Those are what a webhook is for."""
    assert Networks().permit(address)


def test_a_network_can_be_allowed() -> None:
    """By its name in the configuration, and no more than that."""
    networks = Networks.of(["10.1.0.0/16"])
    assert networks.permit("10.1.2.3")
    assert not networks.permit("10.2.2.3")


def test_a_name_of_a_private_address_is_refused() -> None:
    """What counts is where a name leads, in whatever way a number is written."""
    for host in ("localhost", "127.1", "2130706433"):
        with pytest.raises(AddressRefusedError, match=r"webhook\.allow"):
            resolve(host, 80, Networks())


def test_nothing_is_posted_to_a_private_address(site: Site) -> None:
    """It is refused for good, and no connection is made."""
    with pytest.raises(PostError, match="not public") as e:
        post(receiver(site.url), "i.1.1", b"{}", 1)
    assert not e.value.retry
    assert not site.got


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_nobody_is_followed_elsewhere(site: Site, status: int) -> None:
    """An answer that sends us on is a refusal: it could lead anywhere."""
    site.answers = [status]
    with pytest.raises(PostError, match="not followed") as e:
        post(receiver(site.url, "127.0.0.1"), "i.1.1", b"{}", 1)
    assert not e.value.retry
    assert len(site.got) == 1


def test_a_receiver_that_is_away_is_tried_again() -> None:
    """A closed port may be open later."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(PostError) as e:
        post(receiver(f"http://127.0.0.1:{port}/", "127.0.0.1"), "i.1.1", b"{}", 1)
    assert e.value.retry


@pytest.mark.parametrize(
    "url", ["https://host:99999/", "https://a..b/", "http://127.0.0.1:9/hook-é", "http://[::1/"]
)
def test_an_address_that_means_nothing_ends_no_sender(url: str) -> None:
    """Each event is refused for good, and the next is still tried: the sender goes on."""
    metrics = PrometheusMetrics()
    out = WebhookSender(SenderConfig(receiver=receiver(url, "127.0.0.0/8")), metrics)
    out.put(event(1))
    out.put(event(2))
    out.close(LIMIT_S)
    assert counts(metrics) == {"refused": 2.0}


def sender(site: Site, metrics: PrometheusMetrics, *states: str) -> WebhookSender:
    """Return a sender that does not wait for long."""
    to = receiver(site.url, "127.0.0.1")
    config = SenderConfig(receiver=to, states=frozenset(states), tries=3, first_wait_s=0.01)
    return WebhookSender(config, metrics)


def test_events_are_tried_again_and_keep_their_order(site: Site) -> None:
    """A 503 is not the end of it; a 400 is, and costs the others nothing."""
    site.answers = [503, 429, 200, 400]
    metrics = PrometheusMetrics()
    out = sender(site, metrics)
    for number in (1, 2, 3):
        out.put(event(number))
    site.wait(5)
    out.close(LIMIT_S)
    assert [json.loads(body)["seq"] for _, body in site.got] == [1, 1, 1, 2, 3]
    assert counts(metrics) == {"retried": 2.0, "delivered": 2.0, "refused": 1.0}


def test_an_event_is_dropped_after_its_tries(site: Site) -> None:
    """What is never taken holds the rest up for no longer than its tries."""
    site.answers = [500, 500, 500]
    metrics = PrometheusMetrics()
    out = sender(site, metrics)
    out.put(event(1))
    out.put(event(2))
    site.wait(4)
    out.close(LIMIT_S)
    assert counts(metrics) == {"retried": 2.0, "dropped": 1.0, "delivered": 1.0}


def test_only_wanted_states_are_told(site: Site) -> None:
    """A receiver of ends hears of ends."""
    out = sender(site, PrometheusMetrics(), "succeeded")
    out.put(event(1))
    out.put(event(2, AttemptState.SUCCEEDED))
    site.wait(1)
    out.close(LIMIT_S)
    assert [json.loads(body)["state"] for _, body in site.got] == ["succeeded"]
