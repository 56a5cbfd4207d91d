"""Running the application with uvicorn."""

from __future__ import annotations

import socket
from dataclasses import dataclass

import uvicorn

from launchyard.adapters.http.app import make_app
from launchyard.adapters.http.house import House
from launchyard.adapters.http.services import Services

KEEP_ALIVE_S = 75
"""Above the longest poll and the heartbeat, so that a client's kept connection is never stale."""

_BACKLOG = 1024
_GRACE_S = 10


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
    except OSError as error:
        sock.close()
        reason = (error.strerror or str(error)).lower()
        where = f"{address.host}:{address.port}"
        raise PortTakenError(f"cannot listen on {where}: {reason}") from error
    return sock


def serve(services: Services, sock: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT; open polls and streams are ended, not waited for."""
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
        date_header=True,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
        backlog=_BACKLOG,
        proxy_headers=False,
    )
    _Server(config, app.state.house).run([sock])


class _Server(uvicorn.Server):
    """Tells the house of the stop before uvicorn waits for the last connection."""

    def __init__(self, config: uvicorn.Config, house: House) -> None:
        super().__init__(config)
        self._house = house

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what waits, then all else."""
        self._house.close()
        await super().shutdown(sockets)
