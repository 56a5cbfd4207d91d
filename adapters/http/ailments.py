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


class Organ(StrEnum):
    """What may fail."""

    DATABASE = "database"
    FILES = "files"


class Ailments:
    """Knows what fails now. A line comes when it begins, when its cause changes, and at its end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[Organ, tuple[object, float]] = {}

    def note(self, error: Exception) -> None:
        """Say that something failed, unless *error* is a plain refusal, or known already."""
        organ, cause = _found(error)
        if organ is None:
            return
        before = self._known.get(organ)
        self._known[organ] = cause, self._clock.boottime()
        if before is None or before[0] != cause:
            fields = {"event": "unavailable", "organ": organ.value, "reason": str(error)}
            _LOG.error("%s; said once until this changes", error, extra={"fields": fields})

    def worked(self, organ: Organ) -> None:
        """Say that *organ* works again, if it did not; small writes may work between large ones."""
        known = self._known.get(organ)
        if known is None or self._clock.boottime() - known[1] < _QUIET_S:
            return
        del self._known[organ]
        fields = {"event": "available", "organ": organ.value}
        _LOG.warning("the server's %s can be written again", organ.value, extra={"fields": fields})


def _found(error: Exception) -> tuple[Organ | None, object]:
    """Return what an error says is ill, and from what."""
    if isinstance(error, StoreError) and error.trouble is Trouble.UNAVAILABLE:
        return Organ.DATABASE, str(error)
    if isinstance(error, BlobError) and not error.missing:
        # Its text names the file, which is another one in each request.
        return Organ.FILES, getattr(error.__cause__, "errno", 0)
    return None, None
