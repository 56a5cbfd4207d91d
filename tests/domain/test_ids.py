"""Item ids: their layout and their order."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.ids import uuid7

times = st.integers(min_value=0, max_value=2**48 - 1)
noise = st.binary(min_size=10, max_size=10)


def test_the_example_of_the_standard_comes_out() -> None:
    """The test vector of RFC 9562, appendix A.6, is reproduced bit for bit."""
    random = (0xCC3 << 62 | 0x18C4DC0C0C07398F).to_bytes(10)
    assert uuid7(0x017F22E279B0, random) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(times, noise)
def test_version_variant_and_time_stand_where_readers_look(ms: int, random: bytes) -> None:
    """Other libraries see a version 7 UUID of the RFC's variant, and its time."""
    made = uuid.UUID(uuid7(ms, random))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == ms


@given(times, times, noise, noise)
def test_ids_sort_as_text_by_time(early: int, late: int, one: bytes, other: bytes) -> None:
    """A later millisecond gives a greater text, whatever the random part is."""
    early, late = sorted((early, late))
    if early < late:
        assert uuid7(early, one) < uuid7(late, other)


@given(times, noise, noise)
def test_no_random_bit_that_fits_is_dropped(ms: int, one: bytes, other: bytes) -> None:
    """74 of the 80 given bits count, so equal ids mean equal low 74 bits."""
    mask = (1 << 74) - 1
    same = int.from_bytes(one) & mask == int.from_bytes(other) & mask
    assert (uuid7(ms, one) == uuid7(ms, other)) == same


@pytest.mark.parametrize(("ms", "random"), [(-1, b"0" * 10), (2**48, b"0" * 10), (0, b"short")])
def test_what_does_not_fit_is_refused(ms: int, random: bytes) -> None:
    """A time before 1970 or past the year 10889, or too few bytes, is an error, not a bad id."""
    with pytest.raises(ValueError, match="UUIDv7"):
        uuid7(ms, random)
