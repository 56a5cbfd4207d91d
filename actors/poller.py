"""Decides when to claim; the calls themselves wait in lanes of their own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from launchyard.actors.crashpoints import reach
from launchyard.actors.facts import Claimed, SupervisorFact
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.role import Role
from launchyard.actors.session import Backoff, Session
from launchyard.domain.exchange import ClaimAnswer, ClaimRequest
from launchyard.domain.ids import uuid7
from launchyard.domain.rotation import after_claim
from launchyard.ports import families
from launchyard.ports.launch_server import ServerError

LONG_POLL_S: Final = 50.0
FULL_S: Final = 0.5
"""How long all slots must have been taken before a claim waits for commands alone."""

_HOPELESS_S: Final = 30.0
_SETTLE_S: Final = 0.05
_PACE_S: Final = 0.01
"""How soon after a claim that brought items the next may follow, with all slots free by then."""


@dataclass(frozen=True, slots=True)
class Slots:
    """So many items may be claimed now, those of the claim *seen* being counted.

    No *seen* means that what was claimed before does not matter: the supervisor began anew.
    """

    free: int
    seen: str | None = None


@dataclass(frozen=True, slots=True)
class CloseDown:
    """Claim nothing more; a claim that waits is ended."""


@dataclass(frozen=True, slots=True)
class Look:
    """Look again: a while has passed."""


@dataclass(frozen=True, slots=True)
class Came:
    """A claim came back, with its answer or with an error."""

    request: ClaimRequest
    answer: ClaimAnswer | None
    retry: bool = True


PollerLetter: TypeAlias = Slots | CloseDown | Look | Came
LaneLetter: TypeAlias = "ClaimRequest | AbortClaim"


@dataclass(frozen=True, slots=True)
class AbortClaim:
    """End the waiting claim."""

    claim_id: str


class Poller(Role[PollerLetter]):
    """Keeps one claim in flight: for the free slots, or for commands alone when none is free.

    A claim that waits without a slot is superseded when one frees up; one that waits with a slot
    is left alone, because it brings the first item as fast as a new one would, until none is left:
    what was adopted took the last. After one that brought items, the next waits for the
    supervisor, which has these on their way first.
    """

    def __init__(
        self,
        mailbox: Mailbox[PollerLetter],
        session: Session,
        lanes: Sequence[Mailbox[LaneLetter]],
        queues: tuple[str, ...],
    ) -> None:
        super().__init__(mailbox)
        self._session, self._lanes, self._order = session, lanes, queues
        self._free = 0
        self._full_since = session.clock.boottime()
        self._waiting: ClaimRequest | None = None
        self._turn = 0
        self._closed = False
        self._wait = Backoff()
        self._begun = False
        self._held = False
        self._repeat = False
        self._expected = ""
        self._settling = False
        self._next_at = 0.0

    def work(self, letters: Sequence[PollerLetter]) -> None:
        for letter in letters:
            match letter:
                case Slots(free, seen):
                    if seen is None or seen == self._expected:
                        self._note_slots(free)
                        self._settling = False
                case Came():
                    self._note_answer(letter)
                case Look():
                    self._held = self._settling = False
                case CloseDown():
                    self._close()
        self._claim()

    def _note_slots(self, free: int) -> None:
        if free == 0 and self._free > 0:
            self._full_since = self._session.clock.boottime()
        self._free, self._begun = free, True

    def _note_answer(self, came: Came) -> None:
        ours = self._waiting is not None and self._waiting.claim_id == came.request.claim_id
        if came.answer is not None:
            self._wait.reset()
            served = {grant.queue for grant in came.answer.items}
            self._order = after_claim(self._order, served)
            if came.answer.items:
                # Counts of the supervisor's that leave these out are too high.
                self._expected = came.request.claim_id
                self._note_slots(max(0, self._free - len(came.answer.items)))
                self._settling = True
                self._next_at = self._session.clock.boottime() + _PACE_S
                self._look_after(_SETTLE_S)
            if ours:
                self._waiting = None
        elif ours:
            # One that may have been granted something is repeated under its id.
            self._repeat = came.request.free > 0
            if not self._repeat:
                self._waiting = None
            self._hold(self._wait.next_s() if came.retry else _HOPELESS_S)

    def _hold(self, wait_s: float) -> None:
        """Claim again when *wait_s* have passed."""
        self._held = True
        self._look_after(wait_s)

    def _look_after(self, wait_s: float) -> None:
        self._session.alarms.after("poller", wait_s, lambda: self.mailbox.put(Look()))

    def _claim(self) -> None:
        if self._closed or not self._begun or self._held or self._settling:
            return
        waiting = self._waiting
        if waiting is not None and self._repeat:
            self._repeat = False
            self._send(waiting)
            return
        if waiting is not None and (waiting.free > 0) == (self._free > 0):
            return
        at = self._full_since + FULL_S if self._free == 0 else self._next_at
        left_s = at - self._session.clock.boottime()
        if left_s > 0:
            self._look_after(left_s)
            return
        self._send(self._request())

    def _request(self) -> ClaimRequest:
        now_ms = self._session.clock.now_ms()
        return ClaimRequest(
            caller=self._session.caller,
            claim_id=uuid7(now_ms, os.urandom(10)),
            queues=self._order,
            free=self._free,
            wait_s=LONG_POLL_S,
        )

    def _send(self, request: ClaimRequest) -> None:
        self._waiting = request
        self._turn = (self._turn + 1) % len(self._lanes)
        self._lanes[self._turn].put(request)

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._waiting is not None:
            lane = (self._turn + 1) % len(self._lanes)
            self._lanes[lane].put(AbortClaim(self._waiting.claim_id))


class Claimer(Role[LaneLetter]):
    """A lane: makes one claim call after another, each as long as the server lets it wait."""

    def __init__(
        self,
        mailbox: Mailbox[LaneLetter],
        session: Session,
        tell: Mailbox[SupervisorFact],
        poller: Mailbox[PollerLetter],
    ) -> None:
        super().__init__(mailbox)
        self._session, self._tell, self._poller = session, tell, poller

    def work(self, letters: Sequence[LaneLetter]) -> None:
        for letter in letters:
            if isinstance(letter, AbortClaim):
                self._abort(letter.claim_id)
            else:
                self._claim(letter)

    def _claim(self, request: ClaimRequest) -> None:
        session = self._session
        self.mailbox.doing = f"waits for work, {request.free} slots free"
        began = session.clock.boottime()
        reach("claim.before_send")
        try:
            answer = session.attempt("claim", lambda: session.server.claim(request))
        except ServerError as e:
            session.metrics.count(families.CLAIMS, {"result": "error"})
            self._poller.put(Came(request, None, e.retry))
            return
        reach("claim.after_send")
        if answer.items or answer.resolve or answer.commands:
            self._tell.put(Claimed(request.claim_id, answer))
        self._poller.put(Came(request, answer))
        self._count(request, answer, session.clock.boottime() - began)

    def _count(self, request: ClaimRequest, answer: ClaimAnswer, took_s: float) -> None:
        """Count a claim; what it brought is on its way by now."""
        metrics, now_s = self._session.metrics, self._session.clock.now_ms() / 1000
        metrics.count(families.CLAIMS, {"result": "claimed" if answer.items else "empty"})
        metrics.observe(families.CLAIM_DURATION, took_s)
        for queue in request.queues:
            metrics.gauge(families.LAST_POLL, now_s, {"queue": queue})

    def _abort(self, claim_id: str) -> None:
        session = self._session
        reach("abort.before_send")
        try:
            session.attempt("claim", lambda: session.server.abort_claim(session.caller, claim_id))
        except ServerError:
            # What it would have brought stays unlisted, and so goes back by itself.
            return
        reach("abort.after_send")
