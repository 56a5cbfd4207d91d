"""What differs between two documents, path by path, as people read it before they agree."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from launchyard.domain.documents import Json, Path, dotted


class Sort(StrEnum):
    """How a value differs; the text is the mark in front of its line."""

    ADDED = "+"
    REMOVED = "-"
    CHANGED = "~"


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is not the same; `old` and `new` say what it was and is to be."""

    path: Path
    sort: Sort
    old: Json = None
    new: Json = None

    @property
    def text(self) -> str:
        """Return the difference on one line."""
        where = f"{self.sort} {dotted(self.path)}"
        match self.sort:
            case Sort.ADDED:
                return f"{where}: {_shown(self.new)}"
            case Sort.REMOVED:
                return f"{where}: {_shown(self.old)}"
            case Sort.CHANGED:
                return f"{where}: {_shown(self.old)} -> {_shown(self.new)}"


def differences(old: Json, new: Json) -> tuple[Difference, ...]:
    """Return all that leads from *old* to *new*; nothing when they are the same document.

    Objects are compared key by key, in *old*'s order; lists and everything else as a whole.
    """
    return tuple(_differences(old, new, ()))


def _differences(old: Json, new: Json, path: Path) -> Iterator[Difference]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            here = (*path, key)
            if key not in old:
                yield Difference(here, Sort.ADDED, new=new[key])
            elif key not in new:
                yield Difference(here, Sort.REMOVED, old=old[key])
            else:
                yield from _differences(old[key], new[key], here)
    elif json.dumps(old) != json.dumps(new):
        yield Difference(path, Sort.CHANGED, old, new)


def _shown(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
