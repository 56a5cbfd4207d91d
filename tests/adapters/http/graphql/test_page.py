"""The table of operations in docs/wandb.md: complete against the real client, and true."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from graphql import build_schema

from launchyard.adapters.http import graphql
from tests.stock_client import VERSIONS, stock_python

PAGE: Final = Path(__file__).parents[4] / "docs" / "wandb.md"
SCHEMA: Final = Path(str(graphql.__file__)).with_name("schema.graphql")
MUTATION: Final = re.compile(
    rb"""\bmutation\s+\w+\s*            # its name
    \([^@]{1,2000}?\)\s*\{+\s*          # its variables; some clients put them together as they run
    (?:\w+\s*:\s*)?(\w+)\s*\(           # the field, maybe under another name
    """,
    re.VERBOSE,
)


def rows() -> Mapping[str, str]:
    """Return, by name, what the page says of a field."""
    text = PAGE.read_text().split("### Operations\n")[1]
    cells = [line.replace("\\|", "").split(" | ") for line in text.splitlines() if "| " in line]
    return {name: row[1] for row in cells for name in re.findall(r"`(\w+)`", row[0])}


def held(package: Path) -> set[str]:
    """Return the mutations that a client's program and its modules hold."""
    sources = [package / "bin" / "wandb-core", *package.rglob("*.py")]
    return {found.decode() for source in sources for found in MUTATION.findall(source.read_bytes())}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_mutation_of_the_client_is_on_the_page(version: str) -> None:
    """As supported or not, and whatever is supported is there."""
    [package] = stock_python(version).parents[1].glob("lib/python*/site-packages/wandb")
    ours = build_schema(SCHEMA.read_text()).mutation_type
    assert ours is not None
    said = rows()
    wanted = held(package)
    assert {"upsertBucket", "createLaunchAgent", "linkArtifact"} <= wanted
    answers = {name: "yes" if name in ours.fields else "no" for name in wanted | set(ours.fields)}
    assert {name: said.get(name) for name in answers} == answers


def test_every_field_at_the_root_is_on_the_page() -> None:
    """A new one without its row is a promise that nobody reads."""
    ours = build_schema(SCHEMA.read_text()).query_type
    assert ours is not None
    missing = set(ours.fields) - {name for name, said in rows().items() if said == "yes"}
    assert missing <= {"model"}  # the old name of `project`
