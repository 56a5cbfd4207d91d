"""A proxy before a cluster's API that makes trouble on request."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Final
from urllib.parse import urlsplit

from tests.rig.kubernetes.server import Listener

_HOP: Final = {"connection", "transfer-encoding", "content-length", "keep-alive", "host"}


@dataclass
class Fault:
    """What happens to the next *times* requests with this method whose path has *part* in it.

    With a *status* the request never arrives, and *word* and *said* are the reason and the message
    that it is told; else it waits for *delay_s*, and if it is to be *lost* the cluster does what it
    asks, and the answer is never heard.
    """

    method: str
    part: str
    status: int = 0
    word: str = ""
    said: str = "trouble on request"
    retry_after_s: int = 0
    delay_s: float = 0.0
    lost: bool = False
    times: int = 1
    met: threading.Event = field(default_factory=threading.Event)


@dataclass
class Proxy:
    """A running proxy; `seen` are the requests that passed, as (method, path)."""

    upstream: str
    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: set[socket.socket] = field(default_factory=set)

    def add(self, fault: Fault) -> Fault:
        """Have *fault* happen from now on; return it."""
        with self._lock:
            self.faults.append(fault)
        return fault

    def cut(self) -> None:
        """Cut every connection through which an answer is coming."""
        with self._lock:
            opened = tuple(self._open)
        for sock in opened:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def fault_of(self, method: str, path: str) -> Fault | None:
        """Return what is to happen to a request, and note that it has."""
        with self._lock:
            self.seen.append((method, path))
            for fault in self.faults:
                if fault.times and fault.method == method and fault.part in path:
                    fault.times -= 1
                    fault.met.set()
                    return fault
        return None

    @contextlib.contextmanager
    def answering(self, sock: socket.socket) -> Iterator[None]:
        """Have *sock* be cut by `cut` while the context lasts."""
        with self._lock:
            self._open.add(sock)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(sock)


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: Proxy

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def _go(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.proxy.fault_of(self.command, self.path)
        if fault is not None and fault.status:
            self._refuse(fault)
            return
        if fault is not None:
            time.sleep(fault.delay_s)
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._pass_on(body, lost=fault is not None and fault.lost)
            return
        self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _go  # noqa: N815 - the names that are called

    def _refuse(self, fault: Fault) -> None:
        words = {"message": fault.said, "reason": fault.word}
        told = {"kind": "Status", "code": fault.status, **words}
        data = json.dumps(told).encode()
        self.send_response(fault.status)
        if fault.retry_after_s:
            self.send_header("Retry-After", str(fault.retry_after_s))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _pass_on(self, body: bytes, *, lost: bool) -> None:
        connection = http.client.HTTPConnection(urlsplit(self.proxy.upstream).netloc)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
        try:
            connection.request(self.command, self.path, body or None, headers)
            with connection.getresponse() as answer, self.proxy.answering(self.connection):
                if lost:
                    answer.read()
                    self.close_connection = True
                    return
                self._answer(answer)
        finally:
            connection.close()

    def _answer(self, answer: http.client.HTTPResponse) -> None:
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in _HOP:
                self.send_header(key, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while data := answer.read1(1 << 16):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")


@contextlib.contextmanager
def troubled(upstream: str) -> Iterator[Proxy]:
    """Run a proxy to the API at *upstream*."""
    proxy = Proxy(upstream)
    handler = type("Handler", (Handler,), {"proxy": proxy})
    server = Listener(("127.0.0.1", 0), handler)
    server.daemon_threads, server.block_on_close = True, False
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.cut()
        server.shutdown()
        server.server_close()
