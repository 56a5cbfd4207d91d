"""Guess which key or value people meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

_SIMILAR: Final = 0.6
_MOST: Final = 3
_FARTHER: Final = 0.12


def _plain(word: str) -> str:
    return word.casefold().replace("-", "_").strip(" \t:\uff1a,.")


def close(word: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return up to three of *names* that *word* may stand for, the likeliest first."""
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(_plain(name), name)
    found = difflib.get_close_matches(_plain(word), list(plain), n=_MOST, cutoff=_SIMILAR)
    nearest = [_likeness(word, name) for name in found]
    return tuple(
        plain[name]
        for name, near in zip(found, nearest, strict=True)
        if near >= nearest[0] - _FARTHER
    )


def _likeness(word: str, name: str) -> float:
    return difflib.SequenceMatcher(None, _plain(word), name).ratio()


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Return the question, or nothing when no name is near."""
    found = close(word, names)
    return f"did you mean {either(found)}?" if found else ""


def either(names: Iterable[str]) -> str:
    """Return *names* as people list alternatives: `a`, `b` or `c`."""
    *first, last = [f"`{name}`" for name in names]
    return f"{', '.join(first)} or {last}" if first else last
