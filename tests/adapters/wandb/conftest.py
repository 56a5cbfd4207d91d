"""A stand-in with a queue, and an agent's side of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.wandb.agent_kit import Side
from tests.wandb_server import WandbServer


@pytest.fixture
def wandb_server() -> Iterator[WandbServer]:
    """Give a stand-in; whatever it did not understand fails the test."""
    with WandbServer() as made:
        made.queue("q1")
        yield made
        assert made.complaints == []


@pytest.fixture
def side(wandb_server: WandbServer, tmp_path: Path) -> Iterator[Side]:
    """Give an agent that is registered."""
    made = Side(wandb_server, tmp_path / "wandb")
    made.hello()
    yield made
    made.close()
