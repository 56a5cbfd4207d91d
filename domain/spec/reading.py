"""Take values out of an object one by one, noting all that is wrong instead of stopping."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Final

from launchyard.domain.config.problem import Problem, shown
from launchyard.domain.config.suggest import did_you_mean
from launchyard.domain.documents import Json, Path, copy_json

_KINDS: Final = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


class Reader:
    """Reads one object of a document; every value that is taken is a copy, null is "not said"."""

    def __init__(self, value: Mapping[str, Json], path: Path, problems: list[Problem]) -> None:
        self._left = {key: copy_json(item) for key, item in value.items() if item is not None}
        self._path, self._problems = path, problems

    def problem(self, key: str | Path, message: str, hint: str = "") -> None:
        """Note that something is wrong with *key* of this object."""
        path = (key,) if isinstance(key, str) else key
        self._problems.append(Problem(path=(*self._path, *path), message=message, hint=hint))

    def text(self, key: str) -> str:
        """Take a text, or an empty one."""
        value = self._left.pop(key, "")
        if isinstance(value, str) and "\0" not in value:
            return value
        self._unlike(key, value, "a text", "put it in quotes" if _plain_number(value) else "")
        return ""

    def number(self, key: str, *, minimum: float = 0, whole: bool = False) -> float | None:
        """Take a number, not below *minimum*."""
        value = self._left.pop(key, None)
        if value is None:
            return None
        kinds: tuple[type, ...] = (int,) if whole else (int, float)
        good = isinstance(value, kinds) and not isinstance(value, bool)
        if good and isinstance(value, (int, float)) and minimum <= value < float("inf"):
            return value
        said = "a whole number" if whole else "a number"
        self._unlike(key, value, f"{said}, {minimum:g} or more")
        return None

    def whole(self, key: str, *, minimum: int = 0) -> int | None:
        """Take a whole number, not below *minimum*."""
        value = self.number(key, minimum=minimum, whole=True)
        return None if value is None else int(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """Take a list of texts."""
        value = self._left.pop(key, [])
        if isinstance(value, str):
            self._unlike(key, value, "a list of texts", f"write {_as_list(value)}")
            return ()
        if not isinstance(value, list):
            self._unlike(key, value, "a list of texts")
            return ()
        good = []
        for index, item in enumerate(value):
            if isinstance(item, str) and "\0" not in item:
                good.append(item)
            else:
                hint = "put it in quotes" if _plain_number(item) else ""
                self._unlike((key, index), item, "a text", hint)
        return tuple(good)

    def object(self, key: str) -> dict[str, Json]:
        """Take an object, or an empty one."""
        value = self._left.pop(key, {})
        if isinstance(value, dict):
            return value
        self._unlike(key, value, "an object")
        return {}

    def reader(self, key: str) -> Reader:
        """Take an object and read it in turn."""
        return Reader(self.object(key), (*self._path, key), self._problems)

    def readers(self, key: str) -> list[Reader]:
        """Take a list of objects and read each in turn."""
        value = self._left.pop(key, [])
        if not isinstance(value, list):
            self._unlike(key, value, "a list of objects")
            return []
        found = []
        for index, item in enumerate(value):
            if isinstance(item, dict):
                found.append(Reader(item, (*self._path, key, index), self._problems))
            else:
                self._unlike((key, index), item, "an object")
        return found

    def has(self, key: str) -> bool:
        """Tell whether *key* is still there to be taken."""
        return key in self._left

    def take(self, key: str) -> Json:
        """Take any value; null when there is none."""
        return self._left.pop(key, None)

    def rest(self) -> dict[str, Json]:
        """Take what nobody has asked for."""
        left, self._left = self._left, {}
        return left

    def refuse_rest(self, known: tuple[str, ...]) -> None:
        """Note every key that nobody has asked for as a problem; *known* are the good ones."""
        for key in self.rest():
            hint = did_you_mean(key, known) or f"known keys: {', '.join(known)}"
            self.problem(key, f"`{key}` is not a key that can stand here", hint)

    def _unlike(self, key: str | Path, value: Json, wanted: str, hint: str = "") -> None:
        name = next((s for s in reversed((key,) if isinstance(key, str) else key)), "")
        text = "" if isinstance(value, (dict, list)) else f" ({shown(value, key=str(name))})"
        self.problem(key, f"must be {wanted}, not {_KINDS[type(value)]}{text}", hint)


def _plain_number(value: Json) -> bool:
    return isinstance(value, (int, float))


def _as_list(text: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError:
        words = [text]
    return json.dumps(words, ensure_ascii=False)
