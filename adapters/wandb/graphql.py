"""GraphQL calls to a W&B server: time-outs, pauses that it asks for, errors in words."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from launchyard.adapters.wandb.connections import Connections, Patience
from launchyard.adapters.wandb.network import Network
from launchyard.domain.documents import Json
from launchyard.ports.launch_server import ServerError

LONGEST_PAUSE_S: Final = 300.0
"""Longest pause that a server is granted; more is asked for by mistake."""

_REFUSED: Final = frozenset({400, 401, 403, 404, 409, 410, 413, 422, 501})
_UNAUTHORISED: Final = 401
_SHOWN: Final = 300
_PLAIN: Final[Mapping[str, str]] = MappingProxyType({"Content-Type": "application/json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One document with its variables; `name` is the operation's in it."""

    name: str
    text: str
    variables: Mapping[str, Json] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """The data of an answer, and the messages of what failed by the first step of its path."""

    data: Mapping[str, Any]
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Call:
    """One request; `waits` are for the connection and for the answer, in seconds."""

    method: str
    url: str
    data: bytes
    headers: Mapping[str, str]
    waits: tuple[float, float]


class Quiet:
    """Until when a server wants silence, for all who call it with one key; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0

    def left_s(self) -> float:
        """Return for how long the server has asked for silence."""
        return max(0.0, self._until - time.monotonic())

    def ask(self, wait_s: float) -> None:
        """Note that a server wants *wait_s* of it from now on."""
        until = time.monotonic() + min(wait_s, LONGEST_PAUSE_S)
        with self._lock:
            self._until = max(self._until, until)


class GraphQL:
    """GraphQL at one W&B server; safe for any number of threads, a connection for each.

    A key that is refused is asked for anew from *key*, as it may have been replaced where it is
    kept. Who is given the same *quiet* is silent when any of them is to be.
    """

    def __init__(
        self,
        base_url: str,
        key: Callable[[], str],
        agent: str,
        patience: Patience = Patience(),  # noqa: B008 - it is frozen
        quiet: Quiet | None = None,
    ) -> None:
        self.url = base_url.rstrip("/")
        self._key, self._agent, self._patience = key, agent, patience
        self._headers = _headers(key(), agent)
        self._network = Network()
        self._connections = Connections()
        self.quiet = quiet or Quiet()

    def pause_s(self) -> float:
        """Return for how long the server has asked for silence."""
        return self.quiet.left_s()

    def look(self, operation: Operation) -> None:
        """See with a small *operation* whether a server is back that is known to be away.

        It takes a moment at most, so whoever waits for its return is soon there, also where
        packets are dropped and connections hang. A server that is only slow passes for away until
        somebody who waits for longer has heard of it.

        Raises:
            ServerError: it is still away.
        """
        if self._connections.away:
            patience = self._patience
            waits = (patience.short_connect_s, patience.short_read_s)
            url = f"{self.url}/graphql"
            self._request(_Call("POST", url, _body(operation), _PLAIN, waits))

    def ask(self, operation: Operation, read_s: float | None = None) -> Reply:
        """Send *operation*; an answer that has data is one, whatever else failed in it.

        Raises:
            ServerError: the server was not reached, refused, asks for silence, or has no data.
        """
        response = self.send("POST", f"{self.url}/graphql", _body(operation), read_s=read_s)
        return _reply(response, self.url)

    def send(
        self,
        method: str,
        url: str,
        data: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        read_s: float | None = None,
    ) -> requests.Response:
        """Make one request; our key goes to the server's own address alone.

        Raises:
            ServerError: the server was not reached, refused, or asks for silence.
        """
        patience = self._patience
        waits = (patience.connect_s, patience.read_s if read_s is None else read_s)
        call = _Call(method, url, data, _PLAIN if headers is None else headers, waits)
        response = self._request(call)
        if response.status_code == _UNAUTHORISED:
            self._headers = _headers(self._key(), self._agent)
        if not response.ok or response.is_redirect:
            raise _refused(response, self.url)
        return response

    def close(self) -> None:
        """Close every connection; a thread that calls again opens a new one."""
        self._connections.close()

    def _request(self, call: _Call) -> requests.Response:
        """Make *call*, and note whether the server was heard of; a store is another matter."""
        self._check_pause()
        url, own = call.url, call.url.startswith(f"{self.url}/")
        try:
            response = self._connections.session().request(
                call.method,
                url,
                data=call.data,
                headers={**call.headers, **(self._headers if own else {})},
                timeout=call.waits,
                allow_redirects=False,
                proxies=dict(self._network.proxies(url)),
                verify=self._network.verify(url),
            )
        except (requests.RequestException, OSError) as error:
            if own:
                self._connections.lost()
            raise self._network.trouble(error, self._place(url)) from None
        if own:
            self._connections.heard()
            self.quiet.ask(_pause_of(response))
        return response

    def _place(self, url: str) -> str:
        """Return what to call *url*; addresses of a store are long, and have signatures in them."""
        parts = urlsplit(url)
        return self.url if url.startswith(f"{self.url}/") else f"{parts.scheme}://{parts.netloc}"

    def _check_pause(self) -> None:
        left_s = self.pause_s()
        if left_s > 0:
            raise ServerError(
                f"the server at {self.url} asked for silence, for {left_s:.0f} s more",
                retry=True,
                status=429,
            )


def _body(operation: Operation) -> bytes:
    body: dict[str, Json] = {"operationName": operation.name, "query": operation.text}
    if operation.variables:
        body["variables"] = dict(operation.variables)
    return json.dumps(body, separators=(",", ":")).encode()


def _headers(key: str, agent: str) -> dict[str, str]:
    word = base64.b64encode(f"api:{key}".encode()).decode()
    return {"Authorization": f"Basic {word}", "User-Agent": agent}


def _pause_of(response: requests.Response) -> float:
    """Return for how many seconds the answer asks for silence."""
    asked = response.headers.get("Retry-After", "")
    if asked and not response.ok:
        return _seconds(asked)
    if response.headers.get("RateLimit-Remaining", "").strip() == "0":
        return _seconds(response.headers.get("RateLimit-Reset", ""))
    return 0.0


def _seconds(text: str) -> float:
    """Read a number of seconds, or the time left until a date."""
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def _reply(response: requests.Response, url: str) -> Reply:
    try:
        document = json.loads(response.content)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not {"data", "errors"} & document.keys():
        raise ServerError(
            f"what answers at {url} is no W&B server",
            retry=True,
            remedy="check WANDB_BASE_URL; a proxy or another program may sit there",
        )
    errors = _messages(document.get("errors"))
    data = document.get("data")
    if not isinstance(data, dict) or (errors and not any(v is not None for v in data.values())):
        told = "; ".join(dict.fromkeys(errors.values())) or "it sent no data"
        if not isinstance(data, dict) or "" in errors:
            raise ServerError(f"the server at {url} refused: {told}", retry=True)
    return Reply(data if isinstance(data, dict) else {}, errors)


def _messages(errors: object) -> dict[str, str]:
    """Return the messages of *errors* by the field that they are about, "" for all."""
    found: dict[str, str] = {}
    for error in errors if isinstance(errors, list) else []:
        path = error.get("path") if isinstance(error, dict) else None
        field_name = str(path[0]) if isinstance(path, list) and path else ""
        text = str(error.get("message", "")) if isinstance(error, dict) else str(error)
        found.setdefault(field_name, text[:_SHOWN] or "an error without a message")
    return found


def _refused(response: requests.Response, url: str) -> ServerError:
    status = response.status_code
    if response.is_redirect:
        where = response.headers.get("Location", "another address")
        return ServerError(
            f"{url} sends on to {where}; a key is not sent after it",
            retry=False,
            status=status,
            remedy="use that address as WANDB_BASE_URL",
        )
    told = _told(response)
    if status == _UNAUTHORISED:
        remedy = "check WANDB_API_KEY, WANDB_API_KEY_FILE or the netrc file of this user"
        return ServerError(
            f"the server at {url} does not take the API key{told}",
            retry=False,
            status=status,
            remedy=remedy,
        )
    return ServerError(
        f"the server at {url} answered HTTP {status}{told}",
        retry=status not in _REFUSED,
        status=status,
    )


def _told(response: requests.Response) -> str:
    """Return what a body says about an error, in the forms that W&B's servers use."""
    try:
        document = json.loads(response.content)
    except ValueError:
        return ""
    found = document.get("errors", document.get("error")) if isinstance(document, dict) else None
    words = [
        str(one.get("message", "") if isinstance(one, dict) else one)
        for one in (found if isinstance(found, list) else [found])
        if one
    ]
    return f": {'; '.join(words)[:_SHOWN]}" if any(words) else ""
