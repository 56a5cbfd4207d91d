"""Find keys that nobody reads, and say where they belong or what they were meant to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from launchyard.domain.config.problem import Marked, Problem, Repair, Severity, shown
from launchyard.domain.config.schema import Block
from launchyard.domain.config.suggest import close, either
from launchyard.domain.documents import Json, Path

_ELSEWHERE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "api_key": "keys do not belong in this file; run `launchyard login` or set WANDB_API_KEY",
        "base_url": "the server's URL belongs under `server`",
        "namespace": "a namespace belongs in the queue's configuration",
        "project_name": "a project belongs to each launch",
        "resource": "the kind of target belongs to the queue",
        "resource_args": "arguments of the target belong in the queue's configuration",
        "runner": "the kind of target belongs to the queue",
    }
)


_TOLERANT: Final = frozenset({("environment",), ("builder",)})
"""Blocks in which W&B passes over keys that it does not know; its files are to work unchanged."""

_NOBODYS: Final = "remove it; `launchyard config schema` lists every key"


def unknown_keys(schema: Block, document: Marked) -> Iterator[Problem]:
    """Yield a problem for every key of *document* that its block does not know."""
    root: Json = {} if document.value is None else document.value
    yield from _unknown(schema, schema, root, (), document)


def _unknown(
    schema: Block, block: Block, value: Json, path: Path, document: Marked
) -> Iterator[Problem]:
    if not isinstance(value, dict):
        if value is not None:
            yield _no_block(block, value, path, document)
        return
    nested = {inner.key: inner for inner in block.blocks}
    for key, inner in value.items():
        if key in nested:
            yield from _unknown(schema, nested[key], inner, (*path, key), document)
        elif key not in block.names:
            yield _stranger(schema, block, (*path, key), inner, document)


def _no_block(block: Block, value: Json, path: Path, document: Marked) -> Problem:
    first = next(iter(block.names), "key")
    example = f"`{block.key}:` and below it, indented, `{first}: …`"
    return Problem(
        path=path,
        message="expected keys with values" if path else "the file holds no keys with values",
        source=document.name,
        line=document.line(path),
        value=shown(value, key=block.key),
        allowed=f"the keys {', '.join(block.names)}",
        hint=f"write {example}" if path else "write one `key: value` on each line",
    )


def _stranger(schema: Block, block: Block, path: Path, value: Json, document: Marked) -> Problem:
    key, line = str(path[-1]), document.line(path)
    hint, meant = _guess(schema, block, key)
    # What looks like a slip of the pen is an error there, too: it would be silently without effect.
    passed_over = path[:-1] in _TOLERANT and not hint
    return Problem(
        path=path,
        message="unknown key",
        source=document.name,
        line=line,
        value=shown(value, key=key),
        allowed=", ".join(block.names) or "nothing; no plugin brings a target",
        hint=hint or _NOBODYS,
        severity=Severity.WARNING if passed_over else Severity.ERROR,
        repair=Repair(line=line, old=key, new=meant) if meant and line is not None else None,
    )


def _guess(schema: Block, block: Block, key: str) -> tuple[str, str]:
    """Return what to do about *key* and what was meant, nothing where it is nobody's."""
    if key in _ELSEWHERE:
        return _ELSEWHERE[key], ""
    homes = [_home(path) for path, level in schema.levels() if key in level.names]
    near = close(key, block.names)
    if homes:
        return f"`{key}` belongs {' or '.join(homes)}", ""
    if near:
        return f"did you mean {either(near)}?", near[0]
    for path, level in schema.levels():
        if level is not block and (far := close(key, level.names)):
            return f"did you mean `{far[0]}`? It belongs {_home(path)}", ""
    if block.key == "targets":
        return "remove it, or install the plugin that brings this target", ""
    return "", ""


def _home(path: Path) -> str:
    return f"under `{path[-1]}`" if path else "at the top level"
