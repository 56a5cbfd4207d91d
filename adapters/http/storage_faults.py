"""What the server's disk and database refuse, said in the log once and not once a request."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Final

from launchyard.ports.blobs import BlobError
from launchyard.ports.clock import Clock
from launchyard.ports.records import StoreError, Trouble

_LOG: Final = logging.getLogger("launchyard.http")
_QUIET_S: Final = 30.0


class Storage(StrEnum):
    """Where the server keeps things."""

    DATABASE = "database"
    FILES = "files"


class StorageFaults:
    """Knows what fails now: a log line at its begin, at a new cause, and at its end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[Storage, tuple[object, float]] = {}

    def note(self, error: Exception) -> None:
        """Say that something failed, unless *error* is a plain refusal, or known already."""
        storage, cause = _found(error)
        if storage is None:
            return
        before = self._known.get(storage)
        self._known[storage] = cause, self._clock.boottime()
        if before is None or before[0] != cause:
            fields = {"event": "unavailable", "storage": storage.value, "reason": str(error)}
            _LOG.error("%s; said once until this changes", error, extra={"fields": fields})

    def worked(self, storage: Storage) -> None:
        """Say that *storage* works, if it did not; small writes may work between large ones."""
        known = self._known.get(storage)
        if known is None or self._clock.boottime() - known[1] < _QUIET_S:
            return
        del self._known[storage]
        fields = {"event": "available", "storage": storage.value}
        _LOG.warning(
            "the server's %s can be written again", storage.value, extra={"fields": fields}
        )


def _found(error: Exception) -> tuple[Storage | None, object]:
    """Return which storage an error is of, and the cause by which it is told again."""
    if isinstance(error, StoreError) and error.trouble is Trouble.UNAVAILABLE:
        return Storage.DATABASE, str(error)
    if isinstance(error, BlobError) and not error.missing:
        # Its text names the file, which is another one in each request.
        return Storage.FILES, getattr(error.__cause__, "errno", 0)
    return None, None
