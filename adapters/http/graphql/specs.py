"""Launch specs as stock clients write and read them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from launchyard.domain.documents import Json, copy_json
from launchyard.domain.macros import compose, plain
from launchyard.domain.spec import NoSource, parse_spec
from launchyard.domain.submission import WANDB_KEY, overrides_of

_OBJECTS: Final = ("docker", "git", "overrides", "resource_args")
_OURS: Final = ("env", "secrets", "template_variables", "priority", "outputs", "timeout_s")
_COMMAND: Final = "placeholder-uri-command"
"""What makes a stock agent run a command that fetches nothing."""

_DEFAULT_PROJECT: Final = "uncategorized"


def whole(document: Json, config: Json, resource: str) -> dict[str, Json]:
    """Return an item's spec with its queue's configuration merged in, as stock agents need it.

    Macros stay as they are written: the agent knows what they mean where it runs.
    """
    spec = parse_spec(document)
    merged = plain(compose(config, overrides_of(spec), spec.template_variables))
    found = copy_json(document)
    filled: dict[str, Json] = dict(found) if isinstance(found, dict) else {}
    for name in _OBJECTS:
        filled[name] = filled.get(name) or {}
    args: Json = {resource: merged}
    return {**filled, "resource": resource, "resource_args": args}


def for_agent(spec: Mapping[str, Json], entity: str, author: str) -> dict[str, Json]:
    """Return a merged spec as an agent pops it: no null where it would stumble."""
    left = {key: value for key, value in spec.items() if key not in _OURS and value is not None}
    plain_command = isinstance(parse_spec(dict(spec)).source, NoSource) and not spec.get("uri")
    return {
        **left,
        **({"uri": _COMMAND} if plain_command else {}),
        "entity": spec.get("entity") or entity,
        "project": spec.get("project") or _DEFAULT_PROJECT,
        "author": spec.get("author") or author,
    }


def refusal(spec: Json, secrets: Collection[str]) -> str:
    """Return why a stock agent cannot run a launch, or nothing."""
    found = parse_spec(spec)
    if found.code is not None:
        return "only a launchyard agent fetches its `source`"
    if set(secrets) - {WANDB_KEY}:
        return "it needs secrets, which only a launchyard agent is given"
    return ""


def run_of(spec: Json, entity: str) -> tuple[str, str]:
    """Return the entity and the project in which an agent lets a launch's run begin."""
    given = spec if isinstance(spec, dict) else {}
    owner, project = given.get("entity"), given.get("project")
    return str(owner or entity), str(project or _DEFAULT_PROJECT).lower()
