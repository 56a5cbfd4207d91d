r"""How a launch's overrides are put onto its queue's configuration, and which may be.

The rule is JSON Merge Patch (RFC 7396): objects merge, everything else replaces, null removes.
Which overrides a queue takes is judged by what they change: the configuration before and after is
compared leaf by leaf, so a removal counts like any other change, one that reaches into a list
counts where it reaches, and one that changes nothing is no override.

A path pattern is written like a path: `cpu`, `env.*` (one step), `env.**` (everything below),
`volumes[*].name`, `env.TEAM_*`; a dot inside a key is written `\.`. A pattern that ends at a list
covers all that is in the list, because lists are replaced whole; one that ends at an object does
not: write `.**` for what is below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from launchyard.domain.documents import Json, Path, copy_json, dotted

_DEEP: Final = "**"
_STEP: Final = re.compile(r"\[(?P<index>\*|\d+)\]|(?:^|(?<=.)\.)(?P<key>(?:\\.|[^.\[\\])+)")


def merge_patch(target: Json, patch: Json) -> Json:
    """Return *target* with *patch* applied; neither is changed, nothing of them is shared."""
    if not isinstance(patch, dict):
        return copy_json(patch)
    result = {k: copy_json(v) for k, v in target.items()} if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


class NoSinglePatchError(ValueError):
    """Two patches do together what no one patch can say."""


def compose_patches(first: Json, second: Json) -> Json:
    """Return the one patch that does what *first* and then *second* do to any target.

    Raises:
        NoSinglePatchError: *second* looks into what *first* replaced or removed as a whole,
            and a merge patch cannot say "this object and nothing that was there before".
    """
    if not isinstance(second, dict):
        return copy_json(second)
    if not isinstance(first, dict):
        raise NoSinglePatchError("no single patch replaces a value and then looks into it")
    result = {k: copy_json(v) for k, v in first.items()}
    for key, value in second.items():
        known = key in first
        result[key] = compose_patches(first[key], value) if known else copy_json(value)
    return result


def without_top_nulls(document: Mapping[str, Json]) -> dict[str, Json]:
    """Return a copy without the top-level keys that stock clients send as null."""
    return {key: copy_json(value) for key, value in document.items() if value is not None}


@dataclass(frozen=True, slots=True)
class RefusedOverride:
    """A value that a launch wanted to change and must not; *rule* says which rule forbids it."""

    path: Path
    rule: str

    def __str__(self) -> str:
        """Name path and rule in one sentence."""
        return f"override of `{dotted(self.path)}` refused: {self.rule}"


def refused(
    config: Json,
    overrides: Json,
    overridable: Sequence[str] | None,
    protected: Sequence[str] = (),
) -> tuple[RefusedOverride, ...]:
    """List what *overrides* would change in *config* and may not, in the order of the document.

    With a list *overridable* only what it names may change. Without one (None) everything may,
    but what *protected*, the target's security-relevant paths, names and all that is below it.
    """
    changes = changed_paths(config, overrides)
    if overridable is None:
        guards = [(pattern, _compile(pattern)) for pattern in protected]
        found = ((path, _protecting(path, guards)) for path in changes)
        return tuple(
            RefusedOverride(path, f"`{guard}` is security-relevant; the queue's owner sets it")
            for path, guard in found
            if guard is not None
        )
    allowed = [_compile(pattern) for pattern in overridable]
    named = ", ".join(f"`{pattern}`" for pattern in overridable) or "nothing"
    return tuple(
        RefusedOverride(path, f"the queue's `overridable` allows {named}")
        for path in changes
        if not any(covers(pattern, path) for pattern in allowed)
    )


def changed_paths(config: Json, overrides: Json) -> tuple[Path, ...]:
    """Return the leaves that *overrides* add to *config*, take from it, or change."""
    return tuple(_changes(config, merge_patch(config, overrides), ()))


def check_pattern(pattern: str) -> str | None:
    """Say what is wrong with *pattern*, or return None when it is a path pattern."""
    try:
        _compile(pattern)
    except ValueError as error:
        return str(error)
    return None


Pattern = tuple[str | int, ...]
"""A compiled path pattern: keys (with `*` in them), list positions, `[*]` and `**`."""


def covers(pattern: Pattern, path: Path) -> bool:
    """Tell whether *pattern* names *path*, or a list that *path* lies in."""
    if not pattern:
        return not path or isinstance(path[0], int)
    if not path:
        return False
    head, rest = pattern[0], pattern[1:]
    if head == _DEEP:
        return any(covers(rest, path[taken:]) for taken in range(1, len(path) + 1))
    return _step_matches(head, path[0]) and covers(rest, path[1:])


def _step_matches(head: str | int, step: str | int) -> bool:
    if head == "[*]":
        return isinstance(step, int)
    if head == "*":
        return True
    if isinstance(head, int) or isinstance(step, int):
        return head == step
    return re.fullmatch(".*".join(map(re.escape, head.split("*"))), step, re.DOTALL) is not None


def _protecting(path: Path, guards: Sequence[tuple[str, Pattern]]) -> str | None:
    """Return the first pattern that names *path* or anything above it."""
    above = [path[:length] for length in range(1, len(path) + 1)]
    return next((text for text, p in guards if any(covers(p, part) for part in above)), None)


def _compile(pattern: str) -> Pattern:
    """Read a path pattern, or raise `ValueError` that shows where it stops making sense."""
    steps: list[str | int] = []
    at = 0
    while at < len(pattern):
        match = _STEP.match(pattern, at)
        if match is None:
            raise ValueError(f"`{pattern}` is no path pattern: cannot read `{pattern[at:]}`")
        steps.append(_step(match))
        at = match.end()
    if not steps:
        raise ValueError("a path pattern must not be empty; write `**` for everything")
    return tuple(steps)


def _step(match: re.Match[str]) -> str | int:
    index = match["index"]
    if index is None:
        return re.sub(r"\\(.)", r"\1", match["key"])
    return "[*]" if index == "*" else int(index)


def _changes(old: Json, new: Json, path: Path) -> Iterator[Path]:
    """Yield the paths of leaves that are in only one of two documents, or differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _changed_items(old, new, path)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _changed_items(dict(enumerate(old)), dict(enumerate(new)), path)
    elif type(old) is not type(new) or old != new:
        # What was there goes and what comes is new: a path in both is named once.
        yield from dict.fromkeys((*_leaves(old, path), *_leaves(new, path)))


def _changed_items(
    old: Mapping[str, Json] | Mapping[int, Json],
    new: Mapping[str, Json] | Mapping[int, Json],
    path: Path,
) -> Iterator[Path]:
    before: dict[str | int, Json] = dict(old.items())
    after: dict[str | int, Json] = dict(new.items())
    for key in dict.fromkeys((*before, *after)):
        here = (*path, key)
        if key not in before:
            yield from _leaves(after[key], here)
        elif key not in after:
            yield from _leaves(before[key], here)
        else:
            yield from _changes(before[key], after[key], here)


def _leaves(value: Json, path: Path) -> Iterator[Path]:
    """Yield the path of every scalar, and of every empty object and list."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path
