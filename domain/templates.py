"""Template variables: what a launch may choose where a queue's owner wrote `{{name}}`.

Values are put in by `macros.fill`, before a launch's overrides; the places where placeholders
stand are locked, so that bounds cannot be passed by overriding what they bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from launchyard.domain.config.problem import Problem
from launchyard.domain.config.suggest import did_you_mean, either
from launchyard.domain.documents import Json, Path, dotted
from launchyard.domain.macros import PLACEHOLDER
from launchyard.domain.template_schema import Variables, VariableType, plain


def check_values(
    variables: Variables, given: Mapping[str, Json]
) -> tuple[dict[str, Json], tuple[Problem, ...]]:
    """Return a value for every variable, defaults put in, and all that is wrong with *given*."""
    root = ("template_variables",)
    problems = [
        Problem(
            path=(*root, name),
            message="is no template variable of this queue",
            hint=did_you_mean(name, variables) or _known(variables),
        )
        for name in given
        if name not in variables
    ]
    values: dict[str, Json] = {}
    for name, variable in variables.items():
        value = given.get(name)
        if value is None:
            value = variable.default
        if value is None:
            message = "has no value, and the queue has no default for it"
            hint = f"--set-var {name}={plain(variable.sample())}"
            problems.append(Problem(path=(*root, name), message=message, hint=hint))
        elif wrong := variable.objection(value):
            problems.append(Problem(path=(*root, name), message=wrong, hint=variable.description))
        else:
            values[name] = value
    return values, tuple(problems)


def from_text(variables: Variables, name: str, text: str) -> Json:
    """Return what *text*, as people type it, means to the variable *name*.

    What cannot be meant stays the text, so that the check of values tells what is wrong.
    """
    variable = variables.get(name)
    kind = variable.type if variable else VariableType.STRING
    try:
        if kind is VariableType.INTEGER:
            return int(text)
        if kind is VariableType.NUMBER:
            number = float(text)
            return number if math.isfinite(number) else text
    except ValueError:
        return text
    if kind is VariableType.BOOLEAN:
        return {"true": True, "false": False}.get(text.lower(), text)
    return text


def placeholders(config: Json) -> dict[Path, tuple[str, ...]]:
    """Return where `{{name}}` stands in a configuration, with the names."""
    found = _found(config, ())
    return {path: tuple(PLACEHOLDER.findall(text)) for path, text in found}


def _found(value: Json, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _found(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _found(item, (*path, index))
    elif isinstance(value, str) and PLACEHOLDER.search(value):
        yield path, value


def check_placeholders(config: Json, variables: Variables) -> tuple[Problem, ...]:
    """Return the placeholders that no variable stands behind.

    A queue without variables has no placeholders: `{{` is text to it, as templates of other
    programs need it.
    """
    if not variables:
        return ()
    return tuple(
        Problem(
            path=("config", *path),
            message=f"`{{{{{name}}}}}` names no template variable of this queue",
            hint=did_you_mean(name, variables) or _known(variables),
        )
        for path, names in placeholders(config).items()
        for name in names
        if name not in variables
    )


def locked(config: Json, variables: Variables, changes: Sequence[Path]) -> tuple[Problem, ...]:
    """Return the *changes* that a launch may not make, because a template variable stands there."""
    places = placeholders(config) if variables else {}
    return tuple(
        Problem(
            path=path,
            message=f"override of `{dotted(path)}` refused:"
            f" template variable {either(names)} stands there",
            hint=f"set the variable: --set-var {names[0]}=VALUE",
        )
        for path in changes
        for place, names in places.items()
        if place == path
    )


def _known(variables: Variables) -> str:
    return f"it has {either(variables)}" if variables else "it has none"
