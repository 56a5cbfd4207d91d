"""Server-sent events as they come: cut anywhere, broken off, begun again."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.adapters.client.events import Event, events_of
from launchyard.adapters.client.operator import RestOperator
from launchyard.ports.operator import LogAddress, OperatorError
from tests.adapters.client.scripted import Asked, Reply, problem, scripted

STREAM = (
    b": hello\n\nevent: item\ndata: {}\n\ndata: one\ndata: two\r\n\r\n"
    b"event: chunk\ndata: gr\xc3\xbcn\n\nevent: end\ndata: {}\n\nevent: cut\ndata: of"
)
EVENTS = [
    Event("item", "{}"),
    Event("message", "one\ntwo"),
    Event("chunk", "grün"),
    Event("end", "{}"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_where_a_stream_is_cut_makes_no_difference(cuts: list[int]) -> None:
    """Also in the middle of a letter; an event that never became whole is left out."""
    places = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[a:b] for a, b in pairwise(places)]
    assert list(events_of(pieces)) == EVENTS


def _chunk(start: int, text: str, source: str = "job") -> str:
    data = {"source": source, "start": start, "to": start + len(text.encode()), "text": text}
    return f"event: chunk\ndata: {json.dumps(data)}\n\n"


def _stream(*events: str) -> Reply:
    return Reply(200, "".join(events).encode(), "text/event-stream")


END = "event: end\ndata: {}\n\n"


def test_a_log_that_broke_off_goes_on_where_it_was() -> None:
    """The second time the server gives all of it again; nothing is shown twice, nothing is lost."""
    replies = iter(
        [
            _stream(_chunk(0, "build\n", "build"), _chunk(0, "one\nhalf")),
            Reply(drop=True),
            problem(503, "starting"),
            _stream(
                _chunk(0, "build\n", "build"), _chunk(0, "one\nhalf a line\n"), _chunk(16, "ü"), END
            ),
        ]
    )
    with scripted(lambda _: next(replies)) as server:
        operator = RestOperator(server.url, "k" * 40)
        chunks = list(operator.follow_logs(LogAddress(item="i", attempt=2)))
        operator.close()
    assert "".join(chunk.text for chunk in chunks if chunk.source == "job") == "one\nhalf a line\nü"
    assert "".join(chunk.text for chunk in chunks if chunk.source == "build") == "build\n"
    assert "attempt=2" in server.asked[0].path


def _view(**more: Any) -> str:
    document = {
        "id": "i",
        "entity": "e",
        "queue": "q",
        "resource": "r",
        "name": "",
        "submitter": "s",
        "run_id": "r",
        "state": "queued",
        "attempt": 1,
        "attempt_state": None,
        "enqueued_ms": 1,
    }
    return f"event: item\ndata: {json.dumps(document | more)}\n\n"


def test_events_go_on_after_a_break_without_repeats() -> None:
    """What happened meanwhile comes first; an unchanged item is not told again."""
    done = {"state": "done", "attempt_state": "succeeded", "logs_complete": True}
    replies = iter([_stream(_view()), _stream(_view(), _view(**done))])
    with scripted(lambda _: next(replies)) as server:
        operator = RestOperator(server.url, "k" * 40)
        states = [view.state.value for view in operator.events("i")]
        operator.close()
    assert states == ["queued", "done"]


def test_a_refusal_ends_following_at_once() -> None:
    """An item that is not there will not be there in a minute either."""

    def answer(_: Asked) -> Reply:
        return problem(404, "there is no item i")

    with scripted(answer) as server:
        operator = RestOperator(server.url, "k" * 40)
        with pytest.raises(OperatorError, match="there is no item i"):
            list(operator.events("i"))
        operator.close()
    assert len(server.asked) == 1
