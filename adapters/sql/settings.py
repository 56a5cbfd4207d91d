"""What can be set about a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom

from launchyard.domain.lease import HOST_LOST_S, TTL_S


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Times and limits; `busy_s` is how long a write waits for another process's."""

    ttl_s: float = TTL_S
    host_lost_s: float = HOST_LOST_S
    log_quota_b: int = 64 * 1024 * 1024
    own_sources: int = 64
    outputs: int = 10_000
    """How many logs of its own a job may begin, and how many files an attempt may leave."""

    busy_s: float = 5.0
    keys_for_s: float = 5.0
    """How long a key once looked up is trusted without another look."""

    random: Callable[[], float] = SystemRandom().random
    """Gives numbers from 0 up to 1: how much sooner than its longest wait a retry comes."""

    adopt_most: int = 256
    scan_most: int = 500
    """How many items one call offers, or one scan moves, so that each stays short."""
