"""Texts that people hand over: in a file, or on standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.errors import CommandError

STDIN: Final = "-"


def text_of(file: str) -> str:
    """Return the text in *file*; `-` is standard input.

    Raises:
        CommandError: it is not UTF-8.
        OSError: there is no such file, or it cannot be read.
    """
    data = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CommandError(
            f"{name_of(file)} is no text",
            f"line {line} has the byte 0x{data[error.start]:02x}, which is not UTF-8 there",
            "save it as UTF-8",
            code=Code.CONFIG,
        ) from None


def name_of(file: str) -> str:
    """Return how messages call *file*."""
    return "standard input" if file == STDIN else file
