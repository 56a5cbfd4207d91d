"""An attempt as its agent keeps it, and what follows from a fact: all without I/O.

A row is written to the journal as a document and survives the agent; secrets are not in it. What
a worker process should be doing for an attempt follows from the row alone (`wish`), so a process
that died is told again, and a start of the agent differs in nothing from one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from launchyard.domain.attempt import ENDS, AttemptState, take
from launchyard.domain.documents import Json
from launchyard.domain.exchange import Fact, ItemGrant, LeaseRef, Place, Release, Report
from launchyard.domain.item import ItemState
from launchyard.domain.lease import Token
from launchyard.domain.reason import Reason
from launchyard.domain.wire import WireError, from_json, to_json

S = AttemptState


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What was built for an attempt, and the folder with its source; all may be empty."""

    key: str = ""
    path: str = ""
    image: str = ""
    cache: str = "none"
    folder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One row of the agent's table.

    `place` is set once the fenced write permits side effects; its `uid` once the target answered.
    `seq` is the last report made, `acked` the last one the server took. `stale` means that the
    token was refused: nothing may be done until it is reclaimed. `aside` means that the server
    refuses its reports. `asked` says that a fenced write is on its way; a new process asks anew.
    `reviewed` says that the launch passed, as it then was: the grant holds what came of it.
    """

    grant: ItemGrant
    token: Token
    state: AttemptState
    since_ms: int
    seq: int = 0
    acked: int = 0
    place: Place | None = None
    product: Product | None = None
    cancel: Reason | None = None
    suspended: bool = False
    logs_complete: bool = False
    stale: bool = False
    aside: bool = False
    running_ms: int | None = None
    reason: Reason | None = None
    detail: str = ""
    asked: bool = False
    reviewed: bool = False

    @property
    def item(self) -> str:
        """The item's id."""
        return self.grant.item

    @property
    def attempt(self) -> int:
        """The attempt's number."""
        return self.grant.attempt

    @property
    def lease(self) -> LeaseRef:
        """The lease as this agent shows it."""
        return LeaseRef(item=self.grant.item, attempt=self.grant.attempt, token=self.token)

    @property
    def ended(self) -> bool:
        """Whether the end is known."""
        return self.state in ENDS

    @property
    def has_handle(self) -> bool:
        """Whether the target has told what it started."""
        return self.place is not None and bool(self.place.uid)

    @property
    def is_launching(self) -> bool:
        """Whether it is being handed to its target."""
        return self.asked or self.state is S.SUBMITTING

    @property
    def finished(self) -> bool:
        """Whether nothing is left to tell the server."""
        return self.ended and self.acked >= self.seq


class Wish(StrEnum):
    """What a run host should be doing for an attempt."""

    NOTHING = "nothing"
    SUBMIT = "submit"
    FIND = "find"
    WATCH = "watch"
    SHIP = "ship"
    REMOVE = "remove"


def wish(row: Attempt) -> Wish:
    """Say what the run host should be doing for *row*, whatever it did before."""
    if row.stale or row.place is None:
        return Wish.NOTHING
    if not row.ended:
        if row.has_handle:
            return Wish.WATCH
        return Wish.FIND if row.cancel is not None else Wish.SUBMIT
    if not row.has_handle:
        return Wish.NOTHING
    if not row.logs_complete:
        return Wish.SHIP
    return Wish.REMOVE if row.finished else Wish.NOTHING


def take_up(grant: ItemGrant, now_ms: int) -> Attempt:
    """Make a row of a lease; one that was launched before is to be looked up on its target."""
    launched = grant.state in {ItemState.LAUNCHING, ItemState.LAUNCHED}
    state = AttemptState.CLAIMED
    if launched:
        state = take(S.SUBMITTING, grant.attempt_state)
    return Attempt(
        grant=grant,
        token=grant.token,
        state=state,
        since_ms=now_ms,
        seq=grant.seq,
        acked=grant.seq,
        place=grant.place if launched else None,
        cancel=Reason.CANCELLED if grant.cancel else None,
    )


def renewed(row: Attempt, grant: ItemGrant) -> Attempt:
    """Return *row* under the token of *grant*, a lease of the same attempt.

    Before the launch nothing was done that a new start could not do again, so it starts anew;
    after it the place that the server knows counts where the row has none.
    """
    launched = grant.state in {ItemState.LAUNCHING, ItemState.LAUNCHED}
    if row.reviewed:  # what reviewers made of the launch is known here alone
        known = row.grant
        grant = replace(grant, spec=known.spec, queue_config=known.queue_config)
    fresh = replace(
        row,
        grant=grant,
        token=grant.token,
        seq=max(row.seq, grant.seq),
        acked=max(row.acked, grant.seq),
        stale=False,
        cancel=row.cancel or (Reason.CANCELLED if grant.cancel else None),
    )
    if launched and fresh.place is None and not fresh.ended:
        return replace(fresh, place=grant.place, state=take(fresh.state, S.SUBMITTING))
    return fresh


def fenced(row: Attempt, place: Place, now_ms: int) -> Attempt:
    """Return *row* once the fenced write permits its side effects at *place*."""
    state = take(row.state, S.SUBMITTING)
    return replace(row, place=place, state=state, since_ms=now_ms, asked=False)


def without_handle(row: Attempt) -> Attempt:
    """Return *row* as before its submit: what the target accepted was never started."""
    place = row.place
    return row if place is None else replace(row, place=replace(place, uid=""))


@dataclass(frozen=True, slots=True)
class Taken:
    """A row after a fact, and the fact that the server must hear, if it is news."""

    row: Attempt
    news: Fact | None = None


def after(row: Attempt, fact: Fact) -> Taken:
    """Return what *fact* makes of *row*; facts may come in any order and more than once."""
    if row.ended:
        return _after_end(row, fact)
    state = row.state if fact.state is None else take(row.state, _in_words_of(row, fact.state))
    place = _learned(row.place, fact.place)
    changed = state is not row.state
    now = replace(
        row,
        state=state,
        place=place,
        suspended=fact.suspended and state not in ENDS,
        logs_complete=row.logs_complete or fact.logs_complete,
        since_ms=fact.at_ms if changed else row.since_ms,
        running_ms=fact.at_ms if state is S.RUNNING and not row.running_ms else row.running_ms,
        reason=_reason(row, fact) if state in ENDS else row.reason,
        # What it waited for is over once it runs.
        detail=fact.detail if changed and state is S.RUNNING else fact.detail or row.detail,
        asked=row.asked and state not in ENDS,
    )
    if now == row:
        return Taken(row)
    told = replace(fact, state=state if changed else None, reason=now.reason, place=place)
    return Taken(now, told)


def _after_end(row: Attempt, fact: Fact) -> Taken:
    place = _learned(row.place, fact.place)
    complete = fact.logs_complete and not row.logs_complete
    if complete:
        note = Fact(at_ms=fact.at_ms, logs_complete=True, detail="", place=place)
        return Taken(replace(row, place=place, logs_complete=True), note)
    return Taken(replace(row, place=place) if place != row.place else row)


def _in_words_of(row: Attempt, seen: AttemptState) -> AttemptState:
    """Return *seen* as an end that a cancelled attempt may have: its time limit is one no more."""
    if row.state is S.CANCELLING and seen in {S.TIMED_OUT, S.PREEMPTED, S.REJECTED}:
        return S.CANCELLED
    return seen


def _reason(row: Attempt, fact: Fact) -> Reason | None:
    if row.state is S.CANCELLING and fact.state in {S.TIMED_OUT, S.PREEMPTED}:
        return Reason.CANCELLED
    return fact.reason


def _learned(known: Place | None, seen: Place | None) -> Place | None:
    """Return the place with its handle, once one is known; the first handle stays."""
    if seen is None or (known is not None and known.uid):
        return known
    return seen if seen.uid or known is None else known


def report(row: Attempt, fact: Fact) -> tuple[Attempt, Report]:
    """Return *fact* as the item's next report, and the row that knows of it."""
    seq = row.seq + 1
    return replace(row, seq=seq), Report(lease=row.lease, seq=seq, fact=fact)


def is_building(row: Attempt) -> bool:
    """Tell whether *row* waits for its build's end."""
    return row.state is S.BUILDING and row.product is None


def release(row: Attempt) -> Release:
    """Return the words that give *row* back as it stands."""
    return Release(lease=row.lease, state=row.state, place=row.place)


def to_document(row: Attempt) -> dict[str, Json]:
    """Return *row* for the journal; the grant's secrets stay out of it."""
    if row.grant.secrets:
        row = replace(row, grant=replace(row.grant, secrets={}))
    document = to_json(row)
    if not isinstance(document, dict):
        raise TypeError("a row is written as an object")
    del document["asked"]
    return document


def from_document(document: object) -> Attempt:
    """Read what `to_document` wrote.

    Raises:
        WireError: it is of another form.
    """
    row = from_json(Attempt, document)
    if row.item == "":
        raise WireError(("grant", "item"), "is empty")
    return row
