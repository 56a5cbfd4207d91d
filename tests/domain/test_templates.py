"""Template variables: what owners may describe, what launches may say, and what is locked."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.documents import Json, dotted
from launchyard.domain.macros import compose, plain
from launchyard.domain.merge import changed_paths, merge_patch
from launchyard.domain.template_schema import Variable, VariableType, documents, read_variables
from launchyard.domain.templates import (
    check_placeholders,
    check_values,
    from_text,
    locked,
    placeholders,
)

FLAT: dict[str, Json] = {
    "cpu": {"type": "integer", "minimum": 1, "maximum": 4, "default": 2},
    "pool": {"type": "string", "enum": ["a100", "h100"], "description": "which cards"},
    "share": {"type": "number", "maximum": 0.5},
    "spot": {"type": "boolean", "default": False},
}
KNOWN, _ = read_variables(FLAT)

kinds = st.sampled_from(VariableType)
values: Mapping[VariableType, st.SearchStrategy[Json]] = {
    VariableType.STRING: st.text(max_size=5),
    VariableType.INTEGER: st.integers(-9, 9),
    VariableType.NUMBER: st.floats(-9, 9) | st.integers(-9, 9),
    VariableType.BOOLEAN: st.booleans(),
}


@st.composite
def variables(draw: st.DrawFn) -> dict[str, Json]:
    """Draw a description that is right."""
    kind = draw(kinds)
    schema: dict[str, Json] = {}
    schema["type"] = kind.value
    if kind in {VariableType.INTEGER, VariableType.NUMBER} and draw(st.booleans()):
        low = draw(st.integers(-9, 9))
        schema |= {"minimum": low, "maximum": low + draw(st.integers(0, 5))}
    elif draw(st.booleans()):
        schema["enum"] = draw(st.lists(values[kind], min_size=1, max_size=3))
    return {"schema": schema, "description": draw(st.text(max_size=3))}


def wrong(document: Json) -> list[str]:
    """Return the paths of all that is wrong with a description."""
    return [dotted(one.path) for one in read_variables(document)[1]]


def test_both_ways_to_describe_mean_the_same() -> None:
    """W&B wraps the schema; what is stored is W&B's way."""
    wrapped: dict[str, Json] = {}
    for name, flat in FLAT.items():
        assert isinstance(flat, dict)
        described: dict[str, Json] = {k: v for k, v in flat.items() if k == "description"}
        described["schema"] = {k: v for k, v in flat.items() if k != "description"}
        wrapped[name] = described
    assert read_variables(wrapped) == (KNOWN, ())
    assert documents(KNOWN) == wrapped


@given(variables())
def test_a_description_comes_back_equal(described: dict[str, Json]) -> None:
    """What is read, written and read again is the same; its sample is a value it takes."""
    found, problems = read_variables({"v": described})
    assert problems == ()
    assert read_variables(documents(found)) == (found, ())
    assert found["v"].objection(found["v"].sample()) == ""


@pytest.mark.parametrize(
    ("described", "path"),
    [
        (3, "template_variables.v"),
        ({}, "template_variables.v.type"),
        ({"type": "int"}, "template_variables.v.type"),
        ({"schema": {"type": "string", "min": 1}}, "template_variables.v.schema.min"),
        ({"type": "string", "minimum": 1}, "template_variables.v.minimum"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "template_variables.v.minimum"),
        ({"type": "integer", "enum": []}, "template_variables.v.enum"),
        ({"type": "integer", "enum": [1, True]}, "template_variables.v.enum[1]"),
        ({"type": "integer", "enum": [9], "maximum": 4}, "template_variables.v.enum"),
        ({"type": "integer", "minimum": 1, "default": 0}, "template_variables.v.default"),
        ({"type": "integer", "minimum": 0.2, "maximum": 0.8}, "template_variables.v.maximum"),
    ],
)
def test_a_wrong_description_is_told_with_its_path(described: Json, path: str) -> None:
    """At the creation of the queue, not at somebody's launch."""
    assert wrong({"v": described}) == [path]


def test_every_wrong_description_is_told_at_once() -> None:
    """Names, too."""
    assert wrong({"a b": {"type": "string"}, "c": {"type": "x"}, "d": 1}) == [
        "template_variables.a b",
        "template_variables.c.type",
        "template_variables.d",
    ]
    assert wrong([1]) == ["template_variables"]


def test_every_wrong_value_is_told_at_once() -> None:
    """Slips of the pen come with the name that was meant."""
    given_values: dict[str, Json] = {"cpus": 1, "cpu": 5, "pool": "v100", "spot": 1}
    found, problems = check_values(KNOWN, given_values)
    assert found == {}
    assert [(dotted(p.path).rpartition(".")[2], p.message) for p in problems] == [
        ("cpus", "is no template variable of this queue"),
        ("cpu", "must be at most 4"),
        ("pool", "must be one of a100, h100"),
        ("share", "has no value, and the queue has no default for it"),
        ("spot", "must be true or false, not 1"),
    ]
    assert [p.hint for p in problems] == [
        "did you mean `cpu`?",
        "",
        "which cards",
        "--set-var share=0.5",
        "",
    ]


def test_defaults_are_put_in() -> None:
    """A null counts as nothing said."""
    found, problems = check_values(KNOWN, {"pool": "a100", "share": 0.25, "cpu": None})
    assert (found, problems) == ({"cpu": 2, "pool": "a100", "share": 0.25, "spot": False}, ())


@given(variables(), st.none() | st.booleans() | st.integers() | st.floats() | st.text())
def test_a_value_that_is_taken_keeps_every_rule(described: dict[str, Json], value: Json) -> None:
    """Type, choice and bounds, however strange the value."""
    variable = read_variables({"v": described})[0]["v"]
    taken, problems = check_values({"v": variable}, {"v": value})
    assert bool(taken) != bool(problems)
    if taken:
        assert _keeps(variable, taken["v"])


def _keeps(variable: Variable, value: Json) -> bool:
    types: Mapping[VariableType, tuple[type, ...]] = {
        VariableType.STRING: (str,),
        VariableType.INTEGER: (int,),
        VariableType.NUMBER: (int, float),
        VariableType.BOOLEAN: (bool,),
    }
    if type(value) not in types[variable.type]:
        return False
    if variable.minimum is not None and isinstance(value, int | float):
        assert variable.maximum is not None
        return variable.minimum <= value <= variable.maximum
    return not variable.enum or value in variable.enum


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("cpu", "3", 3),
        ("cpu", "three", "three"),
        ("share", "0.1", 0.1),
        ("share", "nan", "nan"),
        ("spot", "True", True),
        ("spot", "yes", "yes"),
        ("pool", "7", "7"),
        ("unknown", "7", "7"),
    ],
)
def test_what_people_type_takes_the_variables_type(name: str, text: str, value: Json) -> None:
    """What cannot be read so stays a text, and the check of values tells why it will not do."""
    assert from_text(KNOWN, name, text) == value


def test_a_placeholder_without_a_variable_is_a_slip() -> None:
    """Unless the queue has no variables: then `{{` belongs to some other program."""
    config: Json = {"a": ["{{ cpu }} of {{cup}}"], "b": "{{x}}"}
    problems = check_placeholders(config, KNOWN)
    assert [(dotted(p.path), p.hint) for p in problems] == [
        ("config.a[0]", "did you mean `cpu`?"),
        ("config.b", "it has `cpu`, `pool`, `share` or `spot`"),
    ]
    assert check_placeholders(config, {}) == ()


keys = st.sampled_from(["a", "b", "c"])
leaves = st.sampled_from(["{{cpu}}", "{{pool}}-{{cpu}}", "${run_id}", "x", 1, None, True])
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=3)
)
VALUES: dict[str, Json] = {"cpu": 3, "pool": "{{cpu}}${run_id}"}


@given(st.dictionaries(keys, trees, max_size=3), st.dictionaries(keys, trees, max_size=3))
def test_an_override_that_is_not_refused_leaves_every_placeholders_value(
    config: Json, overrides: Json
) -> None:
    """Locks cannot be passed: not by a parent, a removal, a list, nor by writing a placeholder."""
    before = plain(compose(config, {}, VALUES))
    if locked(config, KNOWN, changed_paths(before, overrides)):
        return
    after = plain(compose(config, overrides, VALUES))
    for path in placeholders(config):
        assert _at(after, path) == _at(before, path)


@given(st.dictionaries(keys, trees, max_size=3), st.dictionaries(keys, trees, max_size=3))
def test_values_and_overrides_are_literal(config: Json, overrides: Json) -> None:
    """Templates fill first; nothing that is put in is read again."""
    filled = plain(compose(config, {}, VALUES))
    assert plain(compose(config, overrides, VALUES)) == merge_patch(filled, overrides)


def test_a_placeholder_alone_gives_the_typed_value() -> None:
    """Elsewhere in a text it becomes text."""
    config: Json = {"n": "{{cpu}}", "t": "{{cpu}} cores", "s": "{{ spot }}"}
    found = plain(compose(config, {}, {"cpu": 3, "spot": True}))
    assert found == {"n": 3, "t": "3 cores", "s": True}


def _at(document: Json, path: tuple[str | int, ...]) -> Json:
    for step in path:
        if isinstance(document, dict) and isinstance(step, str):
            document = document[step]
        else:
            assert isinstance(document, list)
            assert isinstance(step, int)
            document = document[step]
    return document
