"""What `config schema` prints, as an editor uses it, against the documents that we implement."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from launchyard.adapters.yaml.reader import read
from launchyard.domain.config.check import check
from launchyard.domain.config.json_schema import json_schema
from launchyard.domain.config.schema import KnownTypes
from tests.adapters.yaml.test_seeds import SEEDS

CLOUDS = {"AWS_REGION": "us-east-1", "GOOGLE_CLOUD_REGION": "us-central1"}
VALIDATOR = jsonschema_rs.Draft202012Validator(json_schema(KnownTypes()))
FILES = sorted(SEEDS.glob("*.yaml"))


def good(name: str) -> tuple[Any, bool]:
    """Return a document and whether our own check has nothing against it."""
    marked = read((SEEDS / name).read_text(), name)
    return marked.value, not check(marked, CLOUDS, {}, KnownTypes()).errors


@pytest.mark.parametrize("name", [file.name for file in FILES])
def test_editors_have_nothing_against_what_we_take(name: str) -> None:
    """A red line under a file that works would cost more trust than a missing one."""
    value, taken = good(name)
    if taken and isinstance(value, dict):
        assert VALIDATOR.is_valid(value), [str(e) for e in VALIDATOR.iter_errors(value)]


def test_enough_of_the_documents_are_taken() -> None:
    """Else the test above would say nothing."""
    assert sum(good(file.name)[1] for file in FILES) > len(FILES) / 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_lunches": 1},
        {"max_jobs": "many"},
        {"max_jobs": -2},
        {"builder": {"type": "dokcer"}},
        {"run_timeout": "soon"},
        {"circuit": {"failures": 101}},
        {"queues": [1]},
    ],
)
def test_editors_mark_what_we_refuse(wrong: dict[str, Any]) -> None:
    """Unknown keys, wrong types, values out of range."""
    assert not VALIDATOR.is_valid(wrong)


def test_editors_take_every_way_to_write_a_value() -> None:
    """Texts with units, one text for a list, and null for the default."""
    assert VALIDATOR.is_valid(
        {"run_timeout": "90s", "log_quota": "50MiB", "queues": "main", "max_jobs": None}
    )
