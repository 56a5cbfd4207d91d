"""The one writer of the agent's table and journal."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from launchyard.actors.circuits import CIRCUIT
from launchyard.actors.crashpoints import reach
from launchyard.actors.desk import Desk, Kit
from launchyard.actors.draining import AWAY, DRAIN, Draining
from launchyard.actors.facts import (
    Claimed,
    Due,
    Fenced,
    HostBegan,
    HostFailed,
    HostSaid,
    Judged,
    Reclaimed,
    Registered,
    Released,
    Renewed,
    Reported,
    ReviewDone,
    SaidGoodbye,
    SetAside,
    Stop,
    StopMode,
    SupervisorFact,
)
from launchyard.actors.grants import Grants
from launchyard.actors.launches import RETRY, Launches
from launchyard.actors.messages import Flushed, StraysHere
from launchyard.actors.orphans import ORPHANS, Orphans
from launchyard.actors.poller import Slots
from launchyard.actors.reconciler import GiveBack
from launchyard.actors.reporter import Outgoing
from launchyard.actors.role import Role
from launchyard.actors.standing import Standing
from launchyard.actors.table import Step, Table
from launchyard.domain.admission import free_slots, usage
from launchyard.ports import events
from launchyard.ports.agent_status import CircuitView, OrphanView
from launchyard.ports.journal import Batch, JournalError

_log = logging.getLogger(__name__)
_DISK_S: Final = 1.0


class Supervisor(Role[SupervisorFact]):
    """Takes all facts that wait, decides, commits once, and only then lets the effects go out.

    It begins with what the journal holds; so one that died is replaced by one that knows all that
    was ever sent. Worker processes are then told everything anew.
    """

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit.inbox)
        self._kit = kit
        self._desk = Desk(kit)
        self._launches = Launches(self._desk)
        self._grants = Grants(self._desk)
        self._standing = Standing(self._desk, self._launches)
        self._draining = Draining(self._desk, self._grants, self._launches)
        self._orphans = Orphans(self._desk)
        self._slots: Slots | None = None

    @property
    def table(self) -> Table:
        """The attempts, for readers."""
        return self._desk.table

    @property
    def circuits(self) -> tuple[CircuitView, ...]:
        """How the breakers stand."""
        return self._desk.circuits.views

    @property
    def orphans(self) -> tuple[OrphanView, ...]:
        """What is on targets and no attempt's."""
        return self._orphans.views

    def on_start(self) -> None:
        """Read the journal, in the actor's own thread; an error here ends the actor."""
        self._desk.table.load(self._kit.journal.load())
        self._kit.publish(self)
        if self._registered:
            with self.mailbox.working():
                self._say_all_again()

    def _say_all_again(self) -> None:
        """Have everybody do what the one before this one may not have said."""
        events.SUPERVISOR_AGAIN.log(_log)
        for row in list(self.table.rows.values()):
            if row.stale:
                self._grants.lost(row)
            self._desk.resync(row)
        self._orphans.begin()
        self._finish_step()

    def work(self, letters: Sequence[SupervisorFact]) -> None:
        self.mailbox.doing = f"decides about {len(letters)} facts"
        for fact in letters:
            self._decide(fact)
        self._grants.take_held()
        if self._grants.drain_asked and not self._draining.begun:
            self._draining.stop(Stop(StopMode.DRAIN, "the server"))
        self._finish_step()

    @property
    def state(self) -> str:
        """What the agent is doing as a whole."""
        if self._draining.begun:
            return "draining"
        if not self._registered:
            return "starting"
        return "paused" if self._grants.paused else "running"

    @property
    def _registered(self) -> bool:
        return self._kit.session.caller.epoch > 0

    def _decide(self, fact: SupervisorFact) -> None:
        match fact:
            case Registered():
                self._grants.registered(fact)
                self._orphans.begin()
                self._desk.later(self._kit.on_registered)
            case Claimed():
                self._grants.claimed(fact)
            case Renewed():
                self._grants.renewed(fact)
            case Reported():
                self._grants.reported(fact)
            case SetAside(item, detail):
                self._grants.set_aside(item, detail)
            case Reclaimed():
                self._grants.reclaimed(fact)
            case Fenced():
                self._launches.answered(fact)
            case ReviewDone():
                self._launches.reviewed(fact)
            case _:
                self._decide_more(fact)

    def _decide_more(self, fact: SupervisorFact) -> None:
        match fact:
            case HostSaid():
                self._said(fact)
            case HostBegan(host):
                self._standing.began(host)
            case Judged():
                self._orphans.judged(fact)
            case HostFailed():
                self._standing.failed(fact)
            case Released():
                self._draining.released(fact)
            case SaidGoodbye(heard):
                self._draining.goodbye(heard=heard)
            case Stop():
                self._end(fact)
            case Due(what):
                self._due(what, fact)

    def _said(self, fact: HostSaid) -> None:
        self._standing.said(fact)
        for message in fact.messages:
            if isinstance(message, Flushed):
                self._draining.flushed(fact.host, message)
            elif isinstance(message, StraysHere) and not self._draining.begun:
                self._orphans.told(fact.host, message)

    def _due(self, what: str, fact: Due) -> None:
        if what == "reload":
            self.table.changed = True
        elif what.startswith(CIRCUIT):
            self._desk.circuits.due(what)
        elif what == ORPHANS:
            self._orphans.due()
        elif what.startswith(DRAIN):
            self._draining.due(fact)
        elif what.startswith(RETRY):
            self._launches.due(fact)
        else:
            self._standing.ran_out(what)

    def _end(self, fact: Stop) -> None:
        if self._registered:
            self._draining.stop(fact)
            return
        unsaid = any(not row.ended or row.acked < row.seq for row in self.table.rows.values())
        text = "the server was never reached; what the journal holds is for the next start"
        self._desk.later(lambda: self._kit.done(AWAY if unsaid else 0, text if unsaid else ""))

    def _finish_step(self) -> None:
        """Let attempts go on, write what changed, and send what follows from it."""
        self._desk.circuits.look(self.table.rows, self._kit.rules.circuit)
        if self._registered:
            self._launches.advance()
        if self._draining.begun:
            self._draining.advance()
        step, batch = self.table.take_step()
        if batch is not None:
            reach("journal.before_commit")
            with self.mailbox.waiting():
                self._commit(batch)
            reach("journal.after_commit")
        self._send(step)

    def _commit(self, batch: Batch) -> None:
        """Write *batch*; while that fails nothing goes on, and people are told why."""
        session = self._kit.session
        while not session.quit.is_set():
            try:
                self._kit.journal.commit(batch)
            except JournalError as e:
                session.board.put("journal", str(e))
                session.quit.wait(_DISK_S)
            else:
                session.board.clear("journal")
                return
        raise JournalError("the agent ended before its journal could be written")

    def _send(self, step: Step) -> None:
        kit = self._kit
        for launch in step.launches:
            kit.gate.put(launch)
        for host, messages in step.to_hosts.items():
            kit.hosts.send(host, tuple(messages))
        if step.reports:
            kit.reporter.put(Outgoing(tuple(step.reports)))
        if step.releases:
            kit.reconciler.put(GiveBack(tuple(step.releases)))
        for event in step.events.values():
            kit.reviews.policy.tell(event)
        for effect in step.effects:
            effect()
        self._tell_slots()

    def _tell_slots(self) -> None:
        """Tell the Poller how many items may be claimed, whenever that may have changed."""
        if not self._registered or not self.table.changed:
            return
        self.table.changed = False
        limits = self._kit.rules.limits
        used = usage(self.table.rows.values(), limits)
        self._kit.session.standing.suspend(used.pending)
        free = free_slots(used, limits)
        if self._grants.paused or self._draining.begun:
            free = 0
        slots = Slots(free, self._grants.last_claim if self._slots is not None else None)
        if slots != self._slots:
            self._slots = slots
            self._kit.poller.put(slots)
