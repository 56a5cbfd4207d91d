"""The HTTP half: a threaded server that can go away and come back on its port."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_RANGE = re.compile(r"bytes=(\d+)-(\d*)$")


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request as it came over the wire; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(kw_only=True)
class Reply:
    """An answer; with `cut_b` only so many bytes of its body leave, with 0 nothing at all."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut_b: int | None = None


class Web(ThreadingHTTPServer):
    """Answers calls with *answer*, each connection in a thread of its own.

    *certificate* is a file with a certificate and its key: then it speaks TLS.
    """

    daemon_threads = False
    block_on_close = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self,
        port: int,
        answer: Callable[[Call], Reply],
        complaints: list[str],
        certificate: Path | None = None,
    ) -> None:
        self.answer = answer
        self._complaints = complaints
        self._open: set[Any] = set()
        self._lock = threading.Lock()
        self._ended = False
        super().__init__(("127.0.0.1", port), _Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The handshake is made where a connection is first read, in its own thread.
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._serve, name="wandb-stand-in", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ended:
            self.handle_request()

    def stop_listening(self) -> None:
        """Refuse every new connection; those that there are stay."""
        self._ended = True
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop listening, break every connection, and wait for their threads."""
        self.stop_listening()
        self._thread.join()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Complain of the stand-in's own mistakes; a client that went away is none."""
        error = sys.exception()
        if not isinstance(error, OSError):
            self._complaints.append(f"a mistake in the stand-in: {error!r}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Web

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(length)
        call = Call(method=self.command, path=self.path, headers=headers, body=body)
        reply = _ranged(self.server.answer(call), headers.get("range"))
        if reply.cut_b == 0:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        if reply.cut_b is not None and reply.cut_b >= len(reply.body):
            # Nothing is cut off, so the client may hear that there is no more: else its next
            # request may run into the end of the connection.
            self.send_header("Connection", "close")
        self.end_headers()
        whole = b"" if self.command == "HEAD" else reply.body
        self.wfile.write(whole if reply.cut_b is None else whole[: reply.cut_b])
        if reply.cut_b is not None:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_HEAD = _handle  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep the test's output clean; the stand-in has a log of its own."""


def _ranged(reply: Reply, asked: str | None) -> Reply:
    match = _RANGE.match(asked or "")
    if reply.status != 200 or match is None:
        return reply
    start, size = int(match[1]), len(reply.body)
    if start >= size:
        return Reply(status=416, headers={"Content-Range": f"bytes */{size}"})
    end = min(int(match[2]) if match[2] else size - 1, size - 1)
    headers = {**reply.headers, "Content-Range": f"bytes {start}-{end}/{size}"}
    return Reply(status=206, body=reply.body[start : end + 1], headers=headers, cut_b=reply.cut_b)
