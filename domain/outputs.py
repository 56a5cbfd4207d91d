"""Which of the files that a job leaves are kept: those that its launch names, else all."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

_ANY: Final = "**"


def is_wanted(path: str, patterns: Sequence[str]) -> bool:
    """Tell whether the file at *path* fits one of *patterns*; without any, every file does.

    Both are relative to the output folder. In a pattern `*`, `?` and `[…]` stay within one name,
    `**` stands for any folders, and what names a folder takes all that is below it.
    """
    parts = path.split("/")
    return not patterns or any(_fits(parts, _words(pattern)) for pattern in patterns)


def _words(pattern: str) -> list[str]:
    return [word for word in pattern.split("/") if word not in {"", "."}]


def _fits(parts: Sequence[str], words: Sequence[str]) -> bool:
    """Walk along *parts* with every place in *words* that they may have come to."""
    places = _onward({0}, words)
    for part in parts:
        if len(words) in places:
            return True
        stays = {i for i in places if words[i] == _ANY}
        steps = {i + 1 for i in places - stays if fnmatchcase(part, words[i])}
        places = _onward(stays | steps, words)
    return len(words) in places


def _onward(places: set[int], words: Sequence[str]) -> set[int]:
    """Add the places behind each `**`, which may stand for nothing."""
    for i, word in enumerate(words):
        if word == _ANY and i in places:
            places.add(i + 1)
    return places
