"""Short ways to check a document in tests."""

from __future__ import annotations

from collections.abc import Mapping

from launchyard.domain.config.check import Checked, check
from launchyard.domain.config.model import AgentConfig
from launchyard.domain.config.problem import Marked, Problem
from launchyard.domain.config.schema import KnownTypes
from launchyard.domain.documents import Json, Path, dotted


def checked(
    value: Json,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Json] | None = None,
    known: KnownTypes | None = None,
) -> Checked:
    """Check *value* as the file `c.yaml`, each of whose values stands on its own line."""
    lines = {path: number for number, path in enumerate(paths(value))}
    document = Marked(value=value, lines=lines, name="c.yaml")
    return check(document, environment or {}, flags or {}, known or KnownTypes())


def paths(value: Json, path: Path = ()) -> list[Path]:
    """Return the path of every value in *value*, in the order of reading."""
    found: list[Path] = [path]
    if isinstance(value, dict):
        found += [p for key, item in value.items() for p in paths(item, (*path, key))]
    if isinstance(value, list):
        found += [p for index, item in enumerate(value) for p in paths(item, (*path, index))]
    return found


def config(value: Json, environment: Mapping[str, str] | None = None) -> AgentConfig:
    """Return the configuration of a document without errors."""
    result = checked(value, environment)
    assert result.config is not None, [p.text for p in result.errors]
    return result.config


def errors(value: Json) -> dict[str, str]:
    """Return the hint of every error by the dotted path of its value."""
    return {dotted(problem.path): problem.hint for problem in checked(value).errors}


def warnings(value: Json) -> dict[str, str]:
    """Return the message of every warning by the dotted path of its value."""
    result = checked(value)
    return {dotted(p.path): p.message for p in result.problems if p not in result.errors}


def only_error(value: Json) -> Problem:
    """Return the one error of *value*."""
    (problem,) = checked(value).errors
    return problem
