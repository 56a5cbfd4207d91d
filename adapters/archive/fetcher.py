"""The source fetcher for code archives."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, cast

from launchyard.adapters.archive.unpack import emptied_on_error, unpack
from launchyard.domain.archive import Limits
from launchyard.domain.reason import Reason
from launchyard.domain.remotes import RemoteRefusedError, check_subdir
from launchyard.ports.archive import ArchiveError, ArchiveTrouble
from launchyard.ports.source import ArchiveRequest, Fetched, SourceError

_REASONS: Final = {
    ArchiveTrouble.REFUSED: Reason.SOURCE_REFUSED,
    ArchiveTrouble.TOO_BIG: Reason.SOURCE_REFUSED,
    ArchiveTrouble.CORRUPT: Reason.SOURCE_CORRUPT,
    ArchiveTrouble.UNREADABLE: Reason.SOURCE_CORRUPT,
    ArchiveTrouble.DISK_FULL: Reason.DISK_FULL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveConfig:
    """How much an archive may hold."""

    limits: Limits = field(default_factory=Limits)


class ArchiveFetcher:
    """A `SourceFetcher` of code archives, whose bytes the request's opener gives."""

    def __init__(self, config: ArchiveConfig) -> None:
        self._config = config

    def fetch(
        self,
        source: ArchiveRequest,
        into: str,
        *,
        timeout_s: float,
        cancelled: Callable[[], bool],
    ) -> Fetched:
        until = _Until(time.monotonic() + timeout_s, cancelled)
        make_empty(into)
        with emptied_on_error(into):
            self._unpack(source, into, until)
            return Fetched(folder=enter_subdir(into, source.subdir), revision=source.sha256.lower())

    def _unpack(self, source: ArchiveRequest, into: str, until: _Until) -> None:
        try:
            until.check()
            with closing(source.open()) as file:
                watched = cast("BinaryIO", _Watched(file, until))
                unpack(watched, into, source.sha256, self._config.limits)
        except ArchiveError as e:
            raise SourceError(str(e), reason=_REASONS[e.trouble], retry=e.retry) from None
        except FileNotFoundError:
            text = f"the code archive {source.sha256} is gone; submit the item again"
            raise SourceError(text, reason=Reason.SOURCE_NOT_FOUND) from None
        except OSError as e:
            text = f"the code archive could not be read: {type(e).__name__}"
            raise SourceError(text, reason=Reason.SOURCE_UNREACHABLE, retry=True) from None


@dataclass(frozen=True, slots=True)
class _Until:
    """When a fetch has to stop."""

    deadline_s: float
    cancelled: Callable[[], bool]

    def check(self) -> None:
        if self.cancelled():
            raise SourceError("fetching the code was cancelled", reason=Reason.CANCELLED)
        if time.monotonic() >= self.deadline_s:
            text = "the code archive did not arrive in time"
            raise SourceError(text, reason=Reason.SOURCE_UNREACHABLE, retry=True)


class _Watched:
    """A stream that stops on time."""

    def __init__(self, file: BinaryIO, until: _Until) -> None:
        self._file = file
        self._until = until

    def read(self, size: int) -> bytes:
        self._until.check()
        return self._file.read(size)


def make_empty(folder: str) -> None:
    """Create *folder*; refuse one that holds something."""
    try:
        Path(folder).mkdir(mode=0o755, parents=True, exist_ok=True)
        is_empty = not any(Path(folder).iterdir())
    except OSError as e:
        text = f"the folder {folder!r} for the code cannot be made: {e.strerror}"
        raise SourceError(text, reason=Reason.DISK_FULL, retry=True) from e
    if not is_empty:
        text = f"the folder {folder!r} for the code is not empty; nothing was written"
        raise SourceError(text, reason=Reason.SOURCE_REFUSED)


def enter_subdir(folder: str, subdir: str) -> str:
    """Return the folder *subdir* of *folder*, which has to be a real one inside it."""
    try:
        path = Path(folder, check_subdir(subdir))
    except RemoteRefusedError as e:
        raise SourceError(str(e), reason=Reason.SOURCE_REFUSED) from None
    if not path.resolve().is_relative_to(Path(folder).resolve()):
        text = f"the folder {subdir!r} leaves the source code through a link"
        raise SourceError(text, reason=Reason.SOURCE_REFUSED)
    if not path.is_dir():
        text = f"the source code has no folder {subdir!r}; check its name"
        raise SourceError(text, reason=Reason.SOURCE_NOT_FOUND)
    return str(path)
