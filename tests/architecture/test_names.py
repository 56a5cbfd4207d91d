"""One module, one name; and files that can be read at one sitting."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("actors", "adapters", "domain", "plugins", "ports")
FOLDERS = (*LAYERS, "launchyard", "tests", "bench")
LONGEST_FILE, LONGEST_FUNCTION, MEDIAN_FUNCTION = 300, 40, 10


def files() -> Iterator[Path]:
    """Yield every Python file of ours once; links are not followed."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            inside = path.relative_to(ROOT)
            if not any(parent.is_symlink() for parent in (ROOT / p for p in inside.parents)):
                yield path


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def functions() -> Iterator[tuple[str, int]]:
    """Yield the place and length of every function's body, less docstring and inner functions.

    A table that it returns in the end is not counted, and migrations are left out: both are lists.
    """
    for path in files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, FUNCTIONS) and "migrations" not in path.parts:
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body[:]
                last = body[-1] if body else None
                if isinstance(last, ast.Return) and isinstance(last.value, ast.Tuple):
                    body = body[:-1]
                inner = [each for each in ast.walk(node) if isinstance(each, FUNCTIONS)][1:]
                less = {line for each in inner for line in whole(each)}
                mine = {line for statement in body for line in lines(statement)} - less
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", len(mine)


def lines(node: ast.stmt) -> range:
    """Return the numbers of the lines that *node* takes."""
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def whole(node: ast.FunctionDef | ast.AsyncFunctionDef) -> range:
    """Return the lines of a function, its decorators among them."""
    return range(min(part.lineno for part in (node, *node.decorator_list)), lines(node).stop)


def test_no_layer_is_imported_under_a_bare_name() -> None:
    """Two names for one module would make two classes of one, and `isinstance` fail."""
    assert not {name for name in sys.modules if name.partition(".")[0] in LAYERS}


def test_files_are_short() -> None:
    """A longer file holds two concepts."""
    long = {
        str(path.relative_to(ROOT)): length
        for path in files()
        if (length := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    }
    assert not long


def test_functions_are_short() -> None:
    """A longer function does two things; most are far shorter."""
    lengths = dict(functions())
    assert not {place: length for place, length in lengths.items() if length > LONGEST_FUNCTION}
    assert statistics.median(lengths.values()) <= MEDIAN_FUNCTION


@pytest.mark.parametrize(
    ("words", "too_much"),
    [
        (["--help"], "boto3 docker google kubernetes azure fastapi sqlalchemy uvicorn pykka"),
        (["launch", "--help"], "boto3 docker google kubernetes azure fastapi sqlalchemy uvicorn"),
        (["agent", "--help"], "boto3 docker google kubernetes azure fastapi sqlalchemy uvicorn"),
    ],
)
def test_help_is_quick(words: list[str], too_much: str) -> None:
    """Asking for help loads no SDK of a cloud and nothing of the server."""
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "launchyard", *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in run.stderr.splitlines()}
    assert "launchyard" in loaded
    assert not loaded & set(too_much.split())
