"""Named secrets: their names, what a value may be, and what a launch says of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from launchyard.domain.config.problem import Problem
from launchyard.domain.config.suggest import did_you_mean
from launchyard.domain.documents import Json
from launchyard.domain.spec.model import LaunchSpec, SecretRef

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
NAME_RULE: Final = "must begin with a letter or digit and hold letters, digits and `_.-` only"
LONGEST_B: Final = 64 * 1024
"""Half of what Linux lets one variable be, its name included."""

_PREFIX: Final = "secret:"


def name_of(secret: SecretRef) -> str:
    """Return the name under which the server keeps a launch's secret."""
    return secret.source.removeprefix(_PREFIX)


def value_rule(value: str) -> str | None:
    """Return what is wrong with a value, without a word of it."""
    if not value:
        return "must not be empty"
    if "\0" in value:
        return "must not hold a zero byte: no variable can"
    if len(value.encode()) > LONGEST_B:
        return f"must be at most {LONGEST_B} bytes long"
    return None


def references(spec: Json) -> Mapping[str, str]:
    """Return, by variable, the names of the secrets that a launch spec's document asks for."""
    asked = spec.get("secrets") if isinstance(spec, dict) else None
    found: dict[str, str] = {}
    for one in asked if isinstance(asked, list) else ():
        if isinstance(one, dict):
            found[str(one.get("env"))] = str(one.get("from")).removeprefix(_PREFIX)
    return found


def missing(spec: LaunchSpec, known: Sequence[str]) -> list[Problem]:
    """Return a problem for each secret of *spec* that is not among the *known* names."""
    return [
        Problem(
            path=("secrets", index),
            message=f"there is no secret `{name_of(secret)}`",
            hint=did_you_mean(name_of(secret), known)
            or f"an administrator makes it: `launchyard secret set {name_of(secret)}`",
        )
        for index, secret in enumerate(spec.secrets)
        if name_of(secret) not in known
    ]


def named_context(entity: str, name: str) -> str:
    """Return what a named secret is sealed for: it opens under no other name or entity."""
    return f"secret {entity} {name}"


def item_context(entity: str, env: str) -> str:
    """Return what a value that came with a launch is sealed for."""
    return f"item {entity} {env}"
