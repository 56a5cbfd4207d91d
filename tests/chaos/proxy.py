"""A TCP proxy between an agent and its server that can lose answers, on purpose."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator

CHUNK_B = 65536


class Proxy:
    """Passes bytes on; for a request that *lose* picks, the answer never arrives.

    *lose* is called with the request's head (its first bytes) and decides once per request. One
    that `refuse` picks does not come through at all.
    """

    def __init__(self, upstream: int, lose: Callable[[bytes], bool]) -> None:
        self._upstream, self._lose = upstream, lose
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.port: int = self._listener.getsockname()[1]
        self.lost = threading.Event()
        self.refuse: Callable[[bytes], bool] = lambda _head: False

    def serve(self) -> None:
        """Accept connections until `close`."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Stop accepting and cut every connection."""
        # A thread that waits in `accept` does not hear of a mere close.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End every connection; the next one is welcome."""
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _pass_on(self, client: socket.socket) -> None:
        upstream = ("127.0.0.1", self._upstream)
        with client, contextlib.suppress(OSError), socket.create_connection(upstream) as server:
            self._open |= {client, server}
            try:
                self._pump(client, server)
            finally:
                self._open -= {client, server}

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        losing = False
        while True:
            for ready in select.select([client, server], [], [])[0]:
                data = ready.recv(CHUNK_B)
                if not data:
                    return
                if ready is client:
                    if self.refuse(data):
                        return
                    losing = losing or self._lose(data)
                    server.sendall(data)
                elif losing:
                    self.lost.set()
                    return
                else:
                    client.sendall(data)


@contextlib.contextmanager
def proxy(upstream: int, lose: Callable[[bytes], bool]) -> Iterator[Proxy]:
    """Run a proxy to port *upstream* in a thread."""
    made = Proxy(upstream, lose)
    thread = threading.Thread(target=made.serve, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.close()
        thread.join()
