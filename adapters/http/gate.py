"""What every request passes: the names it may come under, its id, its count, and the last net."""

from __future__ import annotations

import ipaddress
import logging
import math
import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from launchyard.adapters.http.guard import WHO
from launchyard.adapters.http.limits import Limits
from launchyard.adapters.http.problems import RefusalError, refusal
from launchyard.adapters.http.services import HttpSettings
from launchyard.ports.families import HTTP_DURATION, HTTP_REQUESTS
from launchyard.ports.metrics import Metrics

_LOG: Final = logging.getLogger("launchyard.http")
_ACCESS: Final = logging.getLogger("launchyard.access")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PROBES: Final = frozenset({"/livez", "/readyz"})
"""Asked by an orchestrator under whatever address it knows; they tell nothing."""

_REPEATED: Final = frozenset(
    {"claim", "heartbeat", "launching", "reports", "livez", "readyz", "metrics", "{source}"}
    | {"graphql", "file_stream"}
)
"""Ends of routes that machines call all day: only what goes wrong there is worth a line."""

_AGENT: Final = "/api/v1/agents/"
_ATTEMPTS: Final = "/attempts/"
_JOB: Final = (b"Bearer lyat", b"Basic YXBpOmx5YXQ", b"Basic YXBpOmx5YXR")
"""How a job's token begins in a header: as it is, or as the password of `api` in base64."""


class Gate:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, settings: HttpSettings, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._hosts = _LOOPBACK | {name.lower() for name in settings.hosts}
        self._any_address = settings.any_address
        self._limits = Limits(settings.rates)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Passage(self, scope, send).run(receive)

    async def forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it for the names it came under, or for its number."""
        wrong = None
        if scope["path"] not in _PROBES:
            wrong = self._stranger(scope["headers"]) or self._too_many(scope)
        await (refusal(wrong) if wrong else self._app)(scope, receive, send)

    def _too_many(self, scope: Scope) -> RefusalError | None:
        header, path = _shown(scope), scope["path"]
        work = (path.startswith(_AGENT) or _ATTEMPTS in path) and not header.startswith(_JOB)
        client = scope.get("client")
        wait_s = self._limits.wait_s(header, client[0] if client else "", work=work)
        if not wait_s:
            return None
        after_s = math.ceil(wait_s)
        detail = f"too many requests; the next one may come in {after_s} s"
        remedy = "wait as long as Retry-After says; docs/rest.md has the limits"
        return RefusalError(429, "too_many", detail, remedy=remedy, retry_after_s=after_s)

    def count(self, scope: Scope, status: int, took_s: float, request_id: str) -> None:
        """Count an answer under its route's template, and write its line in the log."""
        route = getattr(scope.get("route"), "path", "none")
        who = scope.get(WHO, "")
        if who:
            self._limits.was_good(_shown(scope))
        self._log(scope, route, Answered(status, took_s, request_id, who))
        labels = {"route": route, "method": scope["method"]}
        self._metrics.count(HTTP_REQUESTS, labels | {"code": str(status)})
        self._metrics.observe(HTTP_DURATION, took_s, labels)

    @staticmethod
    def _log(scope: Scope, route: str, answered: Answered) -> None:
        quiet = answered.status < HTTPStatus.BAD_REQUEST and route.rpartition("/")[2] in _REPEATED
        level = logging.DEBUG if quiet else logging.INFO
        if not _ACCESS.isEnabledFor(level):
            return
        # As it came over the wire, percent-signs and all: no line of it can forge another.
        path = scope.get("raw_path", b"").decode("ascii", "replace").partition("?")[0]
        fields = {
            "event": "request",
            "method": scope["method"],
            "path": path,
            "route": route,
            "status": answered.status,
            "took_ms": round(answered.took_s * 1000, 1),
            "request_id": answered.request_id,
            "user": answered.who,
        }
        _ACCESS.log(
            level,
            "%(method)s %(path)s %(status)d in %(took_ms)s ms for %(user)s, request %(request_id)s",
            fields | {"user": answered.who or "nobody"},
            extra={"fields": fields},
        )

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


def _shown(scope: Scope) -> bytes:
    """Return the `Authorization` of a request."""
    return next((value for name, value in scope["headers"] if name == b"authorization"), b"")


@lru_cache(maxsize=1)
def _date(now_s: int) -> bytes:
    """Return the time as headers have it; the same for all answers of a second."""
    return formatdate(now_s, usegmt=True).encode()


@dataclass(frozen=True, slots=True)
class Answered:
    """What the log says of an answer."""

    status: int
    took_s: float
    request_id: str
    who: str


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
            extra = [
                (b"x-request-id", self._id),
                (b"x-content-type-options", b"nosniff"),
                (b"date", _date(int(time.time()))),
            ]
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
            took_s = time.perf_counter() - self._began
            self._gate.count(self._scope, self._status, took_s, self._id.decode())
        await self._send(message)

    async def _apologise(self, receive: Receive) -> None:
        detail = f"the server failed; its log has more under request {self._id.decode()}"
        error = RefusalError(500, "internal", detail, remedy="try again; if it stays, report it")
        await refusal(error)(self._scope, receive, self.send)
