"""What `config schema` prints, as an editor uses it, against the documents that we implement."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from launchyard.adapters.yaml.reader import read, read_on
from launchyard.domain.config.json_schema import json_schema
from launchyard.domain.config.problem import repaired
from launchyard.domain.config.schema import KnownTypes
from tests.adapters.yaml.test_seeds import AGENTS, agent, text_of

VALIDATOR = jsonschema_rs.Draft202012Validator(json_schema(KnownTypes()))


@pytest.mark.parametrize("name", AGENTS)
def test_editors_have_nothing_against_what_the_documents_show(name: str) -> None:
    """Once their slips are mended; a red line under a file that works would cost trust."""
    text = text_of(name)
    mended = read(repaired(text, agent(read_on(text, name)).errors), name)
    assert not [str(error) for error in VALIDATOR.iter_errors(mended.value)]


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
