"""A launch of a W&B job as a launch that says everything itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from launchyard.domain.documents import Json, copy_json
from launchyard.domain.notebook import script_name
from launchyard.domain.wandb_job import ImageJob, WandbJob

_JOB: Final = "_wandb_job"


def with_job(spec: Mapping[str, Json], job: WandbJob, name: str) -> dict[str, Json]:
    """Return a launch with what its *job* brings; *name* is the job's, with its exact version.

    What the launch says itself wins over the job. The job's image takes the place of `job` in the
    launch of an image job; its name stays where the run looks for it. Parts of the wrong kind are
    left for `parse_spec` to tell of.
    """
    made = {key: copy_json(value) for key, value in spec.items() if value is not None}
    overrides = _object(made, "overrides")
    if overrides is not None:
        _lay_under(overrides, _commands(job))
        if isinstance(job.code, ImageJob):
            artifacts = _object(overrides, "artifacts")
            if artifacts is not None:
                artifacts[_JOB] = name
    _lay_under(made, {"python_version": job.runtime})
    builder = _object(made, "builder")
    if builder is not None:
        builder.update(_said({"base_image": job.base_image, "build_context": job.build_context}))
    for key in ("overrides", "builder"):
        if made[key] == {}:
            del made[key]
    if not isinstance(job.code, ImageJob):
        return {**made, "job": name}
    docker = _object(made, "docker")
    if docker is not None:
        docker["docker_image"] = job.code.image
    made.pop("job", None)
    return made


def _commands(job: WandbJob) -> dict[str, Json]:
    return {
        "entry_point": list(entry_point(job)),
        "args": list(job.args),
        "dockerfile": job.dockerfile,
    }


def entry_point(job: WandbJob) -> tuple[str, ...]:
    """Return the words of a job's command: a notebook is run as the script made of it."""
    if not job.notebook or not job.entrypoint:
        return job.entrypoint
    return (*job.entrypoint[:-1], script_name(job.entrypoint[-1]))


def _lay_under(into: dict[str, Json], values: Mapping[str, Json]) -> None:
    """Put in what *into* does not say, and nothing that says nothing."""
    for key, value in values.items():
        if value and not into.get(key):
            into[key] = value


def _said(values: Mapping[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in values.items() if value}


def _object(document: dict[str, Json], key: str) -> dict[str, Json] | None:
    """Return the object under *key*, which is made when there is none."""
    value = document.setdefault(key, {})
    return value if isinstance(value, dict) else None
