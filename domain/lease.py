"""Leases: the token that fences a writer, and when a lease holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

TTL_S: Final = 45.0
"""How long a lease holds after a heartbeat; four and a half heartbeat periods."""

HEARTBEAT_S: Final = 10.0
MARGIN_S: Final = 5.0
"""What a holder takes off, so that it stops before the server thinks it has."""

HOST_LOST_S: Final = 600.0
"""How long an expired attempt waits for an agent that reaches its scope."""

JUMP_S: Final = 5.0
"""A difference of wall and monotonic clock, or a stall, that counts as time not heard."""

DIGEST_FROM: Final = 100
"""From how many leases on a heartbeat gives their digest first, and the list only if asked."""

_UNLISTED_BEATS: Final = 2
_MARK_B: Final = 16


@dataclass(frozen=True, slots=True, order=True)
class Token:
    """What a writer shows; only grows per item. A restore of the server raises `epoch`."""

    epoch: int
    counter: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.counter}"

    @classmethod
    def parse(cls, text: str) -> Token:
        """Read what `str` wrote.

        Raises:
            ValueError: *text* is not two whole numbers joined by a dot.
        """
        epoch, _, counter = text.partition(".")
        return cls(int(epoch), int(counter))

    def following(self, epoch: int) -> Token:
        """Return the next token in restore epoch *epoch*."""
        return Token(max(epoch, self.epoch), self.counter + 1)


def holder_deadline(sent_at: float, ttl_s: float) -> float:
    """Return until when a holder may act; both on the holder's CLOCK_BOOTTIME, in seconds."""
    return sent_at + ttl_s - MARGIN_S


def clock_jumped(wall_passed_s: float, monotonic_passed_s: float, expected_s: float) -> bool:
    """Tell whether the time since the last look counts as time in which nobody could be heard.

    *expected_s* is how long the look was meant to take; a stall is much longer than that.
    """
    jumped = abs(wall_passed_s - monotonic_passed_s) > JUMP_S
    return jumped or monotonic_passed_s - expected_s > JUMP_S


def unlisted_expires(missed_beats: int) -> bool:
    """Tell whether a lease that its holder did not list in so many beats in a row is given up."""
    return missed_beats >= _UNLISTED_BEATS


def mark(item: str, attempt: int, token: Token) -> int:
    """Return a lease's part of a digest: a number that no other lease is likely to have."""
    text = f"{item} {attempt} {token}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=_MARK_B).digest(), "big")


def digest_of(marks: Iterable[int]) -> str:
    """Return the digest of a set of leases, whatever their order.

    It is a sum, so whoever keeps one adds and takes away the marks of what changes.
    """
    return f"{sum(marks) % (1 << 8 * _MARK_B):032x}"
