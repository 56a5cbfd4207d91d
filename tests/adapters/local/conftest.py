"""Fixtures of the local target's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.local.kit import Yard


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """Give a runner whose jobs end with the test."""
    yard = Yard(tmp_path)
    yield yard
    yard.close()
