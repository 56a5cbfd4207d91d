"""The source fetcher for git repositories."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from launchyard.adapters.git.folder import enter_subdir, make_empty, removed_on_error
from launchyard.adapters.git.process import Meter, StoppedError, TooBigError, Until
from launchyard.adapters.git.repository import Repository, Submodule
from launchyard.adapters.git.settings import GitConfig
from launchyard.domain.archive import mebibytes
from launchyard.domain.reason import Reason
from launchyard.domain.remotes import (
    Remote,
    RemoteRefusedError,
    check_ref,
    check_subdir,
    parse_remote,
    resolve_submodule,
)
from launchyard.ports.source import Fetched, GitRequest, SourceError

_DEEPEST: Final = 8
_MOST_SUBMODULES: Final = 256


class GitFetcher:
    """A `SourceFetcher` of repositories over https and ssh.

    Submodules are fetched like repositories of their own, each address by the same rules; git's
    submodule command is never run. Large files (LFS) stay pointers.
    """

    def __init__(self, config: GitConfig) -> None:
        self._config = config

    def fetch(
        self,
        source: GitRequest,
        into: str,
        *,
        timeout_s: float,
        cancelled: Callable[[], bool],
    ) -> Fetched:
        remote = _checked(source)
        folder = make_empty(into)
        until = Until(
            deadline_s=time.monotonic() + timeout_s,
            cancelled=cancelled,
            meter=Meter(str(folder), self._config.most_b),
        )
        with removed_on_error(folder):
            try:
                commit = _Tree(self._config, until).take(remote, source.ref, folder)
            except StoppedError as e:
                raise _stopped(e, remote, timeout_s) from None
            except TooBigError:
                text = f"{remote.url} brings more than {mebibytes(self._config.most_b)}"
                hint = "take large files out of it, or raise the agent's `source_limit`"
                raise SourceError(f"{text}; {hint}", reason=Reason.SOURCE_REFUSED) from None
            except OSError as e:
                text = f"git could not work on {remote.url}: {e.strerror}"
                missing = isinstance(e, FileNotFoundError)
                text += f"; is {self._config.git!r} installed on the agent?" if missing else ""
                raise SourceError(text, reason=Reason.DISK_FULL, retry=not missing) from None
            return Fetched(folder=str(enter_subdir(folder, source.subdir)), revision=commit)


class _Tree:
    """A repository with the repositories inside it."""

    def __init__(self, config: GitConfig, until: Until) -> None:
        self._config = config
        self._until = until
        self._left = _MOST_SUBMODULES

    def take(self, remote: Remote, ref: str, folder: Path, depth: int = 0) -> str:
        """Put *ref* of *remote* and its submodules into *folder*; return the commit."""
        repository = Repository(self._config, remote, folder, self._until)
        commit = repository.checkout("" if ref == "HEAD" else ref)
        children = [(s, _address(remote, s)) for s in repository.submodules(commit)]
        repository.forget()
        self._left -= len(children)
        if children and (depth >= _DEEPEST or self._left < 0):
            text = f"{remote.url} has too many submodules, or too deep ones"
            raise SourceError(text, reason=Reason.SOURCE_REFUSED)
        for child, address in children:
            self.take(address, child.commit, _place(folder, child), depth + 1)
        return commit


def _checked(source: GitRequest) -> Remote:
    try:
        if source.ref:
            check_ref(source.ref)
        check_subdir(source.subdir)
        return parse_remote(source.url)
    except RemoteRefusedError as e:
        raise SourceError(str(e), reason=Reason.SOURCE_REFUSED) from None


def _address(parent: Remote, child: Submodule) -> Remote:
    try:
        return resolve_submodule(parent, child.url)
    except RemoteRefusedError as e:
        text = f"the submodule {child.path!r} of {parent.url} is refused: {e}"
        raise SourceError(text, reason=Reason.SOURCE_REFUSED) from None


def _place(folder: Path, child: Submodule) -> Path:
    """Return the empty folder that the checkout made for *child*, which no link may stand for."""
    place = folder / child.path
    if place.resolve() != folder.resolve() / child.path or not place.is_dir():
        text = f"the submodule {child.path!r} has no folder of its own"
        raise SourceError(text, reason=Reason.SOURCE_REFUSED)
    return place


def _stopped(e: StoppedError, remote: Remote, timeout_s: float) -> SourceError:
    if e.cancelled:
        return SourceError(f"fetching {remote.url} was cancelled", reason=Reason.CANCELLED)
    text = f"fetching {remote.url} was not done within {timeout_s:g} s ({e})"
    return SourceError(text, reason=Reason.SOURCE_UNREACHABLE, retry=True)
