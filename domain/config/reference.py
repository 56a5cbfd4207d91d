"""Print the table of all keys that stands in `docs/configuration.md`."""

from __future__ import annotations

import json
from collections.abc import Iterator

from launchyard.domain.config.keys import agent_schema
from launchyard.domain.config.schema import Block, Field, Kind, KnownTypes, variables
from launchyard.domain.config.values import allowed
from launchyard.domain.documents import Path, dotted


def reference(known: KnownTypes) -> str:
    """Return the reference as Markdown: one table for each block, ending in a line break."""
    sections = [_section(path, block) for path, block in agent_schema(known).levels()]
    return "\n".join(sections)


def _section(path: Path, block: Block) -> str:
    title = f"### `{dotted(path)}`" if path else "### Top level"
    rows = [_row((*path, entry.key), entry) for entry in block.fields]
    head = (
        "| key | takes | default | environment, flag | meaning |",
        "| --- | --- | --- | --- | --- |",
    )
    return "\n".join((title, "", block.doc, "", *head, *rows, ""))


def _row(path: Path, entry: Field) -> str:
    ways = [f"`{name}`" for name in _ways(path, entry)]
    cells = (
        ", ".join(f"`{name}`" for name in entry.names),
        allowed(entry),
        _default(entry),
        ", ".join(ways) or "-",
        entry.doc + (f" Read by {', '.join(entry.types)}." if entry.types else ""),
    )
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"


def _ways(path: Path, entry: Field) -> Iterator[str]:
    yield from variables(path, entry)
    yield from (name for _, name in entry.fallbacks)
    if entry.flag:
        yield entry.flag


def _default(entry: Field) -> str:
    if entry.default is None:
        return "-"
    if entry.kind is Kind.SECONDS and isinstance(entry.default, float):
        return f"`{entry.default:.9g}`"
    return (
        f"`{entry.default}`" if isinstance(entry.default, str) else f"`{json.dumps(entry.default)}`"
    )
