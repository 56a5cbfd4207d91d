"""The stored form of a parsed document: what the server composed, the agent resolves elsewhere.

    {"document": <as it was written>, "texts": [{"path", "origin", "parts"}, ...]}

A string that no entry of `texts` names is literal, so reading never has to guess who wrote it.
"""

from __future__ import annotations

from launchyard.domain.documents import Json, Path, as_object, copy_json
from launchyard.domain.macro_policy import Origin
from launchyard.domain.macros import Macro, Parsed, Text, Tree, plain


def to_wire(parsed: Parsed) -> dict[str, Json]:
    """Return *parsed* as a JSON object that `from_wire` reads back to an equal one."""
    return {"document": plain(parsed), "texts": _texts(parsed.root, ())}


def from_wire(document: Json) -> Parsed:
    """Read what `to_wire` wrote.

    Raises:
        ValueError: the document is not of that form.
    """
    try:
        wire = as_object(document)
        root: Tree = _tree(copy_json(wire["document"]))
        for entry in _list(wire["texts"]):
            root = _place(root, _path(as_object(entry)["path"]), _text(as_object(entry)))
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"not a stored parsed document: {error!r}") from error
    return Parsed(root)


def _texts(value: Tree, path: Path) -> list[Json]:
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in _texts(item, (*path, key))]
    if isinstance(value, list):
        return [text for at, item in enumerate(value) for text in _texts(item, (*path, at))]
    if not isinstance(value, Text):
        return []
    parts: list[Json] = [_part_out(part) for part in value.parts]
    return [{"path": list(path), "origin": value.origin.value, "parts": parts}]


def _part_out(part: str | Macro) -> Json:
    if isinstance(part, str):
        return part
    return {"escaped" if part.escaped else "macro": part.name}


def _part_in(part: Json) -> str | Macro:
    if isinstance(part, str):
        return part
    ((kind, name),) = as_object(part).items()
    if kind not in {"macro", "escaped"} or not isinstance(name, str):
        raise TypeError(f"no part of a text: {part!r}")
    return Macro(name, escaped=kind == "escaped")


def _text(entry: dict[str, Json]) -> Text:
    parts = tuple(_part_in(part) for part in _list(entry["parts"]))
    return Text(parts, Origin(str(entry["origin"])))


def _path(value: Json) -> Path:
    return tuple(step if isinstance(step, int) else str(step) for step in _list(value))


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list, got {type(value).__name__}")
    return value


def _tree(value: Json) -> Tree:
    if isinstance(value, dict):
        return {key: _tree(item) for key, item in value.items()}
    return [_tree(item) for item in value] if isinstance(value, list) else value


def _place(root: Tree, path: Path, text: Text) -> Tree:
    """Put *text* at *path* of a tree that is ours to change; return the tree."""
    if not path:
        return text
    head, rest = path[0], path[1:]
    match root, head:
        case dict(), str():
            root[head] = _place(root[head], rest, text)
        case list(), int():
            root[head] = _place(root[head], rest, text)
        case _:
            raise TypeError(f"no place {head!r}")
    return root
