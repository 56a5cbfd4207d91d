"""How an item's id is made."""

from __future__ import annotations

import uuid
from typing import Final

_RANDOM_B: Final = 10
_MAX_MS: Final = 1 << 48


def uuid7(unix_ms: int, random_bytes: bytes) -> str:
    """Make a version 7 UUID (RFC 9562) of a time and ten random bytes, both given.

    Ids made at different milliseconds sort, as text, in the order of their times; so a list of
    items needs no second column to be in order.

    Raises:
        ValueError: the time does not fit 48 bits, or there are not exactly ten bytes.
    """
    if not 0 <= unix_ms < _MAX_MS:
        raise ValueError(f"a UUIDv7 holds 48 bits of milliseconds, not {unix_ms}")
    if len(random_bytes) != _RANDOM_B:
        raise ValueError(f"a UUIDv7 takes {_RANDOM_B} random bytes, not {len(random_bytes)}")
    return str(uuid.UUID(int=_bits(unix_ms, int.from_bytes(random_bytes))))


def _bits(unix_ms: int, random: int) -> int:
    """Put time, version, 12 random bits, variant and 62 random bits where RFC 9562 wants them."""
    first = (random >> 62) & 0xFFF
    last = random & ((1 << 62) - 1)
    return unix_ms << 80 | 0x7 << 76 | first << 64 | 0b10 << 62 | last
