"""Names on targets, labels, and who may adopt what."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.documents import Json
from launchyard.domain.naming import (
    AGENT,
    DIGEST,
    DOCKER,
    KUBERNETES,
    SAGEMAKER,
    NameRules,
    Owner,
    digest,
    label_value,
    labels,
    may_adopt,
    prefixed,
    target_name,
)

ITEM = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
GOOD = {
    KUBERNETES: r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
    DOCKER: r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}",
    SAGEMAKER: r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}",
}


def test_a_name_never_changes() -> None:
    """An agent of a later version must find what an earlier one started."""
    assert target_name("inst", ITEM, 3) == "ly-wkdy2nxltvna-a3"


@given(st.text(), st.text(), st.integers(1, 10**6))
def test_a_name_is_valid_everywhere(installation: str, item: str, attempt: int) -> None:
    """Whatever the ids are, every target takes the name."""
    name = target_name(installation, item, attempt)
    assert all(re.fullmatch(pattern, name) for pattern in GOOD.values())


def test_names_differ_by_installation_item_and_attempt() -> None:
    """Two servers on one cluster do not meet; nor do ids that only join to the same text."""
    names = [
        target_name("a", "bc", 1),
        target_name("ab", "c", 1),
        target_name("a", "bc", 2),
        target_name("a", "bd", 1),
    ]
    assert len(set(names)) == 4


def test_labels_say_whose_it_is() -> None:
    """They carry the five facts of PROTOCOL 6."""
    owner = Owner(installation="inst", item=ITEM, attempt=2, agent="gpu box")
    made = labels(owner, digest({"a": 1}))
    assert made["launchyard-installation"] == "inst"
    assert made["launchyard-item"] == ITEM
    assert made["launchyard-attempt"] == "2"
    assert made[AGENT].startswith("gpu-box-")
    assert digest({"a": 1}).startswith(made[DIGEST])


@given(st.text())
def test_any_text_becomes_a_labels_value(text: str) -> None:
    """Kubernetes is the strictest; lower case is for Google Cloud."""
    assert re.fullmatch(r"([a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?)?", label_value(text))


@given(st.text(), st.text())
def test_different_texts_stay_different_values(one: str, other: str) -> None:
    """Replacing what does not fit must not make two agents one."""
    assert (label_value(one) == label_value(other)) == (one == other)


@pytest.mark.parametrize(
    ("installation", "item", "attempt", "expected"),
    [
        ("inst", ITEM, 2, True),
        ("other", ITEM, 2, False),
        ("inst", "other", 2, False),
        ("inst", ITEM, 1, False),
    ],
)
def test_only_its_own_attempt_is_adopted(
    installation: str, item: str, attempt: int, *, expected: bool
) -> None:
    """Installation, item and attempt must match; agent and spec need not."""
    found = labels(Owner(installation="inst", item=ITEM, attempt=2, agent="a"), "f" * 64)
    assert may_adopt(found, installation, item, attempt) is expected
    assert not may_adopt({}, installation, item, attempt)


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    """Two writers of one document agree; `1`, `1.0` and `true` are three documents."""
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    values: list[Json] = [1, 1.0, True, "1", [1], None]
    assert len({digest(value) for value in values}) == 6
    with pytest.raises(ValueError, match="JSON"):
        digest(float("nan"))


@given(st.sampled_from(sorted(GOOD, key=id)), st.text(max_size=200))
def test_a_wanted_name_becomes_a_prefix(rules: NameRules, wanted: str) -> None:
    """What people wrote stands before our name, which stays whole."""
    name = target_name("i", ITEM, 1)
    made = prefixed(rules, wanted, name)
    assert made.endswith(name)
    assert re.fullmatch(GOOD[rules], made)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [(KUBERNETES, "my-job-1-n"), (DOCKER, "My_Job.1-n"), (SAGEMAKER, "My-Job-1-n")],
)
def test_as_much_as_possible_is_kept(rules: NameRules, expected: str) -> None:
    """Each target keeps what it can of the wanted name."""
    assert prefixed(rules, "_My_Job.1!", "n") == expected
