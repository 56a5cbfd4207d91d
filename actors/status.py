"""What the running agent tells about itself, read from any thread and without asking an actor."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

from launchyard.actors.desk import Kit
from launchyard.actors.identity import Identity
from launchyard.actors.role import Crew
from launchyard.domain.admission import usage
from launchyard.domain.attempts import Attempt
from launchyard.ports import families
from launchyard.ports.agent_status import AgentStatus, AttemptView, CircuitView, LimitView

if TYPE_CHECKING:
    from launchyard.actors.supervisor import Supervisor

_MOST_SHOWN: Final = 1000
_BRISK: Final = ("supervisor", "poller")
"""Who is done with a batch of letters in no time; all others wait for a server, or for plugins."""
_HUNG_S: Final = 60.0


class StatusDesk:
    """An `AgentView`; it looks at the table of whichever supervisor there is now."""

    def __init__(self, identity: Identity, kit: Kit, crew: Crew) -> None:
        self._identity, self._kit, self._crew = identity, kit, crew
        self._supervisor: Supervisor | None = None
        self._started_ms = kit.session.clock.now_ms()
        self._shown: set[tuple[str, str, str]] = set()
        for queue in identity.queues:
            # An agent that was never answered is to be missed, too.
            at_s = self._started_ms / 1000
            kit.session.metrics.gauge(families.LAST_POLL, at_s, {"queue": queue})
        kit.publish = self._publish

    def _publish(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    @property
    def state(self) -> str:
        """What the agent is doing as a whole."""
        return self._supervisor.state if self._supervisor is not None else "starting"

    @property
    def _phase(self) -> str:
        """The state, with two of its parts: it runs with some trouble, and all has been said."""
        session, state = self._kit.session, self.state
        if session.leaving.is_set() or session.quit.is_set():
            return "stopping"
        ails = session.board.views() or self.stuck() or any(c.detail for c in self._circuits())
        return "degraded" if state == "running" and ails else state

    def status(self) -> AgentStatus:
        """Return everything that there is to see."""
        me, session, rows = self._identity, self._kit.session, self._rows()
        state = self.state
        return AgentStatus(
            agent=session.caller.agent,
            name=me.name,
            version=me.version,
            server=me.server,
            state=state,
            ready=state == "running" and not session.board.has("claim"),
            why=self._why(state),
            started_ms=self._started_ms,
            queues=me.queues,
            lease_s=max(0.0, session.leases.deadline - session.clock.boottime()),
            outbox=sum(max(0, row.seq - row.acked) for row in rows),
            limits=self._limits(rows),
            actors=(*self._crew.views(), *self._kit.hosts.views()),
            attempts=tuple(_view(row) for row in rows[:_MOST_SHOWN]),
            orphans=self._supervisor.orphans if self._supervisor is not None else (),
            circuits=self._circuits(),
            errors=session.board.views(),
            plugins=tuple(self._kit.reviews.policy.listing()),
        )

    def stuck(self) -> tuple[str, ...]:
        """Name the actors that are dead, and those that never wait for others and do not move.

        That the Supervisor waits for its journal does not count: a new start would wait, too.
        """
        return tuple(dict.fromkeys((*self._crew.dead(), *self._crew.hung(_BRISK, _HUNG_S))))

    def refresh(self) -> None:
        """Bring the gauges up to date, before somebody reads them."""
        session, rows = self._kit.session, self._rows()
        metrics = session.metrics
        # It shrinks while the server is away, which is when somebody wants to know.
        left_s = session.leases.deadline - session.clock.boottime()
        metrics.gauge(families.LEASE_MIN_TTL, max(0.0, left_s))
        for limit in self._limits(rows):
            metrics.gauge(families.SLOTS_USED, limit.used, {"kind": limit.kind})
            most = math.inf if limit.limit < 0 else limit.limit
            metrics.gauge(families.SLOTS_LIMIT, most, {"kind": limit.kind})
        here = Counter(
            (r.grant.queue, r.grant.resource, r.state.value) for r in rows if not r.ended
        )
        for gone in self._shown - here.keys():
            here[gone] = 0
        self._shown |= here.keys()
        for (queue, target, state), count in here.items():
            labels = {"queue": queue, "target": target, "state": state}
            metrics.gauge(families.JOBS_IN_STATE, count, labels)
        leases = Counter(row.grant.queue for row in rows if not row.finished and not row.stale)
        for queue in self._identity.queues:
            metrics.gauge(families.LEASES_HELD, leases[queue], {"queue": queue})
        phase = self._phase
        for state in families.PROCESS_STATES:
            labels = {"component": "agent", "state": state}
            metrics.gauge(families.PROCESS_STATE, float(state == phase), labels)
        unsaid = sum(max(0, row.seq - row.acked) for row in rows)
        metrics.gauge(families.OUTBOX_DEPTH, unsaid)
        for view in self._crew.views():
            labels = {"process": view.process, "actor": view.name}
            metrics.gauge(families.ACTOR_MAILBOX_DEPTH, view.mailbox, labels)

    def _rows(self) -> tuple[Attempt, ...]:
        return tuple(self._supervisor.table.rows.values()) if self._supervisor is not None else ()

    def _circuits(self) -> tuple[CircuitView, ...]:
        return self._supervisor.circuits if self._supervisor is not None else ()

    def _why(self, state: str) -> str:
        if state != "running":
            return state
        views = self._kit.session.board.views()
        troubles = [e.message for e in views if e.where in {"claim", "hello"}]
        shut = [f"{e.where}: {e.message}" for e in views if e.where.startswith("target ")]
        shut += [f"target {c.target}: {c.detail}" for c in self._circuits() if c.detail]
        return "; ".join((*troubles, *shut))

    def _limits(self, rows: tuple[Attempt, ...]) -> tuple[LimitView, ...]:
        limits = self._kit.rules.limits
        used = usage(rows, limits)
        return (
            LimitView(kind="run", used=used.jobs, limit=limits.max_jobs),
            LimitView(kind="launch", used=used.launches, limit=limits.max_launches),
            LimitView(kind="build", used=used.builds, limit=limits.max_builds),
        )


def _view(row: Attempt) -> AttemptView:
    return AttemptView(
        item=row.item,
        attempt=row.attempt,
        queue=row.grant.queue,
        target=row.grant.resource,
        state=row.state,
        since_ms=row.since_ms,
        place=f"{row.place.scope} {row.place.name}" if row.place is not None else "",
        detail="set aside: " + row.detail if row.aside else row.detail,
    )
