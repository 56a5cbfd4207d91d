"""Running the application with uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

import uvicorn

from launchyard.adapters.http.app import make_app
from launchyard.adapters.http.house import House
from launchyard.adapters.http.services import Services

KEEP_ALIVE_S = 75
"""Above the longest poll and the heartbeat, so that a client's kept connection is never stale."""

_BACKLOG = 1024
_GRACE_S = 10
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen; port 0 lets the system choose."""

    host: str
    port: int


class PortTakenError(Exception):
    """Somebody listens there already, or the address is not this machine's."""


def listen(address: Address) -> socket.socket:
    """Take the port before anything else is started.

    Raises:
        PortTakenError: it cannot be had; the message says why.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address.host, address.port))
        # At once, so that two servers that start together cannot both believe they have it.
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        reason = (error.strerror or str(error)).lower()
        where = f"{address.host}:{address.port}"
        raise PortTakenError(f"cannot listen on {where}: {reason}") from error
    return sock


def serve(services: Services, sock: socket.socket, ready: Callable[[], None]) -> bool:
    """Serve until SIGTERM or SIGINT; open polls and streams are ended, not waited for.

    *ready* is called once requests are answered. Return whether it came so far.
    """
    app = make_app(services)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,  # the gate writes it: uvicorn would wake up for it ten times a second
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
        backlog=_BACKLOG,
        proxy_headers=False,
    )
    server = _Server(config, app.state.house, ready)
    server.run([sock])
    return server.started


class _Server(uvicorn.Server):
    """Sleeps while nothing happens, and tells the house of the stop.

    Uvicorn's own loop looks ten times a second whether it is to stop, which keeps an idle machine
    awake; here a signal says so.
    """

    def __init__(self, config: uvicorn.Config, house: House, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._house = house
        self._ready = ready
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Wait for a signal."""
        self._loop = asyncio.get_running_loop()
        if not self.should_exit:
            await self._stop.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a signal, and wake the loop."""
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM stop the server, which is a regular end: they stay caught."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, self.handle_exit) for one in _SIGNALS}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say so when all is there."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what waits, then all else."""
        self._house.close()
        await super().shutdown(sockets)
