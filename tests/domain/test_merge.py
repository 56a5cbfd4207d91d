"""Merging overrides onto a queue's configuration, and refusing some."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from launchyard.domain.documents import Json
from launchyard.domain.merge import (
    NoSinglePatchError,
    check_pattern,
    compose_patches,
    merge_patch,
    refused,
    without_top_nulls,
)

keys = st.sampled_from(["a", "b", "c"])
scalars = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["x", "y"])
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)
objects = st.dictionaries(keys, documents, max_size=3)


def containers(value: Json) -> list[int]:
    """List the identities of every list and object in *value*."""
    if isinstance(value, dict):
        return [id(value), *(i for v in value.values() for i in containers(v))]
    if isinstance(value, list):
        return [id(value), *(i for v in value for i in containers(v))]
    return []


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_it_is_the_merge_patch_of_the_rfc(target: Json, patch: Json, result: Json) -> None:
    """The table of RFC 7396, appendix A, comes out."""
    assert merge_patch(target, patch) == result


@given(documents, documents)
def test_merging_changes_neither_side(target: Json, patch: Json) -> None:
    """A queue's configuration survives any number of launches."""
    before = copy.deepcopy((target, patch))
    merge_patch(target, patch)
    assert (target, patch) == before


@given(documents, documents)
def test_the_result_shares_nothing(target: Json, patch: Json) -> None:
    """Whoever changes the result changes neither input."""
    inputs = {*containers(target), *containers(patch)}
    assert inputs.isdisjoint(containers(merge_patch(target, patch)))


@given(documents, documents)
def test_applying_a_patch_again_changes_nothing(target: Json, patch: Json) -> None:
    """A repeated submit gives the same document."""
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(documents, documents, documents)
@example({"b": 1, "a": {"c": 1}}, {"a": {"c": None}}, {"a": {"b": 2}})
def test_patches_compose(target: Json, first: Json, second: Json) -> None:
    """Where one patch can say it, it says what two in a row do."""
    try:
        both = compose_patches(first, second)
    except NoSinglePatchError:
        assume(False)
    assert merge_patch(merge_patch(target, first), second) == merge_patch(target, both)


@given(objects, objects)
def test_composing_shares_nothing(first: Json, second: Json) -> None:
    """A composed patch belongs to its caller alone."""
    try:
        both = compose_patches(first, second)
    except NoSinglePatchError:
        return
    assert {*containers(first), *containers(second)}.isdisjoint(containers(both))


def test_patches_that_no_single_patch_can_say_are_refused() -> None:
    """Replacing a value and then looking into it has no one-patch form."""
    with pytest.raises(NoSinglePatchError):
        compose_patches({"a": 1}, {"a": {"b": 1}})


def test_nulls_at_the_top_go_and_nulls_below_stay() -> None:
    """Stock clients send `"docker": null`; below the top a null is a removal."""
    assert without_top_nulls({"docker": None, "x": {"y": None}}) == {"x": {"y": None}}


def paths(config: Json, overrides: Json, allowed: list[str] | None, *guards: str) -> list[str]:
    """Name the refused overrides as people write them."""
    return [str(r).split("`")[1] for r in refused(config, overrides, allowed, guards)]


QUEUE: Json = {"cpu": 1, "env": {"A": "1"}, "list": [{"n": 1, "i": "x"}], "sec": {"root": False}}


@pytest.mark.parametrize(
    ("overrides", "allowed", "expected"),
    [
        ({"cpu": 2}, ["cpu"], []),
        ({"cpu": 2}, [], ["cpu"]),
        ({"cpu": 1}, [], []),
        ({"cpu": True}, [], ["cpu"]),
        ({"cpu": None}, ["env.**"], ["cpu"]),
        ({"env": None}, ["cpu"], ["env.A"]),
        ({"env": {"B": "2", "C": "3"}}, ["env.B"], ["env.C"]),
        ({"env": {"B": {"deep": 1}}}, ["env.*"], ["env.B.deep"]),
        ({"env": {"B": {"deep": 1}}}, ["env.**"], []),
        ({"env": {"B": "2"}}, ["env"], ["env.B"]),
        ({"env": {"B_X": "2", "C": "3"}}, ["env.B_*"], ["env.C"]),
        ({"env": {"a.b": "2"}}, [r"env.a\.b"], []),
        ({"env": {}, "new": {}}, [], ["new"]),
        ({"env": 5}, ["env"], ["env.A"]),
        ({"env": 5}, ["env", "env.*"], []),
        ({"cpu": {"a": 1}}, ["cpu.a"], ["cpu"]),
        ({"list": []}, ["list"], []),
        ({"list": [{"n": 2, "i": "x"}]}, ["list"], []),
        ({"list": [{"n": 2, "i": "x"}]}, ["list[*].n"], []),
        ({"list": [{"n": 2, "i": "y"}]}, ["list[*].n"], ["list[0].i"]),
        ({"list": [{"n": 1, "i": "x"}, {"n": 1}]}, ["list[0].**"], ["list[1].n"]),
        ({"list": [{"n": 1}]}, ["list[*].n"], ["list[0].i"]),
        ({"anything": {"at": ["all"]}}, ["**"], []),
    ],
)
def test_only_listed_paths_may_change(
    overrides: Json, allowed: list[str], expected: list[str]
) -> None:
    """Every changed leaf needs a pattern; what changes nothing needs none."""
    assert paths(QUEUE, overrides, allowed) == expected


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"cpu": 2}, []),
        ({"sec": {"root": True}}, ["sec.root"]),
        ({"sec": {"new": {"deep": 1}}}, ["sec.new.deep"]),
        ({"sec": None}, ["sec.root"]),
        ({"sec": []}, ["sec.root", "sec"]),
        ({"list": [{"n": 1, "i": "x", "bad": {"k": 1}}]}, ["list[0].bad.k"]),
    ],
)
def test_without_a_list_only_security_paths_are_refused(
    overrides: Json, expected: list[str]
) -> None:
    """A protected path guards itself and all below, also against removal and lists."""
    assert paths(QUEUE, overrides, None, "sec", "list[*].bad") == expected


def test_a_refusal_names_path_and_rule() -> None:
    """The submitter learns what was refused and what the queue would take."""
    (only,) = refused(QUEUE, {"sec": {"root": True}}, ["cpu", "env.**"])
    assert str(only) == (
        "override of `sec.root` refused: the queue's `overridable` allows `cpu`, `env.**`"
    )
    (only,) = refused(QUEUE, {"cpu": 3}, [])
    assert "allows nothing" in only.rule


@given(objects, objects)
def test_nothing_is_refused_exactly_when_nothing_changes(config: Json, patch: Json) -> None:
    """With an empty list a launch passes if and only if it leaves the configuration as it is."""
    after = json.dumps(merge_patch(config, patch), sort_keys=True)
    assert bool(refused(config, patch, [])) == (after != json.dumps(config, sort_keys=True))


@pytest.mark.parametrize("pattern", ["", "a..b", ".a", "a.", "a[", "a[x]", "a]b["])
def test_a_bad_pattern_is_explained(pattern: str) -> None:
    """A typing error in a queue's `overridable` is found when the queue is written."""
    assert check_pattern(pattern) is not None


@pytest.mark.parametrize("pattern", ["a", "a.b", "a.**", "a.*.c", "a[*].b", "a[0]", r"l.w/x\.y"])
def test_a_good_pattern_passes(pattern: str) -> None:
    """Every form the documentation shows is accepted."""
    assert check_pattern(pattern) is None
