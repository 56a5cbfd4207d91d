"""The agent's row of an attempt: facts, wishes, and what the journal keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations

import pytest

from launchyard.domain.attempt import AttemptState
from launchyard.domain.attempts import (
    Attempt,
    Product,
    Wish,
    after,
    fenced,
    from_document,
    renewed,
    report,
    take_up,
    to_document,
    wish,
    without_handle,
)
from launchyard.domain.exchange import Fact
from launchyard.domain.item import ItemState
from launchyard.domain.lease import Token
from launchyard.domain.reason import Reason
from launchyard.domain.wire import WireError
from tests.domain.attempts_kit import HANDLE, PLACE, grant

S = AttemptState


def submitting() -> Attempt:
    """Return a row whose fenced write was taken."""
    return fenced(take_up(grant(), 5), PLACE, 6)


def running() -> Attempt:
    """Return a row that runs under a handle."""
    return after(submitting(), Fact(at_ms=7, state=S.RUNNING, place=HANDLE)).row


def test_a_fresh_lease_is_claimed_and_nothing_is_on_a_target() -> None:
    """Before the fenced write there is nothing for a run host to do."""
    row = take_up(grant(), 5)
    assert (row.state, row.place, wish(row)) == (S.CLAIMED, None, Wish.NOTHING)


def test_a_launched_lease_is_looked_up_where_the_server_says() -> None:
    """Adoption needs the place and nothing else."""
    lease = grant(state=ItemState.LAUNCHED, attempt_state=S.RUNNING, place=HANDLE, seq=4)
    row = take_up(lease, 5)
    assert (row.state, row.place, row.seq, row.acked) == (S.RUNNING, HANDLE, 4, 4)
    assert wish(row) is Wish.WATCH


def test_a_lease_that_was_launching_is_submitted_again_under_its_name() -> None:
    """Submitting means create or adopt."""
    lease = grant(state=ItemState.LAUNCHING, attempt_state=S.SUBMITTING, place=PLACE)
    assert wish(take_up(lease, 5)) is Wish.SUBMIT


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_facts_in_any_order_make_the_same_row(order: tuple[int, ...]) -> None:
    """Handle, start and end come from different threads."""
    facts = [
        Fact(at_ms=7, place=HANDLE),
        Fact(at_ms=8, state=S.RUNNING, place=HANDLE),
        Fact(at_ms=9, state=S.FAILED, place=HANDLE, reason=Reason.EXIT_CODE, exit_code=3),
    ]
    row = submitting()
    for number in order:
        row = after(row, facts[number]).row
    assert (row.state, row.reason, row.place) == (S.FAILED, Reason.EXIT_CODE, HANDLE)


def test_a_fact_that_is_known_is_no_news() -> None:
    """The server hears of a state once."""
    assert after(running(), Fact(at_ms=9, state=S.RUNNING, place=HANDLE)).news is None


def test_what_an_attempt_waited_for_is_over_once_it_runs() -> None:
    """Words about the wait do not stand beside a job that runs; later ones do."""
    waiting = after(submitting(), Fact(at_ms=7, detail="x:1 is being pulled"))
    assert waiting.news == Fact(at_ms=7, detail="x:1 is being pulled", place=PLACE)
    begun = after(waiting.row, Fact(at_ms=8, state=S.RUNNING, place=HANDLE)).row
    assert (waiting.row.detail, begun.detail) == ("x:1 is being pulled", "")
    assert after(begun, Fact(at_ms=9, state=S.RUNNING, detail="it is paused")).row.detail


def test_an_overtaken_fact_is_no_news() -> None:
    """A start after the end changes nothing."""
    ended = after(running(), Fact(at_ms=9, state=S.SUCCEEDED, reason=Reason.COMPLETED)).row
    assert after(ended, Fact(at_ms=8, state=S.RUNNING, place=HANDLE)).row == ended
    assert after(ended, Fact(at_ms=8, state=S.RUNNING, place=HANDLE)).news is None


def test_logs_that_are_complete_after_the_end_are_told_once() -> None:
    """The end is not held up by them."""
    ended = after(running(), Fact(at_ms=9, state=S.SUCCEEDED, reason=Reason.COMPLETED)).row
    first = after(ended, Fact(at_ms=10, logs_complete=True))
    assert first.news is not None
    assert first.news.logs_complete
    assert after(first.row, Fact(at_ms=11, logs_complete=True)).news is None


@pytest.mark.parametrize(
    ("state", "reason"),
    [(S.TIMED_OUT, Reason.RUN_TIMEOUT), (S.PREEMPTED, Reason.PREEMPTED)],
)
def test_a_cancelled_attempt_that_was_stopped_before_is_cancelled(state: S, reason: Reason) -> None:
    """The user's word counts, and neither end can follow CANCELLING."""
    cancelling = after(running(), Fact(at_ms=8, state=S.CANCELLING)).row
    taken = after(cancelling, Fact(at_ms=9, state=state, reason=reason))
    assert (taken.row.state, taken.row.reason) == (S.CANCELLED, Reason.CANCELLED)


def test_the_target_s_word_wins_over_a_cancel() -> None:
    """What ended by itself before the cancel reached it has succeeded."""
    cancelling = after(running(), Fact(at_ms=8, state=S.CANCELLING)).row
    taken = after(cancelling, Fact(at_ms=9, state=S.SUCCEEDED, reason=Reason.COMPLETED))
    assert (taken.row.state, taken.row.reason) == (S.SUCCEEDED, Reason.COMPLETED)


def test_the_first_handle_stays() -> None:
    """A second one under the same name is not ours to follow."""
    other = replace(HANDLE, uid="boot/9/9")
    assert after(running(), Fact(at_ms=9, place=other)).row.place == HANDLE


def test_what_was_accepted_and_never_started_is_submitted_again() -> None:
    """Its second start has another handle, which is taken."""
    row = without_handle(running())
    assert wish(row) is Wish.SUBMIT
    other = replace(HANDLE, uid="boot/9/9")
    assert after(row, Fact(at_ms=9, place=other)).row.place == other


def test_reports_are_numbered_without_gaps() -> None:
    """Each report is the next one of its item."""
    row, first = report(running(), Fact(at_ms=1))
    row, second = report(row, Fact(at_ms=2))
    assert (first.seq, second.seq, row.seq) == (1, 2, 2)
    assert second.lease == row.lease


def test_a_stale_row_wishes_for_nothing() -> None:
    """Without a token there are no side effects."""
    assert wish(replace(running(), stale=True)) is Wish.NOTHING


def test_the_wishes_follow_the_row_to_its_end() -> None:
    """Watch, then ship the log, then, when all is acknowledged, remove."""
    row, _ = report(running(), Fact(at_ms=8))
    assert wish(row) is Wish.WATCH
    row = replace(row, state=S.SUCCEEDED)
    assert wish(row) is Wish.SHIP
    row = replace(row, logs_complete=True)
    assert wish(row) is Wish.NOTHING
    assert wish(replace(row, acked=row.seq)) is Wish.REMOVE


def test_a_cancel_without_a_handle_is_looked_up_first() -> None:
    """It may or may not be there."""
    assert wish(replace(submitting(), cancel=Reason.CANCELLED)) is Wish.FIND


def test_a_renewed_lease_brings_its_token_and_keeps_what_is_unsent() -> None:
    """The same agent comes back with its outbox."""
    row, _ = report(replace(running(), stale=True), Fact(at_ms=8))
    lease = grant(token=Token(0, 4), state=ItemState.LAUNCHED, place=HANDLE, seq=0)
    again = renewed(row, lease)
    assert (again.token, again.seq, again.acked, again.stale) == (Token(0, 4), 1, 0, False)


def test_a_row_survives_the_journal_without_its_secrets() -> None:
    """All but the secrets is there again, and a fenced write is asked for anew."""
    lease = grant(secrets={"HF_TOKEN": "very-secret"})
    row = replace(
        running(), grant=lease, product=Product(key="k", path="/v"), cancel=Reason.RUN_TIMEOUT
    )
    text = json.dumps(to_document(replace(row, asked=True)))
    assert "very-secret" not in text
    assert from_document(json.loads(text)) == replace(row, grant=replace(lease, secrets={}))


def test_another_document_is_refused() -> None:
    """A journal of something else is damage, not an empty row."""
    with pytest.raises(WireError):
        from_document({"grant": {}})
