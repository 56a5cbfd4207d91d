"""One signed post, to an address that was checked, without following anybody elsewhere."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
import ssl
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from launchyard.adapters.webhook.address import AddressRefusedError, Networks, resolve

TIMESTAMP: Final = "Launchyard-Timestamp"
SIGNATURE: Final = "Launchyard-Signature"
EVENT: Final = "Launchyard-Event"
_VERSION: Final = "v1"
_LATER: Final = frozenset({408, 425, 429})
_SERVER_ERROR: Final = 500
_OK: Final = range(200, 300)
_MOVED: Final = range(300, 400)
_PORTS: Final = {"http": 80, "https": 443}
_MOST_READ_B: Final = 64 * 1024


class PostError(Exception):
    """It did not arrive; `retry` says whether it may another time."""

    def __init__(self, message: str, *, retry: bool) -> None:
        super().__init__(message)
        self.retry = retry


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Where to post to, and with which key."""

    url: str
    secret: str = field(repr=False)
    networks: Networks = field(default_factory=Networks)
    timeout_s: float = 5.0


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of *body*: HMAC-SHA256 of the timestamp, a dot, and the body."""
    signed = timestamp.encode() + b"." + body
    return f"{_VERSION}={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def post(receiver: Receiver, event: str, body: bytes, now_s: int) -> None:
    """Post *body*, the JSON of the event with the id *event*.

    Raises:
        PostError: it was not taken.
    """
    timestamp = str(now_s)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "launchyard",
        "Connection": "close",
        TIMESTAMP: timestamp,
        SIGNATURE: sign(receiver.secret, timestamp, body),
        EVENT: event,
    }
    try:
        status = _posted(receiver, body, headers)
    except AddressRefusedError as e:
        raise PostError(str(e), retry=False) from None
    except (OSError, http.client.HTTPException) as e:
        host = urlsplit(receiver.url).hostname
        raise PostError(f"{host} cannot be reached: {e}", retry=True) from e
    except ValueError as e:
        # A port out of range, a name or a path that cannot be written: it stays so.
        raise PostError(f"`webhook.url` is no address to post to: {e}", retry=False) from e
    _judge(status)


def _posted(receiver: Receiver, body: bytes, headers: dict[str, str]) -> int:
    parts = urlsplit(receiver.url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = _Checked(host, port, receiver, tls=parts.scheme == "https")
    try:
        connection.request("POST", target, body, headers)
        answer = connection.getresponse()
        answer.read(_MOST_READ_B)
        return answer.status
    finally:
        connection.close()


def _judge(status: int) -> None:
    if status in _OK:
        return
    if status in _MOVED:
        text = f"it answered {status} and wants to send us elsewhere, which is not followed"
        raise PostError(text, retry=False)
    raise PostError(f"it answered {status}", retry=status in _LATER or status >= _SERVER_ERROR)


class _Checked(http.client.HTTPConnection):
    """A connection to the very address that was checked, so that no second look-up can differ."""

    def __init__(self, host: str, port: int, receiver: Receiver, *, tls: bool) -> None:
        super().__init__(host, port, timeout=receiver.timeout_s)
        self._receiver, self._tls = receiver, tls

    def connect(self) -> None:
        networks = self._receiver.networks
        trouble: OSError | None = None
        for address in resolve(self.host, self.port, networks):
            try:
                plain = socket.create_connection((address, self.port), self._receiver.timeout_s)
            except OSError as e:
                trouble = e
                continue
            self._take(plain)
            return
        raise trouble or OSError("it has no address")

    def _take(self, plain: socket.socket) -> None:
        peer = str(plain.getpeername()[0])
        if not self._receiver.networks.permit(peer):
            plain.close()
            raise AddressRefusedError(f"{self.host} turned out to be at {peer}, not public")
        if self._tls:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(plain, server_hostname=self.host)
        else:
            self.sock = plain
