"""Keeps the leases: the heartbeat that lists them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from launchyard.actors.crashpoints import reach
from launchyard.actors.facts import Renewed, SupervisorFact
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.reconciler import MISSING_STATUS
from launchyard.actors.role import Role
from launchyard.actors.session import Fatal, Session
from launchyard.domain.exchange import Heartbeat, HeartbeatAnswer, LeaseRef
from launchyard.domain.lease import (
    DIGEST_FROM,
    HEARTBEAT_S,
    MARGIN_S,
    digest_of,
    holder_deadline,
    mark,
)
from launchyard.ports import families
from launchyard.ports.launch_server import ServerError

_SOONEST_S: Final = 0.5
_RETRY_S: Final = 2.0
_PARTS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Beat:
    """Send a heartbeat now."""


class LeaseKeeper(Role[Beat]):
    """Sends a heartbeat every ten seconds, more often where leases are short or none is answered.

    The deadline counts from when the request was *sent*, on the clock that goes on while this
    process is stopped or the machine sleeps; a stop shows in that the deadline has passed.
    """

    def __init__(
        self,
        mailbox: Mailbox[Beat],
        session: Session,
        tell: Mailbox[SupervisorFact],
        status: Callable[[], str],
    ) -> None:
        super().__init__(mailbox)
        self._session, self._tell, self._status = session, tell, status

    def work(self, letters: Sequence[Beat]) -> None:  # noqa: ARG002 - one answers all
        session = self._session
        usual_s = period_s(session.ttl_s)
        wait_s = usual_s
        try:
            self._beat()
        except ServerError as e:
            session.metrics.count(
                families.LEASE_RENEWALS, {"result": "retry" if e.retry else "lost"}
            )
            wait_s = min(usual_s, _RETRY_S)
            if e.status == MISSING_STATUS:
                text = "the server does not know this agent any more; start it again"
                session.fatal(Fatal(text, 1))
        finally:
            session.alarms.after("heartbeat", wait_s, lambda: self.mailbox.put(Beat()))

    def _beat(self) -> None:
        session = self._session
        sent_at = session.clock.boottime()
        leases = session.leases.listed()
        self.mailbox.doing = f"renews {len(leases)} leases"
        reach("heartbeat.before_send")
        answer = self._ask(leases)
        reach("heartbeat.after_send")
        session.ttl_s = answer.ttl_s
        deadline = holder_deadline(sent_at, answer.ttl_s)
        session.leases.renew(deadline)
        session.metrics.count(families.LEASE_RENEWALS, {"result": "ok"})
        session.metrics.gauge(families.LEASE_MIN_TTL, deadline - session.clock.boottime())
        self._tell.put(Renewed(answer))

    def _ask(self, leases: Sequence[LeaseRef]) -> HeartbeatAnswer:
        """Send the heartbeat; of many leases the digest first, and the list only if asked."""
        session = self._session
        beat = Heartbeat(
            caller=session.caller,
            leases=tuple(leases),
            status=self._status(),
            standing=session.standing.now(),
        )
        if len(leases) >= DIGEST_FROM:
            digest = digest_of(mark(ref.item, ref.attempt, ref.token) for ref in leases)
            short = replace(beat, leases=(), digest=digest)
            answer = session.attempt("heartbeat", lambda: session.server.heartbeat(short))
            if not answer.relist:
                return answer
        return session.attempt("heartbeat", lambda: session.server.heartbeat(beat))


def period_s(ttl_s: float) -> float:
    """Return how often leases of *ttl_s* are renewed: three times before the holder's deadline."""
    return max(_SOONEST_S, min(HEARTBEAT_S, (ttl_s - MARGIN_S) / _PARTS))
