"""An item of a W&B server as our agent takes it: what a popped run spec says.

Its specs arrive merged, so the arguments of its resource are the queue's configuration here, in
which the agent's variables may be named; the rest is the launch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from launchyard.domain.documents import Json, copy_json
from launchyard.domain.spec.model import SCHEDULER_URI

KEY: Final = "_wandb_api_key"
QUEUES_PROJECT: Final = "model-registry"
LEASE_MS: Final = 50_000
"""How long a popped item is surely nobody else's: the server's minute, less what a call takes."""

ACK_MS: Final = 12_000
"""From what age on an item is acked though it waits: early enough before its lease ends."""

NO_PROJECT: Final = "uncategorized"
"""Where runs go whose launch names no project."""

_DEFAULT_RESOURCE: Final = "local-container"
_RESOURCES: Final = {"local": _DEFAULT_RESOURCE, "gcp-vertex": "vertex"}
_SCHEDULER: Final = ("wandb", "scheduler")
_SCHEDULER_WORDS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A popped launch, taken apart; `spec` and `config` hold no secret."""

    spec: dict[str, Json]
    config: Json
    resource: str
    entity: str
    project: str
    run_id: str
    sweep: str
    author: str
    resumes: int
    scheduler: bool
    api_key: str = field(default="", repr=False)


def read_launch(given: Mapping[str, Json], entity: str, fresh_run: str) -> Launch:
    """Take a run spec apart; *entity* is the queue's, and *fresh_run* the run's id if it has none.

    What is wrong with it shows when it is planned, so that its item is told.
    """
    spec = {key: copy_json(value) for key, value in given.items() if value is not None}
    api_key = _text(spec.pop(KEY, ""))
    resource = _resource(spec)
    config = _config(spec, resource)
    spec["resource"] = resource
    author = _text(spec.pop("author", ""))
    if author and not api_key:  # a submitter's own key says who it is
        spec["author"] = author
    resumes = spec.get("_resume_count")
    return Launch(
        spec=spec,
        config=config,
        resource=resource,
        entity=_text(spec.get("entity")) or entity,
        project=_text(spec.get("project")).lower() or NO_PROJECT,
        run_id=_text(spec.get("run_id")) or fresh_run,
        sweep=_text(spec.get("sweep_id")),
        author=author,
        resumes=resumes if isinstance(resumes, int) else 0,
        scheduler=is_scheduler(spec, resource),
        api_key=api_key,
    )


def merged(spec: Mapping[str, Json], config: Json) -> dict[str, Json]:
    """Return a launch as a W&B server had given it: the reverse of `read_launch`, less its key."""
    resource = _text(spec.get("resource"))
    return {**spec, "resource_args": {resource: copy_json(config)}}


def is_scheduler(spec: Mapping[str, Json], resource: str) -> bool:
    """Tell whether a launch schedules a sweep: such jobs are counted by `max_schedulers`."""
    if spec.get("uri") == SCHEDULER_URI:
        return True
    overrides = spec.get("overrides")
    words = overrides.get("entry_point") if isinstance(overrides, dict) else None
    if resource != "local-process" or spec.get("job") or not isinstance(words, list):
        return False
    return len(words) >= _SCHEDULER_WORDS and tuple(words[:2]) == _SCHEDULER


def _resource(spec: Mapping[str, Json]) -> str:
    named = _text(spec.get("resource"))
    args = spec.get("resource_args")
    if not named and isinstance(args, dict) and len(args) == 1:
        named = next(iter(args))
    return _RESOURCES.get(named, named) or _DEFAULT_RESOURCE


def _config(spec: dict[str, Json], resource: str) -> Json:
    """Take the resource's arguments out of *spec*; what is said to its builder stays there."""
    args = spec.pop("resource_args", None)
    if not isinstance(args, dict):
        return {}
    names = [resource, *(alias for alias, name in _RESOURCES.items() if name == resource)]
    found = next((args[name] for name in names if args.get(name) is not None), {})
    if not isinstance(found, dict):
        spec["resource_args"] = args
        return {}
    config = dict(found)
    builder = config.pop("builder", None)
    if isinstance(builder, dict) and builder:
        spec["builder"] = builder
    return config


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
