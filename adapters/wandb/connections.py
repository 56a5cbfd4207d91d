"""The connections to a server: one set for each thread, and none that an outage has left behind."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter

_UNHEARD_MS: Final = 10_000
_QUIET_S: Final = 30
_BETWEEN_S: Final = 10
_PROBES: Final = 3
_OPTIONS: Final = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _QUIET_S),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _BETWEEN_S),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNHEARD_MS),
)
"""A quiet connection that leads nowhere by now is noticed, and so is one whose packets are dropped.

What is between us and a server may forget a connection without telling either end.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait, in seconds, for a connection and for an answer.

    The short ones are for a look whether a server is back that is known to be away.
    """

    connect_s: float = 5.0
    read_s: float = 20.0
    short_connect_s: float = 2.0
    short_read_s: float = 3.0


@dataclass(frozen=True, slots=True)
class _Kept:
    """A thread's connections, and how many outages there were when they were made."""

    session: requests.Session
    outages: int


class Connections:
    """Keeps connections open, and knows whether the server was heard of last. Thread-safe.

    After an outage every connection is made anew: packets on an old one may be dropped for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._local = threading.local()
        self._sessions: set[requests.Session] = set()
        self._outages = 0
        self.away = False
        """Whether the last try of anybody got no answer at all."""

    def session(self) -> requests.Session:
        """Return this thread's own."""
        kept: _Kept | None = getattr(self._local, "kept", None)
        if kept is not None and kept.outages == self._outages:
            return kept.session
        if kept is not None:
            kept.session.close()
        session = requests.Session()
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Watched())
        with self._lock:
            if kept is not None:
                self._sessions.discard(kept.session)
            self._sessions.add(session)
            self._local.kept = _Kept(session, self._outages)
        return session

    def lost(self) -> None:
        """Note that there was no answer."""
        with self._lock:
            self._outages += 1
            self.away = True

    def heard(self) -> None:
        """Note that there was one, whatever it said."""
        self.away = False

    def close(self) -> None:
        """Close every connection; a thread that calls again opens a new one."""
        with self._lock:
            sessions, self._sessions = self._sessions, set()
            self._local = threading.local()
        for session in sessions:
            session.close()


class _Watched(HTTPAdapter):
    """Makes connections whose other end is looked after, through proxies too."""

    def init_poolmanager(self, *given: Any, **options: Any) -> None:
        super().init_poolmanager(*given, socket_options=_OPTIONS, **options)

    def proxy_manager_for(self, *given: Any, **options: Any) -> Any:
        return super().proxy_manager_for(*given, socket_options=_OPTIONS, **options)
