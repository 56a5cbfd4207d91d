"""A Jupyter notebook as a script: its code cells in their order, and nothing that needs IPython."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from launchyard.domain.documents import Json

SUFFIX: Final = ".ipynb"
_SHELL: Final = re.compile(r"\s*!")
_LINE_MAGIC: Final = re.compile(r"\s*%(?=[A-Za-z])")
_CELL_MAGIC: Final = re.compile(r"\s*%%(\w*)")
_PLAIN_CELLS: Final = frozenset({"time", "timeit", "capture", "prun"})
"""Cell magics around ordinary Python, of which the code is kept."""


class NotebookError(ValueError):
    """A notebook cannot be read; the message says why."""


def script_name(notebook: str) -> str:
    """Return the name of the script that a notebook becomes; another name stays."""
    return f"{notebook.removesuffix(SUFFIX)}.py" if notebook.endswith(SUFFIX) else notebook


def script_of(document: Json) -> str:
    """Return the script of a notebook.

    Lines for the shell (`!pip …`) and magics (`%matplotlib …`) are left out, so are cells in
    other languages (`%%bash`); a block that loses its only line gets a `pass` in its place.

    Raises:
        NotebookError: it is no notebook of format 4 in Python.
    """
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(cells, list):
        raise NotebookError("it has no cells; save it in Jupyter's notebook format 4")
    language = _language(document)
    if language not in {"", "python"}:
        raise NotebookError(f"it is written in {language[:40]}, not in Python")
    parts = ["# Made of a notebook by Launchyard: its code cells, without shell and magics.\n"]
    for cell in cells:
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            code = _code(_text(cell.get("source")))
            if code.strip():
                parts.append(f"\n{code.rstrip()}\n")
    return "\n".join(parts)


def _language(document: dict[str, Json]) -> str:
    metadata = document.get("metadata")
    for key, name in (("language_info", "name"), ("kernelspec", "language")):
        found = metadata.get(key) if isinstance(metadata, dict) else None
        value = found.get(name) if isinstance(found, dict) else None
        if isinstance(value, str):
            return value.lower()
    return ""


def _text(source: Json) -> str:
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def _code(text: str) -> str:
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    magic = _CELL_MAGIC.match(first)
    if magic is not None:
        if magic[1] not in _PLAIN_CELLS:
            return ""
        lines = lines[lines.index(first) + 1 :]
    return "\n".join(_kept(lines))


def _kept(lines: list[str]) -> Iterator[str]:
    goes_on = False
    for line in lines:
        command = _SHELL.match(line) or _LINE_MAGIC.match(line)
        if command is None and not goes_on:
            yield line
            continue
        indent = line[: len(line) - len(line.lstrip())]
        if indent and not goes_on:
            yield f"{indent}pass"
        goes_on = line.endswith("\\")
