"""Answers without an end: watches, and logs that are followed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from launchyard.adapters.kubernetes.credentials import connection_errors

_CHUNK_B: Final = 1 << 16


class Stream:
    """An answer that comes piece by piece, and may be ended from any thread."""

    def __init__(self, response: Any) -> None:
        self._response = response

    @property
    def framed(self) -> bool:
        """Tell whether its end is marked as such: a broken connection is then an error."""
        return bool(self._response.chunked)

    def chunks(self) -> Iterator[bytes]:
        """Yield the pieces as they come.

        Raises:
            KubernetesError: the connection broke, or was silent for too long.
        """
        with connection_errors("the stream broke"):
            yield from self._response.stream(_CHUNK_B, decode_content=False)

    def lines(self) -> Iterator[bytes]:
        """Yield the lines as they come."""
        rest = b""
        for chunk in self.chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def cut(self) -> None:
        """Have it end now; from any thread."""
        with suppress(Exception):
            sock = self._response.connection.sock
            if sock is not None:
                sock.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Give the connection back, in the thread that reads it."""
        with suppress(Exception):
            self._response.close()
            self._response.release_conn()
