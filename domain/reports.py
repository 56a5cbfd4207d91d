"""How the server takes reports, and what it answers a holder whose token is stale."""

from __future__ import annotations

from dataclasses import dataclass

from launchyard.domain.attempt import ENDS, AttemptState, take
from launchyard.domain.exchange import (
    Answer,
    Place,
    Reclaim,
    ReclaimVerdict,
    Report,
    Verdict,
)
from launchyard.domain.item import ItemState
from launchyard.domain.lease import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the server knows of an item when a report, a launch or a reclaim comes in."""

    attempt: int
    token: Token
    seq: int
    item_state: ItemState
    attempt_state: AttemptState
    place: Place | None
    holder: str = ""
    cancel: bool = False


def judge_report(record: Record, report: Report) -> Answer:
    """Say how *report* is taken: known ones again with TAKEN, stale tokens never, no gaps.

    An end with the right attempt and place is evidence whatever the token, and so is that its log
    is complete: see `is_evidence` and `proves_log`.
    """
    lease = report.lease
    if lease.attempt != record.attempt or lease.token != record.token:
        return Answer(verdict=Verdict.STALE)
    if report.seq <= record.seq:
        return Answer(verdict=Verdict.TAKEN, seq=record.seq)
    if report.seq != record.seq + 1:
        return Answer(verdict=Verdict.GAP, seq=record.seq)
    return Answer(verdict=Verdict.TAKEN, seq=report.seq)


def is_evidence(record: Record, report: Report) -> bool:
    """Tell whether a stale report still proves the end of the attempt that the server knows."""
    fact = report.fact
    return (
        fact.state in ENDS
        and report.lease.attempt == record.attempt
        and record.attempt_state not in ENDS
        and record.place is not None
        and fact.place is not None
        and same_place(record.place, fact.place)
    )


def proves_log(record: Record, report: Report) -> bool:
    """Tell whether a stale report still says that the log of an attempt which is over is whole."""
    fact = report.fact
    return (
        fact.logs_complete
        and report.lease.attempt == record.attempt
        and record.attempt_state in ENDS
        and record.place is not None
        and fact.place is not None
        and same_place(record.place, fact.place)
    )


def same_place(known: Place, shown: Place) -> bool:
    """Tell whether two places mean the same thing; a uid not yet known matches any."""
    if (known.scope, known.name) != (shown.scope, shown.name):
        return False
    return not known.uid or not shown.uid or known.uid == shown.uid


def judge_launching(record: Record, attempt: int, token: Token) -> Verdict:
    """Say whether the first side effect may be made now; repeating the write is harmless."""
    if (attempt, token) != (record.attempt, record.token):
        return Verdict.STALE
    if record.item_state not in {ItemState.CLAIMED, ItemState.LAUNCHING}:
        return Verdict.STALE
    return Verdict.CANCELLED if record.cancel else Verdict.TAKEN


def judge_reclaim(record: Record, reclaim: Reclaim) -> ReclaimVerdict:
    """Say whether a holder with a stale token gets its attempt back.

    It does when no later attempt began, nobody adopted it, and what it shows is what we know.
    """
    if record.attempt_state in ENDS or record.item_state is ItemState.DONE:
        return ReclaimVerdict.OVER
    if reclaim.attempt != record.attempt:
        return ReclaimVerdict.SUPERSEDED
    if record.holder not in {"", reclaim.caller.agent}:
        return ReclaimVerdict.SUPERSEDED
    if record.item_state is ItemState.QUEUED and not launched_since(record, reclaim):
        return ReclaimVerdict.SUPERSEDED
    if record.place and reclaim.place and not same_place(record.place, reclaim.place):
        return ReclaimVerdict.SUPERSEDED
    return ReclaimVerdict.GRANTED


def launched_since(record: Record, reclaim: Reclaim) -> bool:
    """Tell whether the attempt was launched in a time that a restore has made undone.

    Then its holder shows a token of an earlier epoch, and a place that the server has not heard of.
    """
    shown = reclaim.token
    before = shown is not None and shown.epoch < record.token.epoch
    return before and reclaim.place is not None and record.place is None


def furthest(record: Record, report: Report) -> AttemptState:
    """Return where the attempt stands once *report* is taken; ends are final."""
    seen = report.fact.state
    return record.attempt_state if seen is None else take(record.attempt_state, seen)
