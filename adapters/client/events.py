"""Server-sent events: what `text/event-stream` holds, and how to follow one through breaks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from launchyard.ports.launch_server import ServerError

_T = TypeVar("_T")
_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 3.0
_PATIENCE_S: Final = 60.0
"""How long a server may be away before whoever follows it is told."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream."""

    name: str
    data: str


def events_of(pieces: Iterable[bytes]) -> Iterator[Event]:
    """Give the events in *pieces* of a stream, wherever it was cut; comments are left out."""
    name, data, rest = "", list[str](), b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for raw in lines:
            line = raw.removesuffix(b"\r").decode(errors="replace")
            key, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                if data:
                    yield Event(name or "message", "\n".join(data))
                name, data = "", []
            elif key == "event":
                name = value
            elif key == "data":
                data.append(value)


def through_breaks(begin: Callable[[], Iterator[_T]]) -> Iterator[_T]:
    """Give what *begin* gives, and begin again when the server was away for a while.

    *begin* has to know where it stopped. It ends when *begin* does.

    Raises:
        ServerError: one that will not pass, or the server was away for a minute.
    """
    away_since: float | None = None
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            for one in begin():
                away_since, wait_s = None, _FIRST_WAIT_S
                yield one
        except ServerError as error:
            away_since = time.monotonic() if away_since is None else away_since
            if not error.retry or time.monotonic() - away_since > _PATIENCE_S:
                raise
            time.sleep(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
        else:
            return
