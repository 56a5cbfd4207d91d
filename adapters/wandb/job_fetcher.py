"""The source fetcher for jobs of a W&B server."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from launchyard.adapters.wandb.artifacts import Access, Artifacts
from launchyard.adapters.wandb.aside import Until
from launchyard.adapters.wandb.job_folder import (
    make_empty,
    make_script,
    new_file,
    put,
    removed_on_error,
)
from launchyard.adapters.wandb.jobs import FoundJob, read_job
from launchyard.domain.reason import Reason
from launchyard.domain.wandb_artifact import ArtifactRefusedError, parse_reference
from launchyard.domain.wandb_job import FROZEN, PATCH, CodeJob, RepoJob
from launchyard.ports.patch import Patcher
from launchyard.ports.source import Fetched, GitRequest, JobRequest, SourceError, SourceFetcher


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTools:
    """What a job's code may need besides its artifacts: a fetcher of git's and a patcher."""

    git: SourceFetcher[GitRequest]
    patcher: Patcher


class JobFetcher:
    """A `SourceFetcher` of jobs: code artifacts, and repositories with what was uncommitted.

    The frozen requirements come to lie beside the code, and a notebook's script beside the
    notebook. A job of an image has no code, and is refused.
    """

    def __init__(self, access: Access, tools: JobTools) -> None:
        self._access, self._tools = access, tools

    def fetch(
        self,
        source: JobRequest,
        into: str,
        *,
        timeout_s: float,
        cancelled: Callable[[], bool],
    ) -> Fetched:
        deadline_s = time.monotonic() + timeout_s
        until = Until(deadline_s=deadline_s, cancelled=cancelled, what=source.name)
        folder = make_empty(into)
        with removed_on_error(into), Artifacts(self._access, until) as artifacts:
            try:
                found = read_job(source.name, artifacts)
                _Fetch(self._tools, artifacts, until, found).run(folder)
            except OSError as e:
                text = f"the code of {source.name} could not be written: {e.strerror}"
                raise SourceError(text, reason=Reason.DISK_FULL, retry=True) from None
            return Fetched(folder=str(folder), revision=found.artifact.name.full)


@dataclass(frozen=True, slots=True)
class _Fetch:
    """One job on its way into a folder."""

    tools: JobTools
    artifacts: Artifacts
    until: Until
    found: FoundJob

    def run(self, folder: Path) -> None:
        code = self.found.job.code
        frozen = self.artifacts.small(self.found.contents, FROZEN)
        match code:
            case RepoJob():
                self._repo(code, folder)
            case CodeJob():
                self._code(code, folder)
            case _:
                text = f"{self.found.artifact.name.full} is the job of an image, without code"
                hint = "send it to a queue whose target runs containers"
                raise SourceError(f"{text}; {hint}", reason=Reason.SOURCE_REFUSED)
        if frozen is not None:
            put(folder, FROZEN, frozen)
        make_script(folder, self.found.job)

    def _repo(self, code: RepoJob, folder: Path) -> None:
        patch = self.artifacts.small(self.found.contents, PATCH)
        self.tools.git.fetch(
            GitRequest(url=code.url, ref=code.commit),
            str(folder),
            timeout_s=self.until.left_s(),
            cancelled=self.until.cancelled,
        )
        if patch is not None and patch.strip():
            self.tools.patcher.apply(
                patch,
                str(folder),
                timeout_s=max(self.until.left_s(), 0.0),
                cancelled=self.until.cancelled,
            )

    def _code(self, code: CodeJob, folder: Path) -> None:
        try:
            name = parse_reference(code.artifact, self.found.artifact.name)
        except ArtifactRefusedError as e:
            raise SourceError(str(e), reason=Reason.SOURCE_REFUSED) from None
        contents = self.artifacts.contents(self.artifacts.find(name))
        for path in sorted(contents.entries):
            with new_file(folder, path) as file:
                self.artifacts.get(contents, path, file)
