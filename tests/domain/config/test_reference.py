"""One description gives code, editor schema and documentation the same keys."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from launchyard.domain.config.json_schema import json_schema
from launchyard.domain.config.keys import agent_schema
from launchyard.domain.config.model import AgentConfig
from launchyard.domain.config.reference import reference
from launchyard.domain.config.schema import KnownTypes, variables
from launchyard.domain.config.values import parse

from .kit import checked, config

DOCS = Path(__file__).parents[3] / "docs" / "configuration.md"
SCHEMA = agent_schema(KnownTypes())


def test_the_documentation_holds_the_reference() -> None:
    """When this fails, run `python -m tests.domain.config.write_reference`."""
    assert reference(KnownTypes()) in DOCS.read_text(encoding="utf-8")


def test_every_key_and_variable_is_documented() -> None:
    """No key can be added without a line in the docs."""
    text = DOCS.read_text(encoding="utf-8")
    for path, entry in SCHEMA.leaves():
        assert entry.doc.endswith(".")
        for name in (*entry.names, *variables(path, entry), entry.flag):
            assert not name or f"`{name}`" in text, name


def test_every_key_reaches_the_code() -> None:
    """What the file can say, the configuration holds under the name of its attribute."""
    names = {entry.name for entry in fields(AgentConfig)}
    assert {e.attribute for e in SCHEMA.fields} <= names
    assert names - {e.attribute for e in SCHEMA.fields} == {
        *("origins", "named_targets"), *(block.key for block in SCHEMA.blocks)
    }  # fmt: skip
    whole = config(None)
    for block in SCHEMA.blocks:
        if block.key != "targets":
            held = {entry.name for entry in fields(getattr(whole, block.key))} - {"extra"}
            assert {entry.attribute for entry in block.fields} == held


def test_every_default_is_an_allowed_value() -> None:
    """Writing a default into the file changes nothing."""
    for _, entry in SCHEMA.leaves():
        if entry.default is not None:
            assert parse(entry, entry.default) == (entry.default, ())


def test_variables_and_flags_set_one_key_each() -> None:
    """No two keys listen to the same name."""
    names = [n for p, e in SCHEMA.leaves() for n in variables(p, e)]
    flags = [e.flag for _, e in SCHEMA.leaves() if e.flag]
    assert len(set(names)) == len(names)
    assert len(set(flags)) == len(flags)


def test_the_editor_schema_is_closed_and_knows_every_key() -> None:
    """Editors offer the keys and mark the others, at every level."""
    schema = json_schema(KnownTypes(builders=("docker", "buildah")))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert isinstance(properties, dict)
    assert set(properties) == set(SCHEMA.names)
    builder = properties["builder"]
    assert isinstance(builder, dict)
    assert isinstance(builder["properties"], dict)
    kind = builder["properties"]["type"]
    assert isinstance(kind, dict)
    assert kind["enum"] == ["docker", "buildah", None]


def test_patterns_mean_the_same_in_editors() -> None:
    """Only what JavaScript's expressions understand too, anchored by the schema."""
    for _, entry in SCHEMA.leaves():
        assert not re.search(r"\(\?[P<#i]|\\[AZ]", entry.pattern)
    assert "^(?:[0-9]{12})$" in str(json_schema(KnownTypes()))


def test_plugins_keys_are_described_too() -> None:
    """The reference and the schema of an installation with plugins name their types."""
    known = KnownTypes(targets=("slurm",))
    assert "`slurm`" in reference(known)
    assert checked({"targets": {"slurm": {"any": 1}}}, known=known).config is not None
