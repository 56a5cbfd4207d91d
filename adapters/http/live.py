"""Routes that follow something: an item's changes and its log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from launchyard.adapters.http.bodies import (
    answer_value,
    flag,
    item_document,
    part,
    path_whole,
    read_bytes,
    whole,
)
from launchyard.adapters.http.endpoint import Body, Endpoint, Needs
from launchyard.adapters.http.following import LogReader, Patience
from launchyard.adapters.http.guard import only_own
from launchyard.adapters.http.house import House
from launchyard.adapters.http.problems import wrong
from launchyard.adapters.http.shapes import Cursor
from launchyard.adapters.http.sse import COMMENT, Streams, event
from launchyard.adapters.http.topics import Follower, log_topic
from launchyard.domain.attempt_token import OWN_SOURCE
from launchyard.domain.rights import Action
from launchyard.ports.families import LOG_BYTES_STORED
from launchyard.ports.records import ItemView

_LOGS: Final = "/api/v1/items/{item}/logs"
_LONGEST_NAME: Final = 128


class LiveRoutes:
    """Logs in and out, and events."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store, self._guard = house.store, house.guard
        self._streams = Streams(house.services.metrics)

    def endpoints(self) -> Sequence[Endpoint]:
        """Return this topic's part of the table."""
        return (
            Endpoint(
                method="GET",
                path="/api/v1/items/{item}/events",
                handler=self.events,
                does="Follow an item: `item` whenever it changes, until its log is complete",
                needs=Needs.READ,
                gives=Body.EVENTS,
            ),
            Endpoint(
                method="GET",
                path=_LOGS,
                handler=self.logs,
                does="Read a log, or follow it: `chunk` as text comes, then `end`",
                needs=Needs.READ_OR_OWN,
                gives=Body.BYTES,
                query={
                    "attempt": "another attempt than the present one",
                    "source": "one source instead of all",
                    "start": "from this byte on",
                    "follow": "1 to follow",
                },
            ),
            Endpoint(
                method="PUT",
                path="/api/v1/items/{item}/attempts/{attempt}/logs/{source}",
                handler=self.append,
                does="Append bytes to a log; 409 says where it ends, 413 that its quota is used up",
                needs=Needs.WORK_OR_OWN,
                takes=Body.BYTES,
                gives=Cursor,
                query={"start": "the cursor that the bytes begin at"},
            ),
        )

    async def append(self, request: Request) -> Response:
        item, attempt = part(request, "item"), path_whole(request, "attempt")
        own = self._guard.require_item_or_own(request, Action.WORK, item)
        only_own(own, attempt)
        source = part(request, "source")
        if len(source) > _LONGEST_NAME or not source.isprintable():
            raise wrong("source", "must be a short name")
        if own and not source.startswith(OWN_SOURCE):
            # The agent ships the others at cursors of its own, which a job must not move.
            raise wrong("source", f"of a job's own log must begin with `{OWN_SOURCE}`")
        start = whole(request, "start", 0)
        data = await read_bytes(request, self._house.settings.log_chunk_b)
        data = self._house.masks.masked(item, data)
        cursor = await self._house.write(
            lambda: self._store.append_log(item, attempt, source, start, data)
        )
        self._house.services.metrics.count(LOG_BYTES_STORED, by=len(data))
        self._house.topics.publish(log_topic(item))
        return answer_value(Cursor(cursor=cursor))

    async def events(self, request: Request) -> Response:
        item = part(request, "item")
        self._guard.require_item(request, Action.READ, item)
        return self._streams.answer("events", self._item_events(item))

    async def _item_events(self, item: str) -> AsyncIterator[bytes]:
        last: ItemView | None = None
        with self._house.topics.follow(item) as follower:
            patience = Patience(self._house.settings.log_grace_s)
            while not self._house.topics.closed:
                view = self._store.item(item)
                if view != last:
                    last = view
                    yield event("item", item_document(view))
                if patience.is_over(view, changed=False):
                    return
                if not await self._rung(follower):
                    yield COMMENT

    async def logs(self, request: Request) -> Response:
        item = part(request, "item")
        own = self._guard.require_item_or_own(request, Action.READ, item)
        attempt = whole(request, "attempt", 0) or self._store.item(item).attempt
        only_own(own, attempt)
        source, start = request.query_params.get("source", ""), whole(request, "start", 0)
        log = LogReader(self._house, item, attempt, source, start)
        if flag(request, "follow"):
            return self._streams.answer("logs", self._log_events(log))
        ends = log.ends()
        headers = {"Cache-Control": "no-store"}
        if source:
            headers["X-Launchyard-Cursor"] = str(ends.get(source, 0))
        return StreamingResponse(
            log.until(ends), headers=headers, media_type="application/octet-stream"
        )

    async def _log_events(self, log: LogReader) -> AsyncIterator[bytes]:
        with self._house.topics.follow(log_topic(log.item)) as follower:
            patience = Patience(self._house.settings.log_grace_s)
            while not self._house.topics.closed:
                view = self._attempt(log)
                changed = False
                for chunk in log.chunks():
                    changed = True
                    yield chunk
                if patience.is_over(view, changed=changed):
                    for chunk in log.chunks(final=True):
                        yield chunk
                    yield event("end", {})
                    return
                if not await self._rung(follower):
                    yield COMMENT

    def _attempt(self, log: LogReader) -> ItemView:
        """Return the item as far as the attempt goes; an earlier one may still be sending."""
        view = self._store.item(log.item)
        if view.attempt == log.attempt:
            return view
        earlier = self._store.attempts(log.item)
        return next((one for one in earlier if one.attempt == log.attempt), view)

    async def _rung(self, follower: Follower) -> bool:
        return await follower.wait(self._house.settings.heartbeat_s)
