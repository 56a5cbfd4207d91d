"""The folder that the code goes into."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launchyard.domain.reason import Reason
from launchyard.domain.remotes import RemoteRefusedError, check_subdir
from launchyard.ports.source import SourceError


def make_empty(folder: str) -> Path:
    """Create *folder*; refuse one that holds something."""
    path = Path(folder).absolute()
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        is_empty = not any(path.iterdir())
    except OSError as e:
        text = f"the folder {folder!r} for the code cannot be made: {e.strerror}"
        raise SourceError(text, reason=Reason.DISK_FULL, retry=True) from e
    if not is_empty:
        text = f"the folder {folder!r} for the code is not empty; nothing was written"
        raise SourceError(text, reason=Reason.SOURCE_REFUSED)
    return path


@contextmanager
def removed_on_error(folder: Path) -> Iterator[None]:
    """Remove *folder* when the block raises, whatever it raises."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def enter_subdir(folder: Path, subdir: str) -> Path:
    """Return the folder *subdir* of *folder*, which has to be a real one inside it."""
    try:
        path = folder / check_subdir(subdir)
    except RemoteRefusedError as e:
        raise SourceError(str(e), reason=Reason.SOURCE_REFUSED) from None
    if not path.resolve().is_relative_to(folder.resolve()):
        text = f"the folder {subdir!r} leaves the repository through a link"
        raise SourceError(text, reason=Reason.SOURCE_REFUSED)
    if not path.is_dir():
        text = f"the repository has no folder {subdir!r}; check its name"
        raise SourceError(text, reason=Reason.SOURCE_NOT_FOUND)
    return path
