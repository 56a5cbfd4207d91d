"""The token of one attempt: what a job shows to speak for itself, and how long it counts.

It looks like a key (`rights.KEY_PATTERN`), so that every client takes it, and says whose it is;
the signature at its end makes it one. Nothing of it is kept anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from launchyard.domain.item import ItemState

VARIABLE: Final = "LAUNCHYARD_TOKEN"
OWN_SOURCE: Final = "own."
"""How the names of logs begin that a job writes by itself; the agent's have no dot there."""

_PREFIX: Final = "lyat"
_SIGNATURE: Final = 64
_MOST: Final = 0xFFFF
_TOKEN: Final = re.compile(rf"{_PREFIX}([0-9a-f]{{32}})([0-9a-f]{{4}})([0-9a-f]{{{_SIGNATURE}}})")
_ALIVE: Final = frozenset({ItemState.LAUNCHING, ItemState.LAUNCHED})


@dataclass(frozen=True, slots=True)
class AttemptClaim:
    """Which attempt a token says it is of, and the signature that has to bear it out."""

    item: str
    attempt: int
    signature: str


def subject(item: str, attempt: int) -> str:
    """Return what is signed for an attempt."""
    return f"attempt token {item} {attempt}"


def write_token(item: str, attempt: int, signature: str) -> str:
    """Return the token of an attempt, or nothing for one that cannot have any."""
    digits = item.replace("-", "")
    text = f"{_PREFIX}{digits}{attempt:04x}{signature}"
    return text if _TOKEN.fullmatch(text) and attempt <= _MOST else ""


def read_token(text: str) -> AttemptClaim | None:
    """Return what a text says if it is written like a token."""
    if not text.startswith(_PREFIX) or (found := _TOKEN.fullmatch(text)) is None:
        return None
    digits, attempt, signature = found.groups()
    cuts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return AttemptClaim("-".join(cuts), int(attempt, 16), signature)


def counts(claim: AttemptClaim, attempt: int, state: ItemState) -> bool:
    """Tell whether the token of *claim* is still good: its attempt is the one that runs now."""
    return claim.attempt == attempt and state in _ALIVE
