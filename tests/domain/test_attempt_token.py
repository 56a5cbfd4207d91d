"""The token of an attempt: written, read, and for how long it counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.attempt_token import AttemptClaim, counts, read_token, write_token
from launchyard.domain.ids import uuid7
from launchyard.domain.item import ItemState
from launchyard.domain.rights import KEY_PATTERN

ITEMS = st.builds(uuid7, st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
MARK = "ab" * 32


@given(ITEMS, st.integers(0, 0xFFFF))
def test_what_is_written_is_read(item: str, attempt: int) -> None:
    """It looks like a key, so that every client takes it."""
    token = write_token(item, attempt, MARK)
    assert KEY_PATTERN.fullmatch(token)
    assert read_token(token) == AttemptClaim(item, attempt, MARK)


@pytest.mark.parametrize(
    ("item", "attempt", "mark"),
    [("no uuid", 1, MARK), (uuid7(0, bytes(10)), 0x10000, MARK), (uuid7(0, bytes(10)), 1, "ab")],
)
def test_what_cannot_have_a_token_has_none(item: str, attempt: int, mark: str) -> None:
    """An empty one, which is no variable of the job at all."""
    assert write_token(item, attempt, mark) == ""


@given(st.text() | st.from_regex(KEY_PATTERN, fullmatch=True))
def test_nothing_else_is_a_token(text: str) -> None:
    """A key least of all."""
    assert read_token(text) is None


@pytest.mark.parametrize("state", ItemState)
@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_it_dies_with_its_attempt(state: ItemState, attempt: int) -> None:
    """Neither the attempt before nor the one after has it, and not before anything may run."""
    claim = AttemptClaim("i", 2, MARK)
    alive = attempt == 2 and state in {ItemState.LAUNCHING, ItemState.LAUNCHED}
    assert counts(claim, attempt, state) is alive
