"""Says hello, asks for attempts back, and gives them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from launchyard.actors.crashpoints import reach
from launchyard.actors.facts import (
    Judged,
    Reclaimed,
    Registered,
    Released,
    SaidGoodbye,
    SupervisorFact,
)
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.role import Role
from launchyard.actors.session import Fatal, Session
from launchyard.domain.exchange import (
    AgentGrant,
    AgentHello,
    Answer,
    Caller,
    Reclaim,
    ReclaimVerdict,
    Release,
    Verdict,
)
from launchyard.domain.lease import holder_deadline
from launchyard.ports import families
from launchyard.ports.launch_server import ServerError
from launchyard.ports.runner import Handle

AUTH_STATUS = frozenset({401, 403})
MISSING_STATUS = 404


@dataclass(frozen=True, slots=True)
class Hello:
    """Register this start."""

    hello: AgentHello


@dataclass(frozen=True, slots=True)
class AskBack:
    """Reclaim an attempt whose token went stale."""

    reclaim: Reclaim


@dataclass(frozen=True, slots=True)
class AskWhose:
    """Ask whose *handle* is, which is on the target of *host* and is none of ours."""

    reclaim: Reclaim
    host: str
    handle: Handle


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Release attempts."""

    releases: tuple[Release, ...]


@dataclass(frozen=True, slots=True)
class SayGoodbye:
    """Tell the server that this agent stops."""


ReconcilerLetter: TypeAlias = Hello | AskBack | AskWhose | GiveBack | SayGoodbye


class Reconciler(Role[ReconcilerLetter]):
    """Settles with the server whose attempts are whose; waits for a server that is away."""

    def __init__(
        self, mailbox: Mailbox[ReconcilerLetter], session: Session, tell: Mailbox[SupervisorFact]
    ) -> None:
        super().__init__(mailbox)
        self._session, self._tell = session, tell

    def work(self, letters: Sequence[ReconcilerLetter]) -> None:
        for letter in letters:
            match letter:
                case Hello(hello):
                    self.mailbox.doing = "registers with the server"
                    self._hello(hello)
                case AskBack(reclaim):
                    self.mailbox.doing = f"asks for {reclaim.item} back"
                    self._reclaim(reclaim)
                case AskWhose(reclaim):
                    self.mailbox.doing = f"asks whose {reclaim.item} is"
                    self._tell.put(Judged(letter.host, letter.handle, self._whose(reclaim)))
                case GiveBack(releases):
                    self.mailbox.doing = f"gives {len(releases)} items back"
                    self._release(releases)
                case SayGoodbye():
                    self._goodbye()

    def _hello(self, hello: AgentHello) -> None:
        session = self._session
        sent_at = 0.0

        def say() -> AgentGrant:
            nonlocal sent_at
            sent_at = session.clock.boottime()
            return session.server.hello(hello)

        try:
            grant = session.patiently("hello", say)
        except ServerError as e:
            session.fatal(Fatal(_words(e), _code(e)))
            return
        if grant is None:
            return
        session.caller = Caller(agent=grant.agent, epoch=grant.epoch)
        session.installation, session.ttl_s = grant.installation, grant.ttl_s
        session.leases.renew(holder_deadline(sent_at, grant.ttl_s))
        self._tell.put(Registered(grant))

    def _reclaim(self, reclaim: Reclaim) -> None:
        session = self._session
        reach("reclaim.before_send")
        try:
            answer = session.patiently("reclaim", lambda: session.server.reclaim(reclaim))
        except ServerError:
            # Heartbeats will say what became of it.
            return
        reach("reclaim.after_send")
        if answer is not None:
            if answer.verdict is not ReclaimVerdict.GRANTED:
                session.metrics.count(families.FENCED_WRITES, {"operation": "reclaim"})
            self._tell.put(Reclaimed(reclaim.item, reclaim.attempt, answer))

    def _whose(self, reclaim: Reclaim) -> ReclaimVerdict | None:
        """Return the verdict, OVER of what the server does not know; asked once: looks repeat it.

        A live holder loses nothing by the question. What nobody holds is ours from then on.
        """
        session = self._session
        if session.leaving.is_set():
            return None
        try:
            return session.server.reclaim(reclaim).verdict
        except ServerError as e:
            return ReclaimVerdict.OVER if e.status == MISSING_STATUS else None

    def _release(self, releases: tuple[Release, ...]) -> None:
        session = self._session
        reach("release.before_send")
        answers: Sequence[Answer | None]
        try:
            answers = session.attempt(
                "release", lambda: session.server.release(session.caller, releases)
            )
        except ServerError:
            answers = [None for _ in releases]
        reach("release.after_send")
        refused = sum(1 for a in answers if a is not None and a.verdict is Verdict.STALE)
        if refused:
            session.metrics.count(families.FENCED_WRITES, {"operation": "release"}, refused)
        self._tell.put(Released(tuple(zip(releases, answers, strict=True))))

    def _goodbye(self) -> None:
        session, heard = self._session, True
        session.leaving.set()
        try:
            session.attempt("goodbye", lambda: session.server.goodbye(session.caller))
        except ServerError:
            heard = False
        self._tell.put(SaidGoodbye(heard))


def _words(error: ServerError) -> str:
    return f"{error}: {error.remedy}" if error.remedy else str(error)


def _code(error: ServerError) -> int:
    if error.status in AUTH_STATUS:
        return 4
    return 5 if error.status == MISSING_STATUS else 1
