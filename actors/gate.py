"""The fenced write before the first side effect of an attempt (PROTOCOL 3.4)."""

from __future__ import annotations

from collections.abc import Sequence

from launchyard.actors.crashpoints import reach
from launchyard.actors.facts import Fenced, SupervisorFact
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.role import Role
from launchyard.actors.session import Backoff, Session
from launchyard.domain.exchange import Answer, Launching, Verdict
from launchyard.ports.launch_server import ServerError


class LaunchGate(Role[Launching]):
    """Makes the writes in batches, at once and never by way of the outbox.

    A write may be repeated, and its verdict is the server's; so one that got no answer is repeated
    as long as the leases hold, and after that when they hold again.
    """

    def __init__(
        self, mailbox: Mailbox[Launching], session: Session, tell: Mailbox[SupervisorFact]
    ) -> None:
        super().__init__(mailbox)
        self._session, self._tell = session, tell

    def work(self, letters: Sequence[Launching]) -> None:
        self.mailbox.doing = f"asks leave for {len(letters)} launches"
        session, wait = self._session, Backoff(0.1, 5.0)
        while not session.quit.is_set():
            if not session.leases.wait_valid(session.clock, 1.0):
                continue
            answers = self._ask(letters)
            if answers is not None:
                self._tell.put(Fenced(tuple(zip(letters, answers, strict=True))))
                return
            session.quit.wait(wait.next_s())

    def _ask(self, letters: Sequence[Launching]) -> Sequence[Answer] | None:
        session = self._session
        reach("launching.before_send")
        try:
            answers = session.attempt(
                "launching", lambda: session.server.launching(session.caller, letters)
            )
        except ServerError as e:
            if e.retry:
                return None
            return [Answer(verdict=Verdict.REFUSED, detail=str(e)) for _ in letters]
        reach("launching.after_send")
        return answers
