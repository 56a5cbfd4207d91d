"""The pages that are made from the code say what the code says."""

from __future__ import annotations

import re

import pytest

from launchyard.ports import families
from launchyard.ports.metrics import Family
from tests.architecture.write_docs import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_made_page_is_up_to_date(name: str) -> None:
    """A page that differs is made anew by `make docs`."""
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name]()


def test_every_family_is_exposed_by_somebody() -> None:
    """A metric that is declared and in no list would stay undocumented and unprepared."""
    declared = {value.name for value in vars(families).values() if isinstance(value, Family)}
    listed = {family.name for family in (*families.AGENT_FAMILIES, *families.SERVER_FAMILIES)}
    assert declared == listed


def test_every_family_is_fed_by_somebody() -> None:
    """A number that nobody tells is a promise in the docs and an alert that never fires."""
    root = DOCS.parent
    sources = (
        path.read_text(encoding="utf-8")
        for folder in ("actors", "adapters", "plugins", "launchyard/bootstrap")
        for path in (root / folder).rglob("*.py")
    )
    named = set(re.findall(r"\b[A-Z][A-Z_]+\b", "\n".join(sources)))
    declared = {name for name, value in vars(families).items() if isinstance(value, Family)}
    assert not declared - named


def test_no_counter_has_the_name_of_a_gauge() -> None:
    """The library knows a counter without its suffix, so the two would collide."""
    every = {family.name: family for family in families.AGENT_FAMILIES}
    for family in families.SERVER_FAMILIES:
        assert every.setdefault(family.name, family) is family


def test_listed_values_belong_to_labels() -> None:
    """A list of values for a label that the family has not would never be used."""
    every = {f.name: f for f in (*families.AGENT_FAMILIES, *families.SERVER_FAMILIES)}
    for name, labels in families.VALUES.items():
        assert set(labels) <= set(every[name].labels)
