"""A relay in front of a server that can fall silent: what hangs then hangs for ever."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import Self


@dataclass(eq=False)
class _Pair:
    """A connection from a client, with its other half; a dead one swallows what comes."""

    here: socket.socket
    there: socket.socket
    dead: bool = False
    threads: list[threading.Thread] = field(default_factory=list)


class Relay:
    """Carries connections to *port*; `freeze` and `thaw` are the ends of an outage.

    A connection that was open in an outage is never answered again, as when packets are dropped or
    a firewall has forgotten it. `swallowed` is what clients sent into the silence.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._frozen = False
        self._pairs: list[_Pair] = []
        self.swallowed = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for pair in self._pairs:
            for end in (pair.here, pair.there):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        for pair in self._pairs:
            for thread in pair.threads:
                thread.join()
            pair.here.close()
            pair.there.close()

    def freeze(self) -> None:
        """Fall silent: connections are taken, and nothing more comes of any of them."""
        with self._lock:
            self._frozen = True
            for pair in self._pairs:
                pair.dead = True

    def thaw(self) -> None:
        """Answer again, on connections that are new."""
        with self._lock:
            self._frozen = False

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection(("127.0.0.1", self._port))
                with self._lock:
                    pair = _Pair(here, there, dead=self._frozen)
                    self._pairs.append(pair)
                for one, other in ((here, there), (there, here)):
                    carrier = threading.Thread(
                        target=self._carry, args=(pair, one, other), daemon=True
                    )
                    pair.threads.append(carrier)
                    carrier.start()

    def _carry(self, pair: _Pair, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                with self._lock:
                    if pair.dead and one is pair.here:
                        self.swallowed += data
                if not pair.dead:
                    other.sendall(data)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_WR)
