"""The way to a server: proxies, the certificates that are trusted, and words for what fails."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies
from urllib3.exceptions import NewConnectionError

from launchyard.ports.launch_server import ServerError

_CA_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
_WRONG_NAME: Final = ("hostname mismatch", "ip address mismatch", "doesn't match")
_NO_TLS: Final = ("wrong_version_number", "wrong version number", "record layer failure")


class NotSentError(ServerError):
    """There was no way to the server: what was to be asked surely was not heard."""


class Network:
    """Proxies and certificates as the environment names them; the certificates are read once.

    `requests` would look at the environment again for every call, and would know nothing of
    `SSL_CERT_FILE`. Thread-safe.
    """

    def __init__(self) -> None:
        given = ((name, os.environ.get(name, "")) for name in _CA_VARIABLES)
        self._variable, self._bundle = next(((n, p) for n, p in given if p), ("", ""))
        self._proxies: dict[tuple[str, str], dict[str, str]] = {}

    def verify(self, url: str) -> str | bool:
        """Return what vouches for certificates there; without TLS there is nothing to verify."""
        return self._bundle if self._bundle and url.startswith("https:") else True

    def proxies(self, url: str) -> Mapping[str, str]:
        """Return the proxies on the way to *url*; none for what `NO_PROXY` names."""
        parts = urlsplit(url)
        place = (parts.scheme, parts.netloc)
        found = self._proxies.get(place)
        if found is None:
            found = self._proxies[place] = dict(get_environ_proxies(url, no_proxy=None))
        return found

    def trouble(self, error: Exception, url: str) -> ServerError:
        """Say in words why there was no answer from *url*, and what helps."""
        if isinstance(error, requests.exceptions.ProxyError):
            return self._proxy(error, url)
        if isinstance(error, requests.exceptions.SSLError) or type(error) is OSError:
            return self._untrusted(error, url)
        if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
            return ServerError(
                f"{url} is no address of a server",
                retry=False,
                remedy="write WANDB_BASE_URL as http://host:port or https://host",
            )
        if isinstance(error, (requests.ReadTimeout, TimeoutError)):
            return ServerError(f"the server at {url} did not answer in time", retry=True)
        kind = NotSentError if _unconnected(error) else ServerError
        return kind(f"the server at {url} cannot be reached", retry=True)

    def _proxy(self, error: Exception, url: str) -> ServerError:
        proxies = self.proxies(url)
        named = proxies.get(urlsplit(url).scheme) or proxies.get("all", "")
        parts = urlsplit(named)
        port = f":{parts.port}" if parts.port else ""
        name = f"{parts.hostname}{port}" if parts.hostname else "the proxy"
        words = str(error)
        if "Tunnel connection failed: 407" in words:
            what = f"the proxy {name} wants other credentials than it was given"
        elif "Tunnel connection failed" in words:
            what = f"the proxy {name} does not let this machine through to {url}"
        else:
            what = f"the proxy {name} on the way to {url} cannot be reached"
        return NotSentError(
            what,
            retry=True,
            remedy="check HTTPS_PROXY and HTTP_PROXY, or put the server's name into NO_PROXY",
        )

    def _untrusted(self, error: Exception, url: str) -> ServerError:
        words, host = str(error).lower(), urlsplit(url).hostname
        if type(error) is OSError or not _readable(self._bundle):
            what = f"{self._variable} names {self._bundle}, which holds no certificates to read"
            remedy = f"put the certificate of your authority there, or unset {self._variable}"
        elif any(sign in words for sign in _NO_TLS):
            what, remedy = f"{url} does not speak TLS", "write WANDB_BASE_URL with http://"
        elif any(sign in words for sign in _WRONG_NAME):
            what = f"the certificate of {url} is one for another name than {host}"
            remedy = "write WANDB_BASE_URL with the name that the certificate has"
        elif "expired" in words:
            what = f"the certificate of {url} has expired"
            remedy = "renew it there, and check the clock of this machine"
        else:
            by = f"what {self._variable} names" if self._variable else "this machine"
            what = f"the certificate of {url} is not trusted by {by}"
            remedy = "name the file with your certificate authority in SSL_CERT_FILE"
            if self._variable:
                remedy = f"put your certificate authority into the file that {self._variable} names"
        return ServerError(what, retry=True, remedy=remedy)


def _unconnected(error: Exception) -> bool:
    """Tell whether no connection was made; one that broke may have carried a request."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", None), NewConnectionError)


def _readable(bundle: str) -> bool:
    """Tell whether there are certificates in the file (or folder) *bundle*; no name is well."""
    if not bundle or os.path.isdir(bundle):  # noqa: PTH112 - a text as users wrote it
        return True
    try:
        ssl.create_default_context().load_verify_locations(bundle)
    except (OSError, ssl.SSLError):
        return False
    return True
