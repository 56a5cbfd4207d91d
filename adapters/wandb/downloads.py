"""Files of artifacts: streamed, resumed where they broke off, and held to their digests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO, Final

import requests

from launchyard.adapters.wandb.aside import Aside, Until
from launchyard.adapters.wandb.network import Network
from launchyard.domain.archive import mebibytes
from launchyard.domain.reason import Reason
from launchyard.domain.wandb_artifact import Entry
from launchyard.ports.source import SourceError

_CONNECT_S: Final = 5.0
_READ_S: Final = 20.0
_CHUNK_B: Final = 128 * 1024
_TRIES: Final = 5
_PAUSE_S: Final = 0.1
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_GONE: Final = frozenset({404, 410})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file to get: what it is called, where it is, and how many bytes it may have at most."""

    name: str
    url: str
    most_b: int


class _BrokenOffError(Exception):
    """The transfer ended early, and may go on."""


class Downloads:
    """Gets files from wherever the W&B server says that they are.

    *authorize* gives the headers for an address; an address of another host gets none.
    """

    def __init__(self, aside: Aside, authorize: Callable[[str], dict[str, str]]) -> None:
        self._aside, self._authorize = aside, authorize
        self._session = requests.Session()
        self._session.trust_env = False
        self._network = Network()

    def close(self) -> None:
        """Close every connection."""
        self._session.close()

    def get(self, wanted: Wanted, into: BinaryIO, until: Until) -> None:
        """Write the file into *into*, which is empty; go on where a broken transfer ended.

        Raises:
            SourceError: the file did not come, or is larger than it may be.
        """
        failures = 0
        while True:
            before_b = into.tell()
            try:
                self._aside.wait(lambda: self._part(wanted, into), until)
            except (_BrokenOffError, requests.RequestException) as e:
                # A transfer that moves on may break as often as it likes, within its time.
                failures = 1 if into.tell() > before_b else failures + 1
                if failures >= _TRIES or (into.tell() == 0 and _never_began(e)):
                    raise _unreachable(wanted) from None
                until.rest(_PAUSE_S * 2**failures)
                continue
            return

    def _part(self, wanted: Wanted, into: BinaryIO) -> None:
        at_b = into.tell()
        headers = {"Accept-Encoding": "identity", **self._authorize(wanted.url)}
        if at_b:
            headers["Range"] = f"bytes={at_b}-"
        with self._session.get(
            wanted.url,
            headers=headers,
            stream=True,
            timeout=(_CONNECT_S, _READ_S),
            verify=self._network.verify(wanted.url),
            proxies=dict(self._network.proxies(wanted.url)),
        ) as response:
            _judge(response, wanted)
            if at_b and not _goes_on(response, at_b):
                into.seek(0)
                into.truncate()
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise _BrokenOffError
            self._copy(response, wanted, into)

    def _copy(self, response: requests.Response, wanted: Wanted, into: BinaryIO) -> None:
        for chunk in response.iter_content(_CHUNK_B):
            if self._aside.stopped():
                return
            try:
                into.write(chunk)
            except OSError as e:
                text = f"{wanted.name!r} could not be written: {e.strerror}"
                raise SourceError(text, reason=Reason.DISK_FULL, retry=True) from None
            if into.tell() > wanted.most_b:
                text = f"{wanted.name!r} has more than {mebibytes(wanted.most_b)}"
                raise SourceError(text, reason=Reason.SOURCE_REFUSED)


def check(entry: Entry, into: BinaryIO) -> bool:
    """Tell whether *into* holds what the manifest says."""
    into.flush()
    into.seek(0)
    digest = hashlib.md5(usedforsecurity=False)
    while chunk := into.read(_CHUNK_B):
        digest.update(chunk)
    return digest.hexdigest() == entry.md5 and entry.size_b in {None, into.tell()}


def _judge(response: requests.Response, wanted: Wanted) -> None:
    status = response.status_code
    if status in _GONE:
        text = f"the W&B server no longer has {wanted.name!r} of the job; make the job anew"
        raise SourceError(text, reason=Reason.SOURCE_NOT_FOUND)
    if status in _AGAIN:
        raise _BrokenOffError
    if not response.ok and status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        # Signed addresses expire, and then a new one helps.
        text = f"the store of the W&B server refused {wanted.name!r} with HTTP {status}"
        raise SourceError(text, reason=Reason.SOURCE_UNREACHABLE, retry=True)


def _goes_on(response: requests.Response, at_b: int) -> bool:
    said = response.headers.get("Content-Range", "")
    partial = response.status_code == HTTPStatus.PARTIAL_CONTENT
    return partial and said.startswith(f"bytes {at_b}-")


def _never_began(error: Exception) -> bool:
    """Tell whether nobody listens there: another try of this fetch would not help."""
    return isinstance(error, requests.ConnectionError) and "refused" in str(error).lower()


def _unreachable(wanted: Wanted) -> SourceError:
    text = f"{wanted.name!r} of the job could not be fetched from the W&B server's store"
    return SourceError(text, reason=Reason.SOURCE_UNREACHABLE, retry=True)
