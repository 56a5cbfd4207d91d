"""The files that a job leaves in `LAUNCHYARD_OUTPUT`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from launchyard.domain.outputs import is_wanted


def output_files(root: str, most: int, patterns: Sequence[str] = ()) -> list[str]:
    """Return the regular files below *root*, in order, relative to it, and no more than *most*.

    With *patterns*, only those that fit one of them. Links are neither followed nor listed: they
    could lead to what is not the job's.
    """
    found = []
    for path in _walk(root):
        if not is_wanted(path, patterns):
            continue
        found.append(path)
        if len(found) >= most:
            break
    return found


def _walk(root: str) -> Iterator[str]:
    for folder, folders, files in os.walk(root, followlinks=False):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield str(path.relative_to(root))
