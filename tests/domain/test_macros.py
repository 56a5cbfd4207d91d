"""Macros: one pass over text of known origin."""

from __future__ import annotations

import copy
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.documents import Json
from launchyard.domain.macro_policy import MacroPolicy, Origin, Why
from launchyard.domain.macros import (
    BUILTINS,
    Finding,
    Parsed,
    Resolved,
    compose,
    fill,
    parse,
    plain,
    resolve,
)
from launchyard.domain.merge import merge_patch

NAMES = {"project_name": "p", "entity_name": "e", "run_id": "r1", "image_uri": "i:1"}
ENV = {"DATA": "/data", "run_id": "shadow", "HF_TOKEN": "hf", "DB": "pg://u:p@h/x", "TEAM_A": "a"}
OPEN = MacroPolicy()

pieces = st.sampled_from(["${run_id}", "$${run_id}", "${DATA}", "${NOPE}", "$", "{", "}", "x", "ä"])
texts = st.lists(pieces, max_size=6).map("".join)
keys = st.sampled_from(["a", "b", "${run_id}"])
documents = st.recursive(
    texts | st.none() | st.booleans() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
origins = st.sampled_from(Origin)


def run(parsed: Parsed, policy: MacroPolicy = OPEN) -> Resolved:
    """Resolve with the names and the environment of this file."""
    return resolve(parsed, NAMES, ENV, policy)


def queue(text: str, policy: MacroPolicy = OPEN) -> Json:
    """Resolve one text of a queue's configuration."""
    return run(parse(text, Origin.QUEUE), policy).document


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${project_name}/${entity_name}", "p/e"),
        ("${run_id}", "r1"),
        ("${run_name}|${author}", "|"),
        ("a ${DATA} b", "a /data b"),
        ("${NOPE} ${DATA}", "${NOPE} /data"),
        ("$${run_id}", "${run_id}"),
        ("$$${run_id}", "$${run_id}"),
        ("$${NOPE}", "${NOPE}"),
        ("$run_id ${} ${a-b} ${a", "$run_id ${} ${a-b} ${a"),
        ("${${run_id}}", "${r1}"),
    ],
)
def test_text_of_the_queue_resolves(text: str, expected: str) -> None:
    """Built-ins, then environment; null is empty, unknown stays, `$$` escapes."""
    assert queue(text) == expected


def test_only_string_leaves_resolve() -> None:
    """Keys, numbers and nulls stay as they are; lists are walked."""
    document: Json = {"${run_id}": ["${run_id}", 1, None, True, {"x": "${DATA}"}]}
    assert run(parse(document, Origin.QUEUE)).document == {
        "${run_id}": ["r1", 1, None, True, {"x": "/data"}]
    }


def test_a_variable_does_not_shadow_a_builtin_even_a_null_one() -> None:
    """An environment that holds `run_id` or `author` changes nothing."""
    env = dict.fromkeys(BUILTINS, "shadow")
    parsed = parse("${run_id},${author},${run_name}", Origin.QUEUE)
    assert resolve(parsed, {"run_id": "r", "run_name": None}, env, OPEN).document == "r,,"


@given(st.sampled_from(sorted(BUILTINS)), texts)
def test_output_is_never_read_again(name: str, value: str) -> None:
    """A value that looks like a macro comes out as it is, from a built-in and a variable alike."""
    parsed = parse(f"<${{{name}}}|${{DATA}}>", Origin.QUEUE)
    found = resolve(parsed, {name: value}, {"DATA": value}, OPEN)
    assert found.document == f"<{value}|{value}>"
    assert not found.findings


@given(documents, origins)
def test_parsing_and_resolving_change_nothing_that_was_given(
    document: Json, origin: Origin
) -> None:
    """The caller's document stays its own, and the text as written can be had back."""
    before = copy.deepcopy(document)
    parsed = parse(document, origin)
    first, second = run(parsed), run(parsed)
    assert document == before == plain(parsed)
    assert first == second


@given(st.dictionaries(keys, documents, max_size=3), documents)
def test_the_result_is_nobody_elses(config: dict[str, Json], overrides: Json) -> None:
    """Emptying every container of a result leaves the parsed document whole."""
    parsed = compose(config, overrides)
    first = run(parsed)
    expected = copy.deepcopy(first.document)
    _empty(first.document)
    assert run(parsed).document == expected


def _empty(value: Json) -> None:
    if isinstance(value, (dict, list)):
        for item in list(value.values()) if isinstance(value, dict) else value:
            _empty(item)
        value.clear()


@given(documents)
def test_unknown_names_stay_and_are_reported(document: Json) -> None:
    """With no names at all every macro is left in place, and named with its path."""
    env: dict[str, str] = {}
    parsed = parse(json.loads(json.dumps(document).replace("run_id", "other")), Origin.QUEUE)
    found = resolve(parsed, {}, env, OPEN)
    written = json.dumps(plain(parsed), ensure_ascii=False)
    left = json.dumps(found.document, ensure_ascii=False)
    assert left == re.sub(r"\$\$(\{\w+\})", r"$\1", written)
    assert {f.why for f in found.findings} <= {Why.UNKNOWN}
    assert all(f in found.unknown for f in found.findings)


def test_a_finding_names_the_place() -> None:
    """Whoever reads the warning finds the text."""
    found = run(parse({"a": [{"b": "x${NOPE}"}]}, Origin.QUEUE))
    assert found.unknown == (Finding(("a", 0, "b"), "NOPE", Why.UNKNOWN),)
    assert not found.refused


@given(texts)
def test_escaping_a_text_gives_the_text(text: str) -> None:
    """Whatever a text holds, escaping each of its macros makes it literal."""
    assert queue(re.sub(r"(\$\{\w+\})", r"$\1", text)) == text


@given(documents)
def test_overrides_are_literal(overrides: Json) -> None:
    """Without a `macro_env` list nothing in an override resolves, not even a built-in."""
    assert run(compose(None, overrides)).document == merge_patch(None, overrides)


@given(st.dictionaries(keys, documents, max_size=3), documents)
def test_composing_is_merging(config: Json, overrides: Json) -> None:
    """The composed document reads as the merge patch of the two texts."""
    assert plain(compose(config, overrides)) == merge_patch(config, overrides)


def test_the_queues_macros_resolve_beside_literal_overrides() -> None:
    """Each text keeps its own origin through the merge; the override is reported."""
    found = run(compose({"a": "${run_id}", "l": ["${DATA}"]}, {"b": "${run_id}", "l": ["${DATA}"]}))
    assert found.document == {"a": "r1", "b": "${run_id}", "l": ["${DATA}"]}
    assert {(f.path, f.why) for f in found.findings} == {
        (("b",), Why.OVERRIDE),
        (("l", 0), Why.OVERRIDE),
    }
    assert not found.refused


def test_a_listed_name_resolves_in_an_override() -> None:
    """`macro_env` opens exactly the names it spells out; only these can be escaped."""
    policy = MacroPolicy(("DATA", "TEAM_*"))
    found = run(compose({}, {"x": "${DATA} $${DATA} ${TEAM_A} $${TEAM_A} ${run_id}"}), policy)
    assert found.document == {"x": "/data ${DATA} ${TEAM_A} $${TEAM_A} ${run_id}"}


@pytest.mark.parametrize("name", ["MY_KEY_ID", "hf_token", "AWS_REGION", "WANDB_X", "DBPASSWORD"])
def test_credentials_stay_with_the_agent(name: str) -> None:
    """A name that looks like a credential does not resolve, set or not, in any origin."""
    for origin in Origin:
        for env in ({}, {name: "secret"}):
            found = resolve(parse(f"${{{name}}}", origin), {}, env, OPEN)
            assert found.document == f"${{{name}}}"
            assert found.findings


@pytest.mark.parametrize(
    "value", ["pg://u:p@h/x", "see https://tok@host", "HTTP://a:b@h", "x=redis://:pw@h"]
)
def test_a_url_with_user_data_stays_with_the_agent(value: str) -> None:
    """The name may be harmless and the value not."""
    found = resolve(parse("${DB}", Origin.QUEUE), {}, {"DB": value}, OPEN)
    assert found.refused == (Finding((), "DB", Why.CREDENTIAL),)


@pytest.mark.parametrize("value", ["https://h/a@b", "mail@host", "a://b c@d"])
def test_an_at_sign_elsewhere_is_no_user_data(value: str) -> None:
    """An address or a path with `@` resolves."""
    assert resolve(parse("${U}", Origin.MERGED), {}, {"U": value}, OPEN).document == value


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ((), "/data ${HF_TOKEN} a r1"),
        (("HF_TOKEN",), "/data hf a r1"),
        (("HF_*", "*"), "/data ${HF_TOKEN} a r1"),
        (("!DATA",), "${DATA} ${HF_TOKEN} a r1"),
        (("!TEAM_*",), "/data ${HF_TOKEN} ${TEAM_A} r1"),
        (("!*", "DATA"), "/data ${HF_TOKEN} ${TEAM_A} r1"),
        (("!*", "TEAM_*"), "${DATA} ${HF_TOKEN} a r1"),
        (("HF_TOKEN", "!*"), "${DATA} ${HF_TOKEN} ${TEAM_A} r1"),
    ],
)
def test_a_list_narrows_and_widens(listed: tuple[str, ...], expected: str) -> None:
    """The last entry that fits decides; a credential has to be spelled out."""
    text = "${DATA} ${HF_TOKEN} ${TEAM_A} ${run_id}"
    assert queue(text, MacroPolicy(listed)) == expected


def test_a_closed_name_stays_literal_in_an_override() -> None:
    """Taking a name out again takes it out for submitters too."""
    found = run(compose({}, "${DATA}"), MacroPolicy(("DATA", "!DATA")))
    assert found.document == "${DATA}"


def test_template_values_are_literal_and_typed() -> None:
    """A lone placeholder keeps the value's type; a macro in a value is no macro."""
    config: Json = {"n": "{{cpu}}", "t": "{{ cpu }} of ${run_id} {{evil}}", "m": "{{nope}}"}
    filled, missing = fill(parse(config, Origin.QUEUE), {"cpu": 4, "evil": "${DATA}{{cpu}}"})
    assert run(filled).document == {"n": 4, "t": "4 of r1 ${DATA}{{cpu}}", "m": "{{nope}}"}
    assert missing == ("nope",)


def test_a_macro_cannot_be_assembled() -> None:
    """Neither template values nor overrides complete a macro that the queue began."""
    values: dict[str, Json] = {"v": "DATA", "w": "$", "x": "${DATA"}
    parsed, _ = fill(parse(["${{{v}}}", "{{w}}{DATA}", "{{x}}}"], Origin.QUEUE), values)
    assert run(parsed).document == ["${DATA}", "${DATA}", "${DATA}"]
