"""Jobs of a W&B server, as a place that source code comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from launchyard.domain.config.schema import Block
from launchyard.plugins import API, hookimpl
from launchyard.plugins.specs import Place, SourceProvider
from launchyard.ports.source import SourceFetcher

launchyard_api: Final = API
NAME: Final = "wandb-job"


def _jobs(place: Place) -> SourceFetcher[Any]:
    """Make the fetcher; the settings of its place hold the agent's `server` and `key`."""
    from launchyard.adapters.git.fetcher import GitFetcher
    from launchyard.adapters.git.patch import GitPatcher
    from launchyard.adapters.git.settings import GitConfig
    from launchyard.adapters.wandb.artifacts import Access
    from launchyard.adapters.wandb.job_fetcher import JobFetcher, JobTools
    from launchyard.adapters.wandb.keys import key_in

    server, key = str(place.settings["server"]), key_in(place.settings)
    git = GitConfig(environment=place.environment)
    tools = JobTools(git=GitFetcher(git), patcher=GitPatcher(git))
    return JobFetcher(Access(base_url=server, key=key), tools)


@hookimpl
def sources() -> Sequence[SourceProvider]:
    return (
        SourceProvider(
            name=NAME,
            doc="The code of a job that is kept on the agent's server: `job` of a launch.",
            config=Block(key=NAME, doc="Nothing to set yet."),
            make=_jobs,
            process="build",
        ),
    )
