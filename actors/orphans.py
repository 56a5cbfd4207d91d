"""What is on a target, says that it is this installation's, and belongs to no attempt we know.

Labels name who started a thing, not who has it now: after a hand-over it is another agent's. So the
server is asked whose it is, and only what it knows to be over, or knows nothing of, is an orphan.
Orphans are reported; where the configuration says so they are ended, too, and removed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from launchyard.actors.desk import Desk
from launchyard.actors.facts import Due, Judged
from launchyard.actors.messages import Cancel, ListStrays, Ref, Remove, Stray, StraysHere, ToHost
from launchyard.actors.reconciler import AskWhose
from launchyard.actors.table import place_in
from launchyard.domain.attempt import ENDS
from launchyard.domain.exchange import Reclaim, ReclaimVerdict
from launchyard.domain.reason import Reason
from launchyard.ports import events, families
from launchyard.ports.agent_status import OrphanView
from launchyard.ports.runner import Handle
from launchyard.ports.target import Planned

_log = logging.getLogger(__name__)
ORPHANS: Final = "orphans"
_MOST_ASKED: Final = 100
"""How many things the server is asked about at a look: after a hand-over there may be thousands."""
_REST_S: Final = 3600.0
"""How long somebody's is somebody's before the server is asked again."""
_SURE: Final = 2
"""How often a thing must be found to be nobody's before it is touched."""


@dataclass(slots=True)
class _Case:
    """What is known of one stray."""

    stray: Stray
    asking: bool = False
    again_at: float = 0.0
    over: int = 0
    removing: bool = False
    failed: bool = False

    @property
    def ref(self) -> Ref:
        return Ref(self.stray.owner.item, self.stray.owner.attempt)


class Orphans:
    """Looks through the targets now and then; called by the supervisor, in its thread.

    Only worker processes that run are asked, so that an idle agent stays small. What is seen once
    may be on its way, in either direction; the server is asked about what is seen twice in a row.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._cases: dict[str, dict[Handle, _Case]] = {}

    @property
    def views(self) -> tuple[OrphanView, ...]:
        """The orphans as last seen, for readers in any thread."""
        return tuple(
            _view(host, case.stray)
            for host, cases in self._cases.copy().items()
            for case in cases.copy().values()
            if case.over
        )

    def begin(self) -> None:
        """Look when the time has come."""
        every_s, inbox = self._desk.kit.rules.orphans_every_s, self._desk.kit.inbox
        self._desk.session.alarms.after(ORPHANS, every_s, lambda: inbox.put(Due(ORPHANS)))

    def due(self) -> None:
        """Have every target looked through."""
        desk = self._desk
        wish = ListStrays(desk.session.installation, desk.session.caller.agent)
        for name in desk.kit.hosts.running():
            if name in desk.kit.targets:
                self._send(name, wish)
        self.begin()

    def told(self, host: str, message: StraysHere) -> None:
        """Ask whose those are that were there the last time, too, and are none of ours."""
        before, now = self._cases.get(host, {}), dict[Handle, _Case]()
        for stray in filter(self._is_stray, message.strays):
            case = now[stray.handle] = before.get(stray.handle) or _Case(stray)
            case.stray = stray
        self._cases[host] = now
        for handle, case in before.items():
            if case.removing and handle not in now:
                self._count(host, "reaped")
            elif case.removing and not case.failed:
                case.failed = True
                self._count(host, "failed")
        seen_twice = [case for handle, case in now.items() if handle in before]
        for case in list(self._due_cases(seen_twice))[:_MOST_ASKED]:
            self._ask(host, case)

    def judged(self, fact: Judged) -> None:
        """Note whose a thing is; report it, or end it, when it is nobody's."""
        case = self._cases.get(fact.host, {}).get(fact.handle)
        if case is None:
            return
        case.asking = False
        if fact.verdict is ReclaimVerdict.OVER:
            case.over += 1
            if case.over == 1:
                self._report(fact.host, case)
            if case.over >= _SURE and self._is_reaped(case, self._desk.kit.rules.reap_after_s):
                self._reap(fact.host, case)
        elif fact.verdict is not None:
            # Another's; or ours from now on, and then the next heartbeat brings it as unlisted.
            case.over, case.again_at = 0, self._desk.session.clock.boottime() + _REST_S

    def _is_stray(self, stray: Stray) -> bool:
        owner = stray.owner
        ours = owner.installation == self._desk.session.installation
        return ours and self._desk.table.get(Ref(owner.item, owner.attempt)) is None

    def _due_cases(self, cases: list[_Case]) -> Iterator[_Case]:
        now = self._desk.session.clock.boottime()
        return (case for case in cases if not case.asking and case.again_at <= now)

    def _ask(self, host: str, case: _Case) -> None:
        """Ask whose it is, by the question that takes nothing from anybody who has it."""
        desk, handle = self._desk, case.stray.handle
        case.asking = True
        wish = Reclaim(
            caller=desk.session.caller,
            item=case.ref.item,
            attempt=case.ref.attempt,
            place=place_in(handle),
        )
        desk.later(partial(desk.kit.reconciler.put, AskWhose(wish, host, handle)))

    def _report(self, host: str, case: _Case) -> None:
        handle, stray = case.stray.handle, case.stray
        events.ORPHAN.log(
            _log,
            name=handle.name,
            scope=handle.scope,
            state=stray.observation.state.value,
            attempt=case.ref.attempt,
            item=case.ref.item,
        )
        if not self._is_reaped(case, 0.0):
            self._count(host, "ignored")

    def _is_reaped(self, case: _Case, after_s: float) -> bool:
        """Tell whether it is ended when it has been there for *after_s*; never of unknown age."""
        since_ms = case.stray.created_ms
        if since_ms is None or not self._desk.kit.rules.reap_orphans:
            return False
        return self._desk.now_ms() - since_ms >= after_s * 1000

    def _reap(self, host: str, case: _Case) -> None:
        """End what runs; remove what has ended, be it by an earlier look."""
        handle, what = case.stray.handle, "ended"
        if case.stray.observation.state in ENDS:
            case.removing, what = True, "removed"
            self._send(host, Remove(case.ref, handle))
        else:
            grace_s = Planned(plan=None).grace_s
            self._send(host, Cancel(case.ref, handle, grace_s, Reason.CANCELLED))
        events.ORPHAN_REAPED.log(_log, name=handle.name, scope=handle.scope, what=what)

    def _send(self, host: str, message: ToHost) -> None:
        self._desk.table.step.to_hosts.setdefault(host, []).append(message)

    def _count(self, host: str, action: str) -> None:
        labels = {"target": host, "action": action}
        self._desk.session.metrics.count(families.ORPHANS_FOUND, labels)


def _view(host: str, stray: Stray) -> OrphanView:
    return OrphanView(
        target=host,
        place=f"{stray.handle.scope} {stray.handle.name}",
        item=stray.owner.item,
        attempt=stray.owner.attempt,
        state=stray.observation.state,
    )
