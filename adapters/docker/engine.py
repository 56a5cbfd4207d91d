"""Where the engine is, and its id, asked without the SDK: the agent's main process loads none."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from launchyard.adapters.docker.contexts import current_host
from launchyard.domain.documents import Json

DEFAULT: Final = "unix:///var/run/docker.sock"
_LIMIT_S: Final = 5.0
_PORTS: Final = {True: 2376, False: 2375}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An engine's address; `certificates` is the folder with ca.pem, cert.pem and key.pem."""

    url: str = DEFAULT
    certificates: str = ""


def address_of(settings: Mapping[str, Json], environment: Mapping[str, str]) -> Address:
    """Return the engine's address from the target's settings, else as docker itself finds it.

    That is by its variables, then by its current context.

    Raises:
        ValueError: it is none that we can use.
    """
    told = str(settings.get("host") or environment.get("DOCKER_HOST") or "")
    url = told or current_host(environment) or DEFAULT
    folder = str(settings.get("certificates") or "")
    if not folder and environment.get("DOCKER_TLS_VERIFY") and (told or url == DEFAULT):
        folder = environment.get("DOCKER_CERT_PATH", "")
    if urlsplit(url).scheme not in {"unix", "tcp"}:
        raise ValueError(f"`{url}` is no address of an engine: write unix:///… or tcp://host:port")
    return Address(url=url, certificates=folder)


def engine_id(address: Address) -> str:
    """Return the engine's own id, which it keeps when it starts anew.

    Raises:
        ValueError: it does not answer; the message says how to go on.
    """
    try:
        connection = _connection(address)
        try:
            connection.request("GET", "/info", headers={"Host": "docker"})
            answer = connection.getresponse()
            told = json.loads(answer.read())
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as e:
        text = f"the Docker engine at {address.url} does not answer ({e})"
        remedy = "start it, give this user the right to its socket, or set `host`"
        raise ValueError(f"{text}: {remedy}") from None
    found = told.get("ID") if isinstance(told, dict) else None
    if not isinstance(found, str) or not found:
        raise ValueError(f"what answers at {address.url} is no Docker engine")
    return found


def scope_of(identity: str) -> str:
    """Return where containers of the engine with this id can be reached."""
    return f"docker:{identity}"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket of this machine."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=_LIMIT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_LIMIT_S)
        self.sock.connect(self._path)


def _connection(address: Address) -> http.client.HTTPConnection:
    parts = urlsplit(address.url)
    if parts.scheme == "unix":
        return _UnixConnection(parts.path)
    host, port = parts.hostname or "", parts.port or _PORTS[bool(address.certificates)]
    if not address.certificates:
        return http.client.HTTPConnection(host, port, timeout=_LIMIT_S)
    folder = Path(address.certificates)
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return http.client.HTTPSConnection(host, port, timeout=_LIMIT_S, context=context)
