"""Server-sent events: their text, and streams that end when they should."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse

from launchyard.domain.documents import Json
from launchyard.ports.families import SSE_CLIENTS
from launchyard.ports.metrics import Metrics

COMMENT = b":\n\n"
"""Sent now and then, so that both ends notice a dead connection."""


def event(name: str, document: Json) -> bytes:
    """Write one event; JSON has no line breaks, so its data is one line."""
    data = json.dumps(document, separators=(",", ":"))
    return f"event: {name}\ndata: {data}\n\n".encode()


class Streams:
    """Counts the clients of each kind of stream."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._open: dict[str, int] = {}

    def answer(self, kind: str, events: AsyncIterator[bytes]) -> StreamingResponse:
        """Answer with *events*; proxies are asked not to hold them back."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            self._counted(kind, events), headers=headers, media_type="text/event-stream"
        )

    async def _counted(self, kind: str, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._change(kind, 1)
        try:
            async for one in events:
                yield one
        finally:
            self._change(kind, -1)

    def _change(self, kind: str, by: int) -> None:
        self._open[kind] = self._open.get(kind, 0) + by
        self._metrics.gauge(SSE_CLIENTS, self._open[kind], {"stream": kind})
