"""Logs in and out, and live streams that end when they should."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.adapters.http.agents import FakeAgent
from tests.servers import LIMIT_S, RunningServer

Make = Callable[..., FakeAgent]


@pytest.fixture
def grant(server: RunningServer, queue: str, make_agent: Make) -> tuple[FakeAgent, dict[str, Any]]:
    """Give an agent with an item that it is launching."""
    server.submit("true", queue=queue)
    agent = make_agent(queue)
    found = agent.claim()["items"][0]
    agent.launch(found)
    return agent, found


def append(
    server: RunningServer, item: str, start: int, data: bytes, source: str = "job"
) -> requests.Response:
    """Append to a log."""
    path = f"/items/{item}/attempts/1/logs/{source}?start={start}"
    return server.ask("PUT", path, data=data)


def events(answer: requests.Response) -> Iterator[tuple[str, Any]]:
    """Yield the events of a stream."""
    name = ""
    for line in answer.iter_lines(chunk_size=1):
        if line.startswith(b"event: "):
            name = line[7:].decode()
        elif line.startswith(b"data: "):
            yield name, json.loads(line[6:])


def test_a_log_grows_by_chunks(
    server: RunningServer, grant: tuple[FakeAgent, dict[str, Any]]
) -> None:
    """Each chunk begins where the last one ended; else 409 says where that is."""
    item = grant[1]["item"]
    assert append(server, item, 0, b"one\n").json() == {"cursor": 4}
    assert append(server, item, 4, b"two\n").json() == {"cursor": 8}
    refused = append(server, item, 3, b"x")
    assert (refused.status_code, refused.json()["cursor"]) == (409, 8)
    answer = server.ask("GET", f"/items/{item}/logs?source=job")
    assert (answer.content, answer.headers["X-Launchyard-Cursor"]) == (b"one\ntwo\n", "8")
    assert server.ask("GET", f"/items/{item}/logs?source=job&start=4").content == b"two\n"
    assert server.ask("GET", f"/items/{item}/logs?source=job&start=99").content == b""


def test_sources_are_read_one_after_another(
    server: RunningServer, grant: tuple[FakeAgent, dict[str, Any]]
) -> None:
    """The build comes first, as it did in time."""
    item = grant[1]["item"]
    append(server, item, 0, b"run\n", "job")
    append(server, item, 0, b"build\n", "build")
    answer = server.ask("GET", f"/items/{item}/logs")
    assert answer.content == b"build\nrun\n"
    assert "X-Launchyard-Cursor" not in answer.headers  # there is one for each source


def test_a_log_is_followed_to_its_end(
    server: RunningServer, grant: tuple[FakeAgent, dict[str, Any]]
) -> None:
    """Text comes as it is appended, whole characters only, and `end` after the log is complete."""
    agent, found = grant
    item = found["item"]
    append(server, item, 0, "première ".encode())
    with server.ask("GET", f"/items/{item}/logs?follow=1", stream=True) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        stream = events(answer)
        assert next(stream)[1]["text"] == "première "
        data = "é\n".encode()
        append(server, item, 10, data[:1])
        append(server, item, 11, data[1:])
        text = ""
        while "\n" not in text:
            name, chunk = next(stream)
            assert name == "chunk"
            text += chunk["text"]
        assert (text, chunk["to"]) == ("é\n", 13)
        agent.report(found, 1, state="succeeded", reason="completed")
        agent.report(found, 2, logs_complete=True)
        assert list(stream) == [("end", {})]


def test_a_follower_may_begin_anywhere(
    server: RunningServer, grant: tuple[FakeAgent, dict[str, Any]]
) -> None:
    """Whoever comes back after a break goes on at its cursor."""
    agent, found = grant
    append(server, found["item"], 0, b"one\ntwo\n")
    agent.finish(found)
    with server.ask(
        "GET", f"/items/{found['item']}/logs?follow=1&source=job&start=4", stream=True
    ) as answer:
        seen = list(events(answer))
    assert seen[0][1] == {"source": "job", "start": 4, "to": 8, "text": "two\n"}
    assert seen[1] == ("end", {})


def test_an_item_s_changes_are_followed(
    server: RunningServer, queue: str, make_agent: Make
) -> None:
    """From waiting to the end of its log; the stream ends by itself."""
    item = server.submit("true", queue=queue)
    with server.ask("GET", f"/items/{item}/events", stream=True) as answer:
        stream = events(answer)
        name, view = next(stream)
        assert (name, view["state"]) == ("item", "queued")
        agent = make_agent(queue)
        agent.finish(agent.claim()["items"][0])
        states = [view["state"] for _, view in stream]
    assert states[-1] == "done"


def test_a_cancelled_waiting_item_ends_its_streams(server: RunningServer, queue: str) -> None:
    """It never had a log, so nothing is waited for."""
    item = server.submit("true", queue=queue)
    server.call("POST", f"/items/{item}/cancel")
    for what, last in (("events", "item"), ("logs?follow=1", "end")):
        with server.ask("GET", f"/items/{item}/{what}", stream=True) as answer:
            assert [name for name, _ in events(answer)] == [last]


def test_followers_are_counted_while_they_follow(
    server: RunningServer, grant: tuple[FakeAgent, dict[str, Any]]
) -> None:
    """A client that leaves is noticed."""
    item = grant[1]["item"]

    def following() -> float:
        text = server.ask("GET", "metrics", key="").text
        lines = [line for line in text.splitlines() if 'sse_clients{stream="events"}' in line]
        return float(lines[0].split()[1]) if lines else 0.0

    def until(count: int) -> None:
        deadline = time.monotonic() + LIMIT_S
        while following() != count:
            assert time.monotonic() < deadline

    until(0)  # those of other tests may only just have left
    with server.ask("GET", f"/items/{item}/events", stream=True) as answer:
        stream = events(answer)
        next(stream)
        until(1)
    until(0)


@pytest.mark.parametrize("query", ["start=-1", "start=x", "attempt=x", "follow=maybe"])
def test_wrong_parameters_are_refused(
    server: RunningServer, grant: tuple[FakeAgent, dict[str, Any]], query: str
) -> None:
    """With the parameter's name."""
    answer = server.ask("GET", f"/items/{grant[1]['item']}/logs?{query}")
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["path"] == query.partition("=")[0]
