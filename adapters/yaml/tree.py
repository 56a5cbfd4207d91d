"""Turn YAML nodes into plain values, with the line and path of each."""

from __future__ import annotations

import math
import re
from typing import Final

import yaml

from launchyard.domain.config.problem import Problem, Repair
from launchyard.domain.documents import Json, Path

_DEEPEST: Final = 100
_MOST: Final = 50_000
_MERGE: Final = "tag:yaml.org,2002:merge"
_TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq", "merge", "value")
)
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
# `0644` is a file mode in the manifests that queues hold; a longer number is an account's id.
_OCTAL: Final = re.compile(r"0o[0-7]{1,10}|0[0-7]{1,4}")
_HALVES: Final = re.compile("[\ud800-\udfff]")
_HEX: Final = re.compile(r"0x[0-9A-Fa-f]{1,15}")
_FLOAT: Final = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")


class Tree:
    """Plain values of one document; `lines` and `problems` fill up while it is read.

    `yes`, `on`, times and dates stay texts, as in YAML 1.2: a queue called `on` is a queue.
    """

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.plain: list[tuple[Path, yaml.ScalarNode]] = []
        self.problems: list[Problem] = []
        self._open: set[int] = set()
        self._seen: set[int] = set()
        self._count = 0

    def value(self, node: yaml.Node, path: Path) -> Json:
        """Return the value of *node*, which stands at *path*."""
        self._count += 1
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        if node.tag not in _TAGS:
            self.problems.append(_tagged(node, path))
        if len(path) > _DEEPEST or self._count > _MOST or id(node) in self._open:
            self._stop(node, path)
            return None
        if isinstance(node, yaml.ScalarNode):
            self.lines[path] = line if node.value or node.style else self.lines[path]
            return self._scalar(node, path)
        self._open.add(id(node))
        try:
            return (
                self._mapping(node, path)
                if isinstance(node, yaml.MappingNode)
                else [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
            )
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Json:
        if node.style is None and id(node) not in self._seen:
            self._seen.add(id(node))
            self.plain.append((path, node))
        return scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Json]:
        merged: dict[str, Json] = {}
        own: dict[str, Json] = {}
        first: dict[str, int] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                self._merge(value, path, merged)
                continue
            name = self._key(key, path)
            if name is None:
                continue
            line = key.start_mark.line + 1
            here = (*path, name)
            if name in own:
                self.problems.append(_twice(here, line, first[name]))
                continue
            first[name] = self.lines[here] = line
            own[name] = self.value(value, here)
        return {**merged, **own}

    def _merge(self, node: yaml.Node, path: Path, merged: dict[str, Json]) -> None:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for part in parts:
            value = self.value(part, path)
            if isinstance(value, dict):
                for key, item in value.items():
                    merged.setdefault(key, item)

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        value = scalar(node) if isinstance(node, yaml.ScalarNode) else None
        if isinstance(value, str):
            return value
        written = node.value if isinstance(node, yaml.ScalarNode) else ""
        line = node.start_mark.line + 1
        self.problems.append(
            Problem(
                path=path,
                message=f"the key `{written}` is not a text" if written else "a key is not a text",
                line=line,
                value=written,
                allowed="keys that are texts",
                hint=f'put it in quotes: "{written}"' if written else "write one word as the key",
                repair=Repair(line=line, old=written, new=f'"{written}"') if written else None,
            )
        )
        return None

    def _stop(self, node: yaml.Node, path: Path) -> None:
        looped = id(node) in self._open
        if any(problem.path == () and not problem.repair for problem in self.problems):
            return
        self.problems.append(
            Problem(
                path=() if not looped else path,
                message="an alias refers to what is around it"
                if looped
                else "grows too large when its aliases are put in, or is nested too deep",
                line=node.start_mark.line + 1,
                allowed=f"{_MOST} values in {_DEEPEST} levels, and no loops",
                hint="write the values out instead of `*` and `&`",
            )
        )


def scalar(node: yaml.ScalarNode) -> Json:
    """Return the value of a scalar: quoted ones and unknown words are texts."""
    text: str = node.value
    if _HALVES.search(text):  # JSON writes one character as two escapes, and PyYAML keeps both
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text if node.style is not None else plain(text)


def plain(text: str) -> Json:
    """Return the value of a word without quotes."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    number = _number(text)
    return text if number is None else number


def _number(text: str) -> float | int | None:
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text.removeprefix("0o"), 8)
    if _HEX.fullmatch(text):
        return int(text, 16)
    if _FLOAT.fullmatch(text) and not text.lstrip("+-").isdigit():
        number = float(text)
        return number if math.isfinite(number) else None
    return None


def _tagged(node: yaml.Node, path: Path) -> Problem:
    return Problem(
        path=path,
        message=f"has the tag `{node.tag}`, which nothing here reads",
        line=node.start_mark.line + 1,
        allowed="values without tags",
        hint="remove the word that begins with `!`, or put the value in quotes",
    )


def _twice(path: Path, line: int, first: int) -> Problem:
    return Problem(
        path=path,
        message=f"`{path[-1]}` stands here and on line {first}",
        line=line,
        allowed="each key once in its block",
        hint="remove one of the two; this one would silently replace the other",
    )
