"""The agent's own endpoint: numbers, health and status, on the standard library alone.

An agent must stay small and start fast, so no web framework is loaded for five short pages.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import urlsplit

_LOG: Final = logging.getLogger(__name__)
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_AT_ONCE: Final = 16
_CLIENT_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request: its path and query, the formats it accepts."""

    path: str
    query: str
    accept: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: int = HTTPStatus.OK


Page = Callable[[Asked], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsConfig:
    """Where to listen; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 9460


class OperationsError(Exception):
    """The endpoint cannot listen; the message says why, and the remedy."""


class OperationsEndpoint:
    """Serves pages by their path, each request in a thread of its own.

    While it listens on loopback alone it refuses requests that name another host, so that no web
    page can read it through a name of its own.
    """

    def __init__(self, config: OperationsConfig, pages: dict[str, Page]) -> None:
        self._server = _bind(config)
        self._server.pages = pages
        self._server.is_loopback = config.host in _LOOPBACK
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="operations", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port, the latter as the system gave it."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more and give the port back; repeating is harmless."""
        if not self._stopping.is_set():
            self._stopping.set()
            with suppress(OSError):  # wakes the thread up; it may have ended by itself
                socket.create_connection(_reachable(self.address), timeout=1).close()
        if self._thread.ident is not None:
            self._thread.join(_CLIENT_S)
        self._server.server_close()

    def _serve(self) -> None:
        # Not `serve_forever`, which wakes up twice a second to see whether it should end.
        while not self._stopping.is_set():
            self._server.handle_request()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    pages: dict[str, Page]
    is_loopback: bool

    def __init__(self, address: tuple[str, int], family: socket.AddressFamily) -> None:
        self.address_family = family
        self._room = threading.Semaphore(_AT_ONCE)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without the look-up of the host's full name, which can take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: object, client_address: object) -> None:
        """Answer in a new thread while there is room for one."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)  # type: ignore[arg-type]
            return
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._room.release()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Note a client that went away; it is nobody's error."""
        _LOG.debug("a client of the operations endpoint went away", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _CLIENT_S
    server_version = "launchyard"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer a page."""
        answer = self._answer()
        self.send_response(answer.status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_HEAD = do_GET  # noqa: N815 - the library's name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing: scrapes and probes come every few seconds."""

    def _answer(self) -> Answer:
        if self.server.is_loopback and not _is_local(self.headers.get("Host", "")):
            return _words(HTTPStatus.MISDIRECTED_REQUEST, "this endpoint is for this machine only")
        url = urlsplit(self.path)
        page = self.server.pages.get(url.path)
        if page is None:
            known = "\n".join(sorted(self.server.pages))
            return _words(HTTPStatus.NOT_FOUND, f"there is no such page; there are\n{known}")
        asked = Asked(path=url.path, query=url.query, accept=self.headers.get("Accept", ""))
        try:
            return page(asked)
        except Exception:  # noqa: BLE001 - one broken page must not take the others along
            _LOG.exception("the page %s failed", url.path)
            return _words(HTTPStatus.INTERNAL_SERVER_ERROR, "this page failed; the log says why")


def _bind(config: OperationsConfig) -> _Server:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return _Server((config.host, config.port), family)
    except OSError as e:
        raise OperationsError(
            f"the operations endpoint cannot listen on {config.host}:{config.port}"
            f" ({e.strerror or e}); stop what uses that port, or set `operations.port` to another"
            " one or to 0 for a free one"
        ) from e


def _reachable(address: tuple[str, int]) -> tuple[str, int]:
    """Return where a socket bound to *address* can be connected to from here."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0]), address[1]  # noqa: S104


def _is_local(host: str) -> bool:
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return name.strip("[]").lower() in _LOOPBACK


def _words(status: HTTPStatus, text: str) -> Answer:
    return Answer(body=f"{text}\n".encode(), status=status)
