"""Whether an API server that refuses something has read yet who may do what.

It answers before it has, for a moment, or for minutes where there are many rights, and refuses
everything to everybody until then. To believe it would end attempts for want of a right that is
there, and would take the cluster for another one.
"""

from __future__ import annotations

import threading
from typing import Final

from launchyard.adapters.kubernetes.errors import FORBIDDEN

READY: Final = "/readyz"
_NOT_NOW: Final = frozenset({429, 500, 502, 503, 504})
_HIDDEN_S: Final = 5.0
"""For how long this path is refused until it counts as one that the account may never see."""

_APART_S: Final = 5.0
"""Refusals with more time between them are of two beginnings; tries of one call have less."""


class Readiness:
    """What the API server has said of itself; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tells = False
        self._began_s = self._last_s = float("-inf")

    def is_ready(self, status: int, now_s: float) -> bool:
        """Tell whether refusals count, by the *status* that `READY` was just answered with.

        Some proxies do not know this path, and some accounts may not see it.
        """
        with self._lock:
            if status != FORBIDDEN:
                self._tells = True
                return status not in _NOT_NOW
            if now_s - self._last_s > _APART_S:
                self._began_s = now_s
            self._last_s = now_s
            return not self._tells and now_s - self._began_s >= _HIDDEN_S
