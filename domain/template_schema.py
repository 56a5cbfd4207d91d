"""How a queue's owner describes template variables: W&B's way, or flat.

cpu: {schema: {type: integer, minimum: 1, maximum: 4, default: 2}, description: cores}
cpu: {type: integer, minimum: 1, maximum: 4, default: 2}
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from launchyard.domain.config.problem import Problem, shown
from launchyard.domain.config.suggest import did_you_mean, either
from launchyard.domain.documents import Json, Path

Scalar: TypeAlias = "str | int | float | bool"


class VariableType(StrEnum):
    """What a value may be."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"

    @property
    def words(self) -> str:
        """Return what a value of this type is called."""
        return _WORDS[self]


_WORDS: Final[Mapping[VariableType, str]] = {
    VariableType.STRING: "a text",
    VariableType.INTEGER: "a whole number",
    VariableType.NUMBER: "a number",
    VariableType.BOOLEAN: "true or false",
}
_NAME: Final = re.compile(r"\w+")
_NUMERIC: Final = frozenset({VariableType.INTEGER, VariableType.NUMBER})
_SCHEMA_KEYS: Final = ("type", "enum", "minimum", "maximum", "default")
_FLAT_KEYS: Final = (*_SCHEMA_KEYS, "description")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable; no `default` means that every launch must give a value."""

    name: str
    type: VariableType
    enum: tuple[Scalar, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    default: Scalar | None = None
    description: str = ""

    def objection(self, value: Json) -> str:
        """Say why *value* may not be this variable's; empty when it may."""
        if not is_a(self.type, value):
            return f"must be {self.type.words}, not {shown(value, key=self.name)}"
        if self.enum and not any(_same(value, one) for one in self.enum):
            return f"must be one of {', '.join(map(plain, self.enum))}"
        if isinstance(value, int | float):
            if self.minimum is not None and value < self.minimum:
                return f"must be at least {plain(self.minimum)}"
            if self.maximum is not None and value > self.maximum:
                return f"must be at most {plain(self.maximum)}"
        return ""

    def sample(self) -> Scalar:
        """Return a value that this variable takes, to look at a configuration with."""
        if self.default is not None:
            return self.default
        if self.enum:
            return self.enum[0]
        if self.type is VariableType.STRING:
            return "x"
        if self.type is VariableType.BOOLEAN:
            return True
        low, high = self.minimum, self.maximum
        number = low if low is not None else min(1, high) if high is not None else 1
        return math.ceil(number) if self.type is VariableType.INTEGER else number

    def document(self) -> dict[str, Json]:
        """Return the variable as W&B writes it."""
        schema: dict[str, Json] = {"type": self.type.value}
        if self.enum:
            schema["enum"] = [*self.enum]
        bounds = {"minimum": self.minimum, "maximum": self.maximum, "default": self.default}
        schema.update({key: value for key, value in bounds.items() if value is not None})
        return {"schema": schema} | ({"description": self.description} if self.description else {})


Variables: TypeAlias = "Mapping[str, Variable]"


def read_variables(document: Json) -> tuple[dict[str, Variable], tuple[Problem, ...]]:
    """Return the variables that *document* describes, and all that is wrong with it."""
    root = ("template_variables",)
    if document is None:
        return {}, ()
    if not isinstance(document, dict):
        return {}, (Problem(path=root, message="must be an object: a schema by name"),)
    found: dict[str, Variable] = {}
    problems: list[Problem] = []
    for name, described in document.items():
        if not _NAME.fullmatch(name):
            message = "is no name of a variable: letters, digits and `_`"
            problems.append(Problem(path=(*root, name), message=message))
            continue
        variable = _Reading((*root, name), problems).variable(name, described)
        if variable is not None:
            found[name] = variable
    return found, tuple(problems)


def documents(variables: Variables) -> dict[str, Json]:
    """Return *variables* as a document that `read_variables` reads back to equal ones."""
    return {name: variable.document() for name, variable in variables.items()}


class _Reading:
    """Reads one variable; adds to *problems* what is wrong with it."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        self._path, self._problems = path, problems

    def variable(self, name: str, described: Json) -> Variable | None:
        before = len(self._problems)
        flat = self._flat(described)
        kind = self._type(flat.get("type")) if flat is not None else None
        if flat is None or kind is None:
            return None
        variable = Variable(
            name=name,
            type=kind,
            enum=self._enum(flat.get("enum"), kind),
            minimum=self._bound(flat, "minimum", kind),
            maximum=self._bound(flat, "maximum", kind),
            description=str(flat.get("description") or ""),
        )
        if len(self._problems) == before:
            variable = self._with_default(variable, flat.get("default"))
        return variable

    def _flat(self, described: Json) -> dict[str, Json] | None:
        """Return schema and description as one object, whichever way they were written."""
        if not isinstance(described, dict):
            self._say((), "must be an object with a `schema`")
            return None
        flat = dict(described)
        schema = flat.pop("schema", None)
        if schema is not None:
            self._unknown(flat, ("schema", "description"), ())
            if not isinstance(schema, dict):
                self._say(("schema",), "must be an object")
                return None
            self._unknown(schema, _SCHEMA_KEYS, ("schema",))
            return {**schema, "description": flat.get("description")}
        self._unknown(flat, _FLAT_KEYS, ())
        return flat

    def _unknown(self, given: Mapping[str, Json], known: Sequence[str], at: Path) -> None:
        for key in given:
            if key not in known:
                message = f"a variable has no `{key}`"
                self._say((*at, key), message, did_you_mean(key, known))

    def _type(self, value: Json) -> VariableType | None:
        names = [one.value for one in VariableType]
        if isinstance(value, str) and value in names:
            return VariableType(value)
        hint = did_you_mean(value, names) if isinstance(value, str) else ""
        self._say(("type",), f"must be {either(names)}", hint)
        return None

    def _enum(self, value: Json, kind: VariableType) -> tuple[Scalar, ...]:
        if value is None:
            return ()
        if not isinstance(value, list) or not value:
            self._say(("enum",), "must be a list of the values to choose from")
            return ()
        for index, one in enumerate(value):
            if not is_a(kind, one):
                self._say(("enum", index), f"must be {kind.words}, as the type says")
        return tuple(one for one in value if isinstance(one, str | int | float))

    def _bound(self, flat: Mapping[str, Json], key: str, kind: VariableType) -> float | None:
        value = flat.get(key)
        if value is None:
            return None
        if kind not in _NUMERIC:
            self._say((key,), f"{kind.words} has no bounds", "leave it out, or use `enum`")
        elif not is_a(VariableType.NUMBER, value):
            self._say((key,), "must be a number")
        else:
            return value if isinstance(value, int | float) else None
        return None

    def _with_default(self, variable: Variable, default: Json) -> Variable:
        low, high = variable.minimum, variable.maximum
        if low is not None and high is not None and low > high:
            self._say(("minimum",), f"is more than the maximum, {plain(high)}")
        elif wrong := variable.objection(variable.sample()):
            if not variable.enum:
                self._say(("maximum",), f"leaves no value: a value {wrong}")
            else:
                self._say(("enum",), f"has a value that {wrong}")
        if default is None:
            return variable
        wrong = variable.objection(default)
        if wrong or not isinstance(default, str | int | float):
            self._say(("default",), wrong)
            return variable
        return Variable(
            name=variable.name,
            type=variable.type,
            enum=variable.enum,
            minimum=variable.minimum,
            maximum=variable.maximum,
            default=default,
            description=variable.description,
        )

    def _say(self, at: Path, message: str, hint: str = "") -> None:
        self._problems.append(Problem(path=(*self._path, *at), message=message, hint=hint))


def is_a(kind: VariableType, value: Json) -> bool:
    """Tell whether *value* is of a type, as JSON tells types apart: true is no number."""
    match kind:
        case VariableType.STRING:
            return isinstance(value, str)
        case VariableType.BOOLEAN:
            return isinstance(value, bool)
        case VariableType.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        case VariableType.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)


def _same(left: Json, right: Json) -> bool:
    """Compare as JSON does: true is not 1."""
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def plain(value: Json) -> str:
    """Return *value* as people type it."""
    return value if isinstance(value, str) else json.dumps(value)
