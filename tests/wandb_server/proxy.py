"""A small HTTP proxy on a loopback socket: it tunnels and forwards, and writes down what."""

from __future__ import annotations

import base64
import contextlib
import http.client
import select
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self
from urllib.parse import urlsplit

_HOP = frozenset({"proxy-authorization", "proxy-connection", "connection", "keep-alive"})


class Proxy(ThreadingHTTPServer):
    """Brings every request to *port* of this machine, whatever host it names.

    `tunnels` and `forwarded` list those hosts, so a name that exists nowhere shows that a client
    came this way. With *credentials* (`user:password`) others are refused; with *closed* all are.
    """

    daemon_threads = True

    def __init__(self, port: int, *, credentials: str = "", closed: bool = False) -> None:
        self.to_port, self.credentials, self.closed = port, credentials, closed
        self.tunnels: list[str] = []
        self.forwarded: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients go away as they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_CONNECT(self) -> None:
        if not self._may():
            return
        self.server.tunnels.append(self.path)
        with socket.create_connection(("127.0.0.1", self.server.to_port)) as there:
            self.send_response(200)
            self.end_headers()
            _pump(self.connection, there)
        self.close_connection = True

    def _forward(self) -> None:
        if not self._may():
            return
        parts = urlsplit(self.path)
        self.server.forwarded.append(parts.netloc)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kept = {n: v for n, v in self.headers.items() if n.lower() not in _HOP}
        there = http.client.HTTPConnection("127.0.0.1", self.server.to_port)
        with contextlib.closing(there):
            where = f"{parts.path}?{parts.query}" if parts.query else parts.path
            there.request(self.command, where, body, kept)
            answer = there.getresponse()
            data = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = _forward  # noqa: N815

    def _may(self) -> bool:
        wanted = self.server.credentials
        word = base64.b64encode(wanted.encode()).decode()
        if self.server.closed:
            self.send_error(403)
        elif wanted and self.headers.get("Proxy-Authorization") != f"Basic {word}":
            self.send_error(407)
        else:
            return True
        self.close_connection = True
        return False

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep the test's output clean; the proxy has lists of its own."""


def _pump(here: socket.socket, there: socket.socket) -> None:
    """Carry bytes both ways until either side ends."""
    other = {here: there, there: here}
    while True:
        ready, _, _ = select.select(list(other), [], [], 30)
        for one in ready:
            data = one.recv(65536)
            if not data:
                return
            other[one].sendall(data)
        if not ready:
            return
