"""How often one caller may ask, with a clock that the test moves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from launchyard.adapters.http.limits import Limits, Rates
from tests.programs import LIMIT_S, Yard, until

RATES = Rates(key_per_s=10, key_burst=3, stranger_per_s=1, stranger_burst=2)


@dataclass
class Clock:
    """Stands still."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """Give a clock."""
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> Limits:
    """Give limits that know one key."""
    made = Limits(RATES, clock)
    made.was_good(b"good")
    return made


def test_a_burst_is_served_and_then_a_rate(limits: Limits, clock: Clock) -> None:
    """The wait that is told is the one that helps."""
    assert [limits.wait_s(b"good", "a", work=False) for _ in range(3)] == [0, 0, 0]
    wait_s = limits.wait_s(b"good", "a", work=False)
    assert wait_s == pytest.approx(0.1)
    clock.now_s += wait_s
    assert limits.wait_s(b"good", "a", work=False) == 0
    clock.now_s += 100
    assert [limits.wait_s(b"good", "a", work=False) > 0 for _ in range(4)] == [False] * 3 + [True]


def test_an_agent_s_work_is_not_counted(limits: Limits) -> None:
    """Claims, heartbeats and reports go on, however many there are."""
    assert not any(limits.wait_s(b"good", "a", work=True) for _ in range(100))
    assert limits.wait_s(b"good", "a", work=False) == 0


def test_strangers_share_their_address(limits: Limits) -> None:
    """A new key each time helps nobody, and neither does pretending to be an agent."""
    waits = [limits.wait_s(f"new{n}".encode(), "a", work=True) for n in range(3)]
    assert [wait > 0 for wait in waits] == [False, False, True]
    assert limits.wait_s(b"", "a", work=False) > 0
    assert limits.wait_s(b"", "b", work=False) == 0
    assert limits.wait_s(b"good", "a", work=False) == 0


def test_one_key_does_not_slow_another(limits: Limits) -> None:
    """Each has a bucket of its own."""
    while not limits.wait_s(b"good", "a", work=False):
        continue
    limits.was_good(b"other")
    assert limits.wait_s(b"other", "a", work=False) == 0


def test_a_rate_of_nothing_is_no_limit(clock: Clock) -> None:
    """For whoever has a limit in front already."""
    limits = Limits(Rates(key_per_s=0, stranger_per_s=0), clock)
    limits.was_good(b"good")
    assert not any(limits.wait_s(b"good", "a", work=False) for _ in range(5000))
    assert not any(limits.wait_s(b"", "a", work=False) for _ in range(5000))


def test_memory_is_bounded(limits: Limits) -> None:
    """Whatever strangers send."""
    for n in range(10_050):
        limits.wait_s(b"x", f"address {n}", work=False)
        limits.was_good(f"key {n}".encode())
    assert max(len(limits._strangers), len(limits._keys)) == 10_000


def test_too_many_requests_are_told_how_long_to_wait(tmp_path: Path) -> None:
    """429 with Retry-After, as a problem and as a line of the log, while agents go on."""
    yard = Yard(tmp_path, server_words=("--rate-limit", "0.5", "--log-format", "json"))
    try:
        yard.start_server()
        yard.make_queue()
        asked = {"X-Request-Id": "mine-1"}
        answers: list[requests.Response] = []

        def is_refused() -> bool:
            me = f"{yard.url}/api/v1/me"
            answers.append(yard.session.get(me, headers=asked, timeout=LIMIT_S))
            return answers[-1].status_code == 429

        until(is_refused, "a refusal")
        refused = answers[-1]
        assert answers[0].ok
        assert refused.headers["Retry-After"] == str(refused.json()["retry_after_s"])
        assert refused.json()["type"] == "urn:launchyard:too_many"
        assert requests.get(f"{yard.url}/readyz", timeout=LIMIT_S).ok
        assert 0 < float(refused.headers["Retry-After"]) <= 3
        path = f"{yard.url}/api/v1/agents/nobody/claim"
        work = [yard.session.post(path, json={}).status_code for _ in range(5)]
        assert work == [404] * 5
        assert yard.server
        said = yard.server.said().splitlines()
    finally:
        yard.close()
    lines = [json.loads(line) for line in said if line.startswith("{")]
    [last] = [line for line in lines if line.get("status") == 429][-1:]
    assert (last["event"], last["request_id"], last["path"]) == ("request", "mine-1", "/api/v1/me")
    assert {"ts", "level", "logger", "process", "message", "took_ms"} <= last.keys()
