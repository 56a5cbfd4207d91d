"""Jobs of a W&B server: reading what one says, and putting that into a launch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from launchyard.adapters.wandb.artifacts import Access, Artifact, Artifacts, Contents
from launchyard.adapters.wandb.aside import Until
from launchyard.domain.config.problem import DocumentError
from launchyard.domain.documents import Json
from launchyard.domain.reason import Reason
from launchyard.domain.wandb_artifact import ArtifactRefusedError, parse_job_name
from launchyard.domain.wandb_job import FILE, WandbJob, parse_job
from launchyard.domain.wandb_job_spec import with_job
from launchyard.ports.source import SourceError

KIND: Final = "job"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundJob:
    """A job, the version of its artifact, and the files beside it."""

    job: WandbJob
    artifact: Artifact
    contents: Contents


def read_job(name: str, artifacts: Artifacts) -> FoundJob:
    """Return the job that *name* means now.

    Raises:
        SourceError: there is none, it is wrong, or the server did not say.
    """
    try:
        asked = parse_job_name(name)
    except ArtifactRefusedError as e:
        raise SourceError(str(e), reason=Reason.SOURCE_REFUSED) from None
    artifact = artifacts.find(asked)
    if artifact.kind != KIND:
        text = f"{asked.full} is an artifact of type {artifact.kind!r}, not a job"
        hint = "name one that `wandb job list` shows"
        raise SourceError(f"{text}; {hint}", reason=Reason.SOURCE_REFUSED)
    contents = artifacts.contents(artifact)
    raw = artifacts.small(contents, FILE)
    if raw is None:
        text = f"the job {asked.full} has no {FILE}; make it anew with `wandb job create`"
        raise SourceError(text, reason=Reason.SOURCE_CORRUPT)
    return FoundJob(job=_parsed(raw, asked.full), artifact=artifact, contents=contents)


def _parsed(raw: bytes, name: str) -> WandbJob:
    try:
        return parse_job(json.loads(raw))
    except DocumentError as e:
        told = "; ".join(
            f"{'.'.join(map(str, problem.path))}: {problem.message}" for problem in e.problems
        )
        text = f"{FILE} of {name} is refused: {told}"
        raise SourceError(text, reason=Reason.SOURCE_REFUSED) from None
    except ValueError:
        raise SourceError(f"{FILE} of {name} is no JSON", reason=Reason.SOURCE_CORRUPT) from None


class Jobs:
    """Completes launches that name a job, before they are planned; thread-safe."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def completed(
        self,
        spec: Mapping[str, Json],
        deadline_s: float,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Mapping[str, Json]:
        """Return *spec* with what its job says: command, Python, image; one without stays.

        The job's exact version takes the place of an alias, so that the code that is fetched
        later is that of the command. It has until *deadline_s*, of `time.monotonic()`.

        Raises:
            SourceError: the job was not found, is refused, or the server did not say.
        """
        name = spec.get("job")
        if not isinstance(name, str) or not name:
            return spec
        until = Until(deadline_s=deadline_s, cancelled=cancelled, what=name)
        with Artifacts(self._access, until) as artifacts:
            found = read_job(name, artifacts)
        return with_job(spec, found.job, found.artifact.name.full)
