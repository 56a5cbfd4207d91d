"""Plan an attempt for executables: all that they may want to know, as one document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from launchyard.domain.documents import Json
from launchyard.domain.environment import JobFacts, public_environment
from launchyard.domain.spec import ImageSource, LaunchSpec, Source, command_of
from launchyard.domain.wire import to_json

TYPE: Final = "exec"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecPlan:
    """What the `plan` executable is told, and the parts of it that shell scripts want by name."""

    request: Mapping[str, Json]
    command: tuple[str, ...]
    image: str
    env: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecContext:
    """Under which name an attempt is to run, and what its environment is made of."""

    name: str
    facts: JobFacts
    submitter: str = ""
    run_s: float | None = None


def plan_exec(spec: LaunchSpec, config: Json, context: ExecContext) -> ExecPlan:
    """Return the plan; *config* is the queue's, merged and with macros resolved.

    The configuration is the executables' own: nothing in it is ours but `env`.
    """
    given = config.get("env") if isinstance(config, dict) else None
    declared = {k: str(v) for k, v in given.items()} if isinstance(given, dict) else {}
    facts = replace(context.facts, spec=spec, path="", declared={**declared, **spec.env})
    env, command = public_environment(facts), command_of(spec)
    image = spec.source.image if isinstance(spec.source, ImageSource) else ""
    request: dict[str, Json] = {
        "name": context.name,
        "item": facts.item,
        "attempt": facts.attempt,
        "entity": facts.entity,
        "queue": facts.queue,
        "project": spec.project,
        "run_id": facts.run_id,
        "submitter": context.submitter,
        "command": [*command],
        "image": image,
        "source": _source(spec.source),
        "env": {**env},
        "config": config,
        "timeout_s": context.run_s,
    }
    return ExecPlan(request=request, command=command, image=image, env=env)


def _source(source: Source) -> Json:
    """Return where the code is: its kind, and what is known of it."""
    told = to_json(source)
    kind = type(source).__name__.removesuffix("Source").lower()
    return {**(told if isinstance(told, dict) else {}), "kind": kind}
