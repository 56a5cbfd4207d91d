"""Brings reports to the server, in order per item, through any outage."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from launchyard.actors.crashpoints import reach
from launchyard.actors.facts import Reported, SetAside, SupervisorFact
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.role import Role
from launchyard.actors.session import Backoff, Session
from launchyard.domain.attempt import ENDS
from launchyard.domain.exchange import Answer, LeaseRef, Report, Verdict
from launchyard.domain.lease import Token
from launchyard.ports import families
from launchyard.ports.launch_server import ServerError

_MOST: Final = 200
_REFUSALS: Final = 5
_COMPANY_S: Final = 0.01
"""How long news of an attempt that goes on waits for more: the end of a short one comes with it."""

_CROWD: Final = 4
_CROWD_S: Final = 0.04
"""As many ends within so long are a crowd: then calls follow each other no sooner than that.

Nobody waits for one end among many, nor does a slot, and each call has a price of its own.
"""

_MOST_WAIT_S: Final = 4.0
"""With a try that hangs before it, and with all that is then told, well below ten seconds."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Reports that are in the journal and are to be sent."""

    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with an item under a new token; reports up to *acked* are known there."""

    item: str
    token: Token
    acked: int


@dataclass(frozen=True, slots=True)
class Forget:
    """Nothing of this item is to be sent any more."""

    item: str


@dataclass(frozen=True, slots=True)
class Again:
    """Try an item again that was refused a while ago."""

    item: str


@dataclass(frozen=True, slots=True)
class Now:
    """What waits has waited for long enough."""


ReporterLetter: TypeAlias = Outgoing | Resume | Forget | Again | Now


@dataclass(slots=True)
class _Line:
    """An item's reports, the next one first; a parked line waits for a new token."""

    waiting: deque[Report] = field(default_factory=deque)
    token: Token | None = None
    refused: int = 0
    parked: bool = False


class Reporter(Role[ReporterLetter]):
    """Sends what waits in batches; the journal keeps every report until its answer is recorded.

    Items are independent: one whose token is stale waits for its reclaim, one that is refused five
    times is set aside, visibly, and neither holds up another.
    """

    def __init__(
        self,
        mailbox: Mailbox[ReporterLetter],
        session: Session,
        tell: Mailbox[SupervisorFact],
        outbox: Sequence[Report] = (),
    ) -> None:
        super().__init__(mailbox)
        self._session, self._tell = session, tell
        self._lines: dict[str, _Line] = {}
        self._due: float | None = None
        self._called = float("-inf")
        self._ends: deque[float] = deque(maxlen=_CROWD)
        self._add(outbox)

    def work(self, letters: Sequence[ReporterLetter]) -> None:
        self._sort(letters)
        wait = Backoff(0.25, _MOST_WAIT_S)
        while (batch := self._due_batch()) and not self._session.quit.is_set():
            self.mailbox.doing = f"sends {len(batch)} reports"
            if self._send(batch):
                wait.reset()
                self._due = None
            else:
                self._session.quit.wait(wait.next_s())
            self._sort(self.mailbox.take_all())
        self._session.metrics.gauge(families.OUTBOX_DEPTH, self._depth())

    def _depth(self) -> int:
        return sum(len(line.waiting) for line in self._lines.values())

    def _sort(self, letters: Sequence[ReporterLetter]) -> None:
        for letter in letters:
            match letter:
                case Outgoing(reports):
                    self._add(reports)
                case Resume(item, token, acked):
                    self._resume(item, token, acked)
                case Forget(item):
                    self._lines.pop(item, None)
                case Again(item):
                    if item in self._lines:
                        self._lines[item].parked = False

    def _add(self, reports: Sequence[Report]) -> None:
        for report in reports:
            line = self._lines.setdefault(report.lease.item, _Line())
            if not line.waiting or line.waiting[-1].seq < report.seq:
                line.waiting.append(report)
                if report.fact.state in ENDS:
                    self._ends.append(self._session.clock.boottime())

    def _resume(self, item: str, token: Token, acked: int) -> None:
        line = self._lines.get(item)
        if line is None:
            return
        line.token, line.parked, line.refused = token, False, 0
        self._drop(item, line, acked)

    def _due_batch(self) -> list[Report]:
        """Return what is to be sent now; for what waits, an alarm is set."""
        batch = self._batch()
        if not batch:
            return batch
        now = self._session.clock.boottime()
        due = self._when(batch, now)
        if self._due is None or due < self._due:
            self._due = due
            if due > now:
                self._session.alarms.set("reporter", due, lambda: self.mailbox.put(Now()))
        if now < self._due:
            return []
        self._called = now
        return batch

    def _when(self, batch: Sequence[Report], now: float) -> float:
        """Return when *batch* is to be sent: an end at once, unless it is one of many."""
        if len(self._ends) == _CROWD and self._ends[0] > now - _CROWD_S:
            return self._called + _CROWD_S
        ended = any(report.fact.state in ENDS for report in batch)
        return now if ended else now + _COMPANY_S

    def _batch(self) -> list[Report]:
        batch: list[Report] = []
        for line in self._lines.values():
            if line.parked:
                continue
            for report in line.waiting:
                batch.append(_under(report, line.token))
                if len(batch) >= _MOST:
                    return batch
        return batch

    def _send(self, batch: list[Report]) -> bool:
        """Send *batch*; false when the server did not hear it."""
        session = self._session
        reach("reports.before_send")
        try:
            answers: Sequence[Answer] = session.attempt(
                "reports", lambda: session.server.report(session.caller, batch)
            )
        except ServerError as e:
            if e.retry:
                return False
            if len(batch) > 1:
                # One of them may be what the server does not like: each for itself.
                return min(self._send([report]) for report in batch)
            answers = [Answer(verdict=Verdict.REFUSED, detail=str(e))]
        reach("reports.after_send")
        pairs = tuple(zip(batch, answers, strict=True))
        for report, answer in pairs:
            self._note(report, answer)
        self._tell.put(Reported(pairs))
        return True

    def _note(self, report: Report, answer: Answer) -> None:
        item = report.lease.item
        line = self._lines.get(item)
        if line is None:
            return
        match answer.verdict:
            case Verdict.TAKEN:
                line.refused = 0
                self._drop(item, line, report.seq)
            case Verdict.STALE | Verdict.GAP | Verdict.CANCELLED:
                # The supervisor reclaims or renumbers, and says how to go on.
                line.parked = True
            case Verdict.REFUSED if not line.parked:
                self._refused(item, line, answer.detail)

    def _refused(self, item: str, line: _Line, detail: str) -> None:
        line.refused += 1
        line.parked = True
        if line.refused < _REFUSALS:
            again = Again(item)
            self._session.alarms.after(
                f"refused-{item}", float(line.refused), lambda: self.mailbox.put(again)
            )
            return
        self._lines.pop(item, None)
        self._tell.put(SetAside(item, detail))

    def _drop(self, item: str, line: _Line, acked: int) -> None:
        while line.waiting and line.waiting[0].seq <= acked:
            line.waiting.popleft()
        if not line.waiting:
            self._lines.pop(item, None)


def _under(report: Report, token: Token | None) -> Report:
    if token is None or token == report.lease.token:
        return report
    old = report.lease
    return replace(report, lease=LeaseRef(item=old.item, attempt=old.attempt, token=token))
