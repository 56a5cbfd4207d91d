"""What every request passes: the names it may come under, its id, its count, and the last net."""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import time
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from launchyard.adapters.http.problems import RefusalError, refusal
from launchyard.adapters.http.services import HttpSettings
from launchyard.ports.families import HTTP_DURATION, HTTP_REQUESTS
from launchyard.ports.metrics import Metrics

_LOG: Final = logging.getLogger("launchyard.http")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PROBES: Final = frozenset({"/livez", "/readyz"})
"""Asked by an orchestrator under whatever address it knows; they tell nothing."""


class Gate:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, settings: HttpSettings, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._hosts = _LOOPBACK | {name.lower() for name in settings.hosts}
        self._any_address = settings.any_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Passage(self, scope, send).run(receive)

    async def forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it for the names it came under."""
        wrong = None if scope["path"] in _PROBES else self._stranger(scope["headers"])
        await (refusal(wrong) if wrong else self._app)(scope, receive, send)

    def count(self, scope: Scope, status: int, took_s: float) -> None:
        """Count an answer under its route's template."""
        route = getattr(scope.get("route"), "path", "none")
        labels = {"route": route, "method": scope["method"]}
        self._metrics.count(HTTP_REQUESTS, labels | {"code": str(status)})
        self._metrics.observe(HTTP_DURATION, took_s, labels)

    def _stranger(self, headers: Iterable[tuple[bytes, bytes]]) -> RefusalError | None:
        host = origin = None
        for name, value in headers:
            if name == b"host":
                host = value.decode("latin-1")
            elif name == b"origin":
                origin = value.decode("latin-1")
        if not self._known(f"http://{host}"):
            remedy = "start the server with `--host-name NAME` to let it be called so"
            detail = f"this server is not called {host!r}"
            return RefusalError(421, "wrong_host", detail, remedy=remedy)
        if origin is not None and not self._known(origin):
            return RefusalError(
                403, "wrong_origin", f"pages of {origin!r} may not call this server"
            )
        return None

    def _known(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            name = (parts.hostname or "").rstrip(".")
        except ValueError:
            return False
        if parts.scheme not in {"http", "https"}:
            return False
        return name in self._hosts or (self._any_address and _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class _Passage:
    """One request on its way through."""

    def __init__(self, gate: Gate, scope: Scope, send: Send) -> None:
        self._gate, self._scope, self._send = gate, scope, send
        self._began = time.perf_counter()
        self._id = (
            next((v for k, v in scope["headers"] if k == b"x-request-id" and _ID.fullmatch(v)), b"")
            or os.urandom(8).hex().encode()
        )
        self._status = 0

    async def run(self, receive: Receive) -> None:
        try:
            await self._gate.forward(self._scope, receive, self.send)
        except Exception:  # noqa: BLE001 - the last net: logged, and answered without a word of it
            # The path may hold what people typed, the query too; the traceback has no bodies.
            what = self._scope["method"], self._scope["path"], self._id.decode()
            _LOG.exception("%s %s failed (request %s)", *what)
            if not self._status:
                await self._apologise(receive)

    async def send(self, message: Message) -> None:
        """Pass an answer on, with its request's id."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            extra = [(b"x-request-id", self._id), (b"x-content-type-options", b"nosniff")]
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
            self._gate.count(self._scope, self._status, time.perf_counter() - self._began)
        await self._send(message)

    async def _apologise(self, receive: Receive) -> None:
        detail = f"the server failed; its log has more under request {self._id.decode()}"
        error = RefusalError(500, "internal", detail, remedy="try again; if it stays, report it")
        await refusal(error)(self._scope, receive, self.send)
