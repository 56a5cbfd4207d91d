"""What comes bit by bit: an item's events, logs, and the bytes of outputs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

from launchyard.adapters.client.events import events_of, through_breaks
from launchyard.adapters.client.reading import item_view
from launchyard.adapters.client.server import read
from launchyard.adapters.client.transport import STREAM_S, Call, Transport, place
from launchyard.domain.item import ItemState
from launchyard.ports.operator import LogAddress, LogText, OperatorError
from launchyard.ports.records import ItemView


class Following:
    """The part of the operator that follows."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def events(self, item: str) -> Iterator[ItemView]:
        """Give the item's views; after a break the first one tells what happened meanwhile."""
        last: ItemView | None = None

        def begin() -> Iterator[ItemView]:
            call = Call(method="GET", path=place("items", item, "events"), read_s=STREAM_S)
            for event in events_of(self._http.pieces(call)):
                if event.name == "item":
                    yield item_view(json.loads(event.data))
            if last is not None and last.state is not ItemState.DONE:
                raise self._broke_off("the item's events")

        for view in through_breaks(begin):
            if view != last:
                last = view
                yield view

    def logs(self, address: LogAddress) -> Iterator[bytes]:
        yield from self._http.pieces(_log_call(address))

    def follow_logs(self, address: LogAddress) -> Iterator[LogText]:
        """Give the log; after a break what was given already is left out, source by source."""
        given: dict[str, int] = {}

        def begin() -> Iterator[LogText]:
            for event in events_of(self._http.pieces(_log_call(address, follow=True))):
                if event.name == "end":
                    return
                if event.name == "chunk":
                    yield read(LogText, json.loads(event.data))
            raise self._broke_off("the log")

        for chunk in through_breaks(begin):
            new = _unseen(chunk, given.get(chunk.source, 0))
            given[chunk.source] = max(given.get(chunk.source, 0), chunk.to)
            if new.text:
                yield new

    def read_output(self, item: str, path: str, attempt: int = 0) -> Iterator[bytes]:
        params = {"attempt": str(attempt)} if attempt else {}
        where = place("items", item, "outputs") + f"/{quote(path)}"
        yield from self._http.pieces(Call(method="GET", path=where, params=params, read_s=STREAM_S))

    def _broke_off(self, what: str) -> OperatorError:
        return OperatorError(
            f"{what} broke off: the server at {self._http.url} closed the connection",
            retry=True,
            remedy="try again; if it stays so, look at the server's log",
        )


def _log_call(address: LogAddress, *, follow: bool = False) -> Call:
    given = {
        "attempt": str(address.attempt or ""),
        "source": address.source,
        "start": str(address.start or ""),
        "follow": "1" if follow else "",
    }
    params = {name: value for name, value in given.items() if value}
    return Call(
        method="GET", path=place("items", address.item, "logs"), params=params, read_s=STREAM_S
    )


def _unseen(chunk: LogText, seen: int) -> LogText:
    """Return what of *chunk* comes after byte *seen*."""
    if chunk.start >= seen:
        return chunk
    rest = chunk.text.encode()[seen - chunk.start :].decode(errors="replace")
    return LogText(source=chunk.source, start=min(seen, chunk.to), to=chunk.to, text=rest)
