"""The pages that are made from the code say what the code says."""

from __future__ import annotations

import re
from enum import StrEnum

import pytest

from launchyard.domain.attempt import AttemptState
from launchyard.ports import families
from launchyard.ports.metrics import Family
from tests.architecture.write_docs import DOCS, PAGES

_STATES = {state.value for state in AttemptState}


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


def test_every_listed_value_is_said_by_somebody() -> None:
    """A series that stays at zero for ever is a promise, too: its word is where it is counted."""
    root, names = (
        DOCS.parent,
        {v.name: k for k, v in vars(families).items() if isinstance(v, Family)},
    )
    texts = {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for folder in ("actors", "adapters", "plugins", "launchyard/bootstrap")
        for path in (root / folder).rglob("*.py")
    }
    further = {
        "PROCESS_STATE": "actors/supervisor.py",
        "BUILDS_FINISHED": "adapters/local/venv/builder.py",
    }
    silent = []
    for name, labels in families.VALUES.items():
        const = names[name]
        said = "\n".join(text for text in texts.values() if re.search(rf"\b{const}\b", text))
        said += texts.get(further.get(const, ""), "")
        words = (word for values in labels.values() for word in values)
        silent += [
            (name, word)
            for word in words
            if not isinstance(word, StrEnum) and word not in _STATES and f'"{word}"' not in said
        ]
    assert not silent


def test_rules_that_are_named_exist() -> None:
    """`PROTOCOL 3.4` in code and decisions is rule 4 of section 3 of docs/protocol.md."""
    root, named = DOCS.parent, set[str]()
    for folder in ("actors", "adapters", "docs", "domain", "plugins", "ports", "tests"):
        for path in (root / folder).rglob("*"):
            if path.suffix in {".py", ".md"}:
                text = path.read_text(encoding="utf-8")
                for words in re.findall(r"\bPROTOCOL (?:sections )?(\d[\d., andto]*)", text):
                    named |= set(re.findall(r"\d+(?:\.\d+)?", words))
    rules, section = set[str](), ""
    for line in (DOCS / "protocol.md").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"(?:## )?(\d+)\. ", line):
            section = found[1] if line.startswith("##") else section
            rules.add(section if line.startswith("##") else f"{section}.{found[1]}")
    assert "3.4" in named
    assert named <= rules


def test_every_decision_has_its_number() -> None:
    """In its title as in its file's name."""
    for path in (DOCS / "decisions").glob("[0-9]*.md"):
        assert path.read_text(encoding="utf-8").startswith(f"# {int(path.name[:4])}. "), path.name


def test_the_picture_shows_every_adapter() -> None:
    """A folder that the page leaves out is one that a newcomer does not find."""
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    adapters = (DOCS.parent / "adapters").iterdir()
    folders = [path.name for path in adapters if (path / "__init__.py").exists()]
    assert folders
    assert not [name for name in folders if f"`{name}`" not in page]
