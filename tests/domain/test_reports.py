"""How reports, launches and reclaims are judged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.exchange import (
    Caller,
    Fact,
    LeaseRef,
    Place,
    Reclaim,
    ReclaimVerdict,
    Report,
    Verdict,
)
from launchyard.domain.item import ItemState
from launchyard.domain.lease import Token
from launchyard.domain.reports import (
    Record,
    furthest,
    is_evidence,
    judge_launching,
    judge_reclaim,
    judge_report,
    proves_log,
    same_place,
)

PLACE = Place(scope="host:a", name="ly-x-a1", uid="7")
RECORD = Record(
    attempt=1,
    token=Token(0, 3),
    seq=4,
    item_state=ItemState.LAUNCHED,
    attempt_state=AttemptState.RUNNING,
    place=PLACE,
    holder="agent",
)


def report(seq: int, token: Token = RECORD.token, attempt: int = 1, **fact: object) -> Report:
    """Return a report on item `i`."""
    lease = LeaseRef(item="i", attempt=attempt, token=token)
    return Report(lease=lease, seq=seq, fact=Fact(at_ms=1, **fact))  # type: ignore[arg-type]


def test_the_next_report_is_taken_and_a_known_one_again() -> None:
    """200 for both; a repeat is how a lost answer is healed."""
    assert judge_report(RECORD, report(5)).verdict is Verdict.TAKEN
    assert judge_report(RECORD, report(2)).verdict is Verdict.TAKEN


def test_a_gap_is_refused_with_what_the_server_has() -> None:
    """The sender goes back to there."""
    answer = judge_report(RECORD, report(6))
    assert (answer.verdict, answer.seq) == (Verdict.GAP, 4)
    assert answer.verdict.status == 422


@pytest.mark.parametrize(
    ("token", "attempt"), [(Token(0, 2), 1), (Token(0, 4), 1), (Token(0, 3), 2)]
)
def test_another_token_or_attempt_is_stale(token: Token, attempt: int) -> None:
    """Whatever its number."""
    answer = judge_report(RECORD, report(5, token, attempt))
    assert answer.verdict is Verdict.STALE
    assert answer.verdict.status == 409


@pytest.mark.parametrize("state", list(AttemptState))
def test_only_an_end_at_the_known_place_is_evidence(state: AttemptState) -> None:
    """An end with the right item, attempt and handle is kept whatever the token."""
    late = report(9, Token(0, 1), state=state, place=PLACE)
    assert is_evidence(RECORD, late) is (state in ENDS)
    assert not is_evidence(RECORD, report(9, Token(0, 1), state=state))
    elsewhere = replace(PLACE, uid="8")
    assert not is_evidence(RECORD, report(9, Token(0, 1), state=state, place=elsewhere))


def test_nothing_is_evidence_against_an_end() -> None:
    """Ends are final."""
    over = replace(RECORD, attempt_state=AttemptState.FAILED)
    late = report(9, Token(0, 1), state=AttemptState.SUCCEEDED, place=PLACE)
    assert not is_evidence(over, late)


def test_that_the_log_is_whole_is_heard_under_any_token_once_the_attempt_is_over() -> None:
    """Of the right attempt and place, or it may be another's log."""
    over = replace(RECORD, attempt_state=AttemptState.FAILED)
    late = report(9, Token(0, 1), place=PLACE, logs_complete=True)
    assert proves_log(over, late)
    assert not proves_log(RECORD, late)
    assert not proves_log(over, report(9, Token(0, 1), place=PLACE))
    assert not proves_log(over, report(9, Token(0, 1), logs_complete=True))
    assert not proves_log(over, report(9, Token(0, 1), 2, place=PLACE, logs_complete=True))
    elsewhere = replace(PLACE, uid="8")
    assert not proves_log(over, report(9, Token(0, 1), place=elsewhere, logs_complete=True))


def test_a_launch_needs_the_token_and_an_item_that_is_not_under_way_elsewhere() -> None:
    """Repeating it is harmless; a cancelled item is not started."""
    claimed = replace(RECORD, item_state=ItemState.CLAIMED)
    assert judge_launching(claimed, 1, RECORD.token) is Verdict.TAKEN
    again = replace(claimed, item_state=ItemState.LAUNCHING)
    assert judge_launching(again, 1, RECORD.token) is Verdict.TAKEN
    assert judge_launching(claimed, 1, Token(0, 2)) is Verdict.STALE
    assert judge_launching(RECORD, 1, RECORD.token) is Verdict.STALE
    assert judge_launching(replace(claimed, cancel=True), 1, RECORD.token) is Verdict.CANCELLED


def reclaim(agent: str = "agent", attempt: int = 1, place: Place | None = PLACE) -> Reclaim:
    """Return a reclaim of item `i`."""
    return Reclaim(caller=Caller(agent=agent, epoch=1), item="i", attempt=attempt, place=place)


@pytest.mark.parametrize(
    ("record", "asked", "verdict"),
    [
        (RECORD, reclaim(), ReclaimVerdict.GRANTED),
        (replace(RECORD, holder=""), reclaim("other"), ReclaimVerdict.GRANTED),
        (RECORD, reclaim("other"), ReclaimVerdict.SUPERSEDED),
        (RECORD, reclaim(attempt=2), ReclaimVerdict.SUPERSEDED),
        (RECORD, reclaim(place=replace(PLACE, name="x")), ReclaimVerdict.SUPERSEDED),
        (replace(RECORD, item_state=ItemState.QUEUED), reclaim(), ReclaimVerdict.SUPERSEDED),
        (replace(RECORD, item_state=ItemState.DONE), reclaim(), ReclaimVerdict.OVER),
        (replace(RECORD, attempt_state=AttemptState.LOST), reclaim(), ReclaimVerdict.OVER),
    ],
)
def test_an_attempt_is_given_back_only_to_who_can_still_have_it(
    record: Record, asked: Reclaim, verdict: ReclaimVerdict
) -> None:
    """No later attempt, nobody who adopted it, and the same thing on the target."""
    assert judge_reclaim(record, asked) is verdict


def test_a_uid_that_is_not_known_yet_matches_any() -> None:
    """LAUNCHING has a scope and a name; the uid comes with the handle."""
    assert same_place(replace(PLACE, uid=""), PLACE)
    assert not same_place(PLACE, replace(PLACE, scope="host:b"))


@given(st.permutations([AttemptState.PENDING, AttemptState.RUNNING, AttemptState.SUCCEEDED]))
def test_the_furthest_fact_wins_in_any_order(order: list[AttemptState]) -> None:
    """An end may overtake its start."""
    record = replace(RECORD, attempt_state=AttemptState.SUBMITTING)
    for state in order:
        record = replace(record, attempt_state=furthest(record, report(1, state=state)))
    assert record.attempt_state is AttemptState.SUCCEEDED
