"""Calls over HTTP: one connection per thread, time-outs everywhere, errors in words."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import get_environ_proxies

from launchyard.adapters.client import troubles

CONNECT_S: Final = 5.0
READ_S: Final = 15.0
STREAM_S: Final = 45.0
"""Longest silence of a stream; the server sends a sign of life more often than that."""

_CA_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
_PIECE_B: Final = 256 * 1024
_BODILESS: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request below `/api/v1`.

    `repeat` tells whether it may be sent again when a kept connection turns out to be dead.
    """

    method: str
    path: str
    body: Any = None
    data: Any = None
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    read_s: float = READ_S
    repeat: bool = True


class Transport:
    """HTTP to one server with one key; safe for any number of threads.

    Proxies and certificates are read from the environment once, here, because `requests` would
    read them again for every call.
    """

    def __init__(self, base_url: str, key: str) -> None:
        self.url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._proxies = dict(get_environ_proxies(self.url, no_proxy=None))
        given = (os.environ.get(name) for name in _CA_VARIABLES)
        # Without TLS there is nothing to verify, and `requests` would look at the file every time.
        secure = self.url.startswith("https:")
        self._verify: str | bool = next((path for path in given if path and secure), True)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._sessions: list[requests.Session] = []

    def json(self, call: Call) -> Any:
        """Make *call*; return the JSON of the answer, None for an empty one.

        Raises:
            ServerError: the server was not reached, or refused.
        """
        return self.answer(call)[1]

    def answer(self, call: Call) -> tuple[int, Any]:
        """Make *call*; return the HTTP status with the JSON of the answer."""
        response = self._send(call, stream=False)
        content = response.content
        if not content:
            return response.status_code, None
        try:
            return response.status_code, json.loads(content)
        except ValueError:
            raise troubles.not_ours(response, self.url) from None

    def pieces(self, call: Call) -> Iterator[bytes]:
        """Make *call*; give the bytes of the answer as they come in.

        Raises:
            ServerError: as `json`, also when the body breaks off.
        """
        response = self._send(call, stream=True)
        # Without chunks on the wire a read waits until it has all that it asked for.
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "")
        sized = "Content-Length" in response.headers
        with response:
            try:
                yield from response.iter_content(_PIECE_B if chunked or sized else 1)
            except (requests.RequestException, OSError) as error:
                raise troubles.no_answer(error, self.url) from None

    def close(self) -> None:
        """Close every connection; a thread that calls again opens a new one."""
        with self._lock:
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.close()

    def _send(self, call: Call, *, stream: bool) -> requests.Response:
        data, headers = call.data, {**call.headers}
        if call.body is not None:
            data = json.dumps(call.body, separators=(",", ":")).encode()
            headers["Content-Type"] = "application/json"
        try:
            try:
                response = self._once(call, data, headers, stream=stream)
            except requests.ConnectionError as error:
                if not (call.repeat and call.data is None and troubles.was_dropped(error)):
                    raise
                response = self._once(call, data, headers, stream=stream)
        except (requests.RequestException, OSError) as error:
            raise troubles.no_answer(error, self.url) from None
        if not response.ok or response.is_redirect:
            with response:
                raise troubles.refused(response, self.url)
        return response

    def _once(
        self, call: Call, data: Any, headers: Mapping[str, str], *, stream: bool
    ) -> requests.Response:
        session, url = self._session(), f"{self.url}/api/v1{call.path}"
        timeout = (CONNECT_S, call.read_s)
        if call.data is not None:
            return session.request(
                call.method,
                url,
                params=dict(call.params) or None,
                data=data,
                headers=dict(headers),
                timeout=timeout,
                stream=stream,
                allow_redirects=False,
            )
        response = session.get_adapter(url).send(
            _prepared(call, url, data, CaseInsensitiveDict({**session.headers, **headers})),
            stream=stream,
            timeout=timeout,
            verify=self._verify,
            proxies=session.proxies,
        )
        if not stream:
            response.content  # noqa: B018 - read here, where errors of reading are told
        return response

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False
            session.proxies.update(self._proxies)
            session.verify = self._verify
            session.headers.update(self._headers)
            self._local.session = session
        with self._lock:
            if session not in self._sessions:
                self._sessions.append(session)
        return session


def _prepared(
    call: Call, url: str, data: bytes | None, headers: CaseInsensitiveDict[Any]
) -> requests.PreparedRequest:
    """Return a request as `requests` would prepare it.

    Its own way merges cookies, hooks and credentials that no call of ours has, and takes as long
    as all the rest of a call.
    """
    prepared = requests.PreparedRequest()
    prepared.method = call.method
    prepared.url = f"{url}?{urlencode(call.params)}" if call.params else url
    prepared.headers = headers
    prepared.body = data
    if data is not None or call.method not in _BODILESS:
        prepared.headers["Content-Length"] = str(len(data or b""))
    return prepared


def place(*steps: str | int) -> str:
    """Return the path of *steps*, each quoted, so that no name can lead elsewhere."""
    return "".join(f"/{quote(str(step), safe='')}" for step in steps)
