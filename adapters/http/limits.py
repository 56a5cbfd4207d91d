"""How often one caller may ask: a bucket of tokens for each key and each stranger's address."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

_K = TypeVar("_K", bytes, str)
_MOST_CALLERS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Requests a second that are served for ever, and how many may come at once on top.

    A rate of 0 is no limit. `stranger` counts for an address as long as it shows no good key.
    """

    key_per_s: float = 200.0
    key_burst: float = 5000.0
    stranger_per_s: float = 50.0
    stranger_burst: float = 500.0


class _Bucket:
    """Tokens that come back with time."""

    __slots__ = ("_at", "_burst", "_left", "_per_s")

    def __init__(self, per_s: float, burst: float, now: float) -> None:
        self._per_s, self._burst, self._left, self._at = per_s, burst, burst, now

    def take(self, now: float) -> float:
        """Take one; return 0, or how many seconds it takes until there is one."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self._per_s


class Limits:
    """Counts requests of the event loop; what it remembers is bounded.

    What agents do with their leases is not counted once their key is known: it is bounded by
    their slots, and slowing it down would only make more of it.
    """

    def __init__(self, rates: Rates, now: Callable[[], float] = time.monotonic) -> None:
        self._rates, self._now = rates, now
        self._keys: dict[bytes, _Bucket] = {}
        self._strangers: dict[str, _Bucket] = {}

    def wait_s(self, header: bytes, address: str, *, work: bool) -> float:
        """Return 0 if a request may go on, else in how many seconds it may.

        *header* is its `Authorization`, *work* whether it is an agent's work with its leases.
        """
        known = self._keys.get(header) if header else None
        if known is not None:
            return 0.0 if work or not self._rates.key_per_s else known.take(self._now())
        if not self._rates.stranger_per_s:
            return 0.0
        bucket = self._strangers.get(address)
        if bucket is None:
            rates = (self._rates.stranger_per_s, self._rates.stranger_burst)
            bucket = _added(self._strangers, address, _Bucket(*rates, self._now()))
        return bucket.take(self._now())

    def was_good(self, header: bytes) -> None:
        """Note that a request's key turned out to be somebody's."""
        if header not in self._keys:
            rates = (self._rates.key_per_s, self._rates.key_burst)
            _added(self._keys, header, _Bucket(*rates, self._now()))


def _added(buckets: dict[_K, _Bucket], key: _K, bucket: _Bucket) -> _Bucket:
    """Add a bucket in place of the oldest when there are too many."""
    if len(buckets) >= _MOST_CALLERS:
        del buckets[next(iter(buckets))]
    buckets[key] = bucket
    return bucket
