"""Launches of W&B jobs that are kept here: what the job says is put in when the item is queued.

So the item says everything itself, an alias means what it meant at the submit, and whoever submits
hears at once of a job that is not there. Agents of either kind see an ordinary launch.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Final

from launchyard.adapters.http.bodies import parse
from launchyard.adapters.http.house import House
from launchyard.adapters.http.problems import RefusalError, wrong
from launchyard.domain.config.problem import DocumentError
from launchyard.domain.documents import Json, dotted
from launchyard.domain.rights import Action, Principal
from launchyard.domain.wandb_artifact import ArtifactName, ArtifactRefusedError, parse_job_name
from launchyard.domain.wandb_job import FILE, WandbJob, parse_job
from launchyard.domain.wandb_job_spec import with_job
from launchyard.ports.records import StoreError
from launchyard.ports.store import Store
from launchyard.ports.tracking import COMMITTED, Artifact, files_of

_KIND: Final = "job"
_MOST_B: Final = 1024 * 1024
_HINT: Final = "`wandb job list` shows those of a project"


def version_of(store: Store, name: ArtifactName) -> Artifact | None:
    """Return the version that a name means now: by number, by alias, or as the newest of a run."""
    found = store.artifacts(name.entity, name.project, name.collection)
    whole = [one for one in reversed(found) if one.state == COMMITTED]
    numbered = (one for one in whole if name.alias == f"v{one.version}")
    named = (one for one in whole if name.alias in one.aliases)
    made = (one for one in whole if name.alias == one.run)
    return next(itertools.chain(numbered, named, made), None)


async def with_its_job(house: House, spec: Json, who: Principal) -> Json:
    """Return *spec* with what its job says under it; one without a job stays as it is.

    Raises:
        RefusalError: there is no such job that *who* may see, or it is none.
    """
    name = spec.get("job") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(name, str) or not name:
        return spec
    try:
        asked = parse_job_name(name)
    except ArtifactRefusedError as e:
        raise wrong("job", str(e)) from None
    found = _found(house.store, asked, who)
    job = _parsed(await _bytes(house, found), asked.full)
    return with_job(spec, job, asked.at(f"v{found.version}").full)


def _found(store: Store, asked: ArtifactName, who: Principal) -> Artifact:
    missing = wrong("job", f"there is no job {asked.full}", _HINT)
    if not who.may(Action.READ, asked.entity):
        raise missing
    try:
        found = version_of(store, asked)
    except StoreError:
        raise missing from None
    if found is None:
        raise missing
    if found.kind != _KIND:
        raise wrong("job", f"{asked.full} is an artifact of type {found.kind!r}", _HINT)
    return found


async def _bytes(house: House, artifact: Artifact) -> bytes:
    kept = house.store.kept_file(files_of(artifact.id), FILE)
    if kept is None or kept.size_b > _MOST_B:
        raise _broken(f"{artifact.collection}:v{artifact.version}", f"it has no {FILE}")
    blobs = house.services.blobs

    def read() -> bytes:
        with blobs.open(kept.blob) as file:
            return file.read(_MOST_B)

    return await asyncio.to_thread(read)


def _parsed(raw: bytes, name: str) -> WandbJob:
    try:
        return parse_job(parse(raw))
    except DocumentError as e:
        told = "; ".join(f"{dotted(one.path)}: {one.message}" for one in e.problems)
        raise _broken(name, told) from None
    except (ValueError, RecursionError):
        raise _broken(name, f"its {FILE} is no JSON") from None


def _broken(name: str, why: str) -> RefusalError:
    return wrong("job", f"{name} cannot be launched: {why}", "make it anew: `wandb job create`")
