"""Source code from git repositories and from code archives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from launchyard.domain.config.schema import Block
from launchyard.plugins import API, hookimpl
from launchyard.plugins.specs import Place, SourceProvider
from launchyard.ports.source import SourceFetcher

launchyard_api: Final = API


def _git(place: Place) -> SourceFetcher[Any]:
    from launchyard.adapters.git.fetcher import GitFetcher
    from launchyard.adapters.git.settings import GitConfig

    most = place.settings.get("most_b")
    most_b = most if isinstance(most, int) else 0
    return GitFetcher(GitConfig(environment=place.environment, most_b=most_b))


def _archive(_: Place) -> SourceFetcher[Any]:
    from launchyard.adapters.archive.fetcher import ArchiveConfig, ArchiveFetcher

    return ArchiveFetcher(ArchiveConfig())


@hookimpl
def sources() -> Sequence[SourceProvider]:
    return (
        SourceProvider(
            name="git",
            doc="A commit, branch or tag of a git repository, over https or ssh.",
            config=Block(key="git", doc="Nothing to set yet."),
            make=_git,
            process="build",
        ),
        SourceProvider(
            name="archive",
            doc="A folder that was packed and sent with the launch.",
            config=Block(key="archive", doc="Nothing to set yet."),
            make=_archive,
            process="build",
        ),
    )
