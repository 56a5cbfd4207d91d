"""Tokens and the time that a lease holds."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.lease import (
    JUMP_S,
    MARGIN_S,
    Token,
    clock_jumped,
    digest_of,
    holder_deadline,
    mark,
    unlisted_expires,
)

tokens = st.builds(Token, st.integers(0, 1000), st.integers(0, 10**9))


@given(tokens)
def test_a_token_survives_the_wire(token: Token) -> None:
    """What is written is read."""
    assert Token.parse(str(token)) == token


@given(tokens, st.integers(0, 2000))
def test_a_following_token_is_greater_in_every_epoch(token: Token, epoch: int) -> None:
    """Also after a restore to an older copy, whose epoch was raised, and never falls back."""
    assert token.following(epoch) > token


@given(st.integers(0, 50), st.integers(1, 50))
def test_a_restored_server_never_repeats_a_token(counter: int, ahead: int) -> None:
    """A copy that is *ahead* tokens behind gives tokens that none before it gave."""
    restored = Token(0, counter).following(1)
    assert restored > Token(0, counter + ahead)


@pytest.mark.parametrize("text", ["", "1", "a.b", "1.", ".1", "1.2.3"])
def test_other_texts_are_no_tokens(text: str) -> None:
    """A bad token is an error, never token zero."""
    with pytest.raises(ValueError, match=r".*"):
        Token.parse(text)


@given(st.floats(0, 1e9), st.floats(10, 600), st.floats(0, 60))
def test_a_holder_stops_before_the_server_takes_the_lease(
    sent: float, ttl: float, travel: float
) -> None:
    """The holder counts from the sending; the server, which answers later, from the hearing."""
    assert holder_deadline(sent, ttl) < sent + travel + ttl
    assert holder_deadline(sent, ttl) == sent + ttl - MARGIN_S


def test_a_clock_jump_and_a_stall_count_as_time_not_heard() -> None:
    """Wall against monotonic, both ways; and a look that took far longer than it should."""
    assert not clock_jumped(1.0, 1.0, 1.0)
    assert clock_jumped(1.0 + JUMP_S + 0.1, 1.0, 1.0)
    assert clock_jumped(1.0 - JUMP_S - 0.1, 1.0, 1.0)
    assert clock_jumped(10.0, 10.0, 1.0)


def test_a_lease_that_is_not_listed_twice_is_given_up() -> None:
    """Once may be a claim's answer still on its way."""
    assert not unlisted_expires(1)
    assert unlisted_expires(2)


leases = st.lists(
    st.tuples(st.text(max_size=5), st.integers(1, 9), tokens), unique=True, max_size=20
)


@given(leases, st.randoms())
def test_a_digest_tells_sets_of_leases_apart_and_knows_no_order(
    listed: list[tuple[str, int, Token]], random: Random
) -> None:
    """Both sides keep it by adding and taking away marks."""
    marks = [mark(*lease) for lease in listed]
    shuffled = random.sample(marks, len(marks))
    assert digest_of(marks) == digest_of(shuffled)
    if marks:
        assert digest_of(marks[1:]) != digest_of(marks)
        assert digest_of([sum(marks), -marks[0]]) == digest_of(marks[1:])
