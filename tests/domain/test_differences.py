"""What differs between two documents."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.differences import Sort, differences
from launchyard.domain.documents import Json, copy_json

leaves = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["a", "1"])
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
)
objects = st.dictionaries(st.sampled_from("abc"), trees, max_size=3)


def test_every_sort_has_its_mark() -> None:
    """One line each, with the whole path."""
    old: Json = {"a": {"x": 1, "y": [1]}, "gone": "é"}
    new: Json = {"a": {"x": True, "y": [1]}, "new": None}
    assert [one.text for one in differences(old, new)] == [
        "~ a.x: 1 -> true",
        '- gone: "é"',
        "+ new: null",
    ]


@given(objects)
def test_a_document_does_not_differ_from_itself(document: dict[str, Json]) -> None:
    """So that applying twice changes nothing."""
    assert differences(document, copy_json(document)) == ()


@given(objects, objects)
def test_carrying_the_differences_out_gives_the_other_document(
    old: dict[str, Json], new: dict[str, Json]
) -> None:
    """Nothing is left out."""
    changed: Json = copy_json(old)
    for one in differences(old, new):
        *way, last = one.path
        here = changed
        for step in way:
            assert isinstance(here, dict)
            here = here[str(step)]
        assert isinstance(here, dict)
        if one.sort is Sort.REMOVED:
            del here[str(last)]
        else:
            here[str(last)] = copy_json(one.new)
    assert changed == new
