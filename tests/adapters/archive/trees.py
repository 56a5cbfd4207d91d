"""Folders to pack, and what comes out of packing them."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from pathlib import Path

from launchyard.adapters.archive.archives import TarArchives
from launchyard.domain.archive import Limits


def make(folder: Path, files: Mapping[str, str]) -> Path:
    """Write *files* into *folder*."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def packed(folder: Path, limits: Limits | None = None) -> list[str]:
    """Return the names in the archive of *folder*."""
    into = folder.parent / "code.tgz"
    TarArchives().pack(str(folder), str(into), limits or Limits())
    with tarfile.open(into) as tar:
        return tar.getnames()
