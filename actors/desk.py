"""What the parts of the supervisor have in common: the table, the rules, and where things go."""

from __future__ import annotations

import os.path
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from launchyard.actors.circuits import Circuits
from launchyard.actors.counting import count
from launchyard.actors.facts import Due, SupervisorFact
from launchyard.actors.hosts import Hosts
from launchyard.actors.leftovers import discard_source
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.messages import Cancel, Find, Ref, Remove, Ship, Submit, ToHost, Watch
from launchyard.actors.poller import PollerLetter
from launchyard.actors.reconciler import ReconcilerLetter
from launchyard.actors.reporter import Forget, ReporterLetter, Resume
from launchyard.actors.reviewing import ReviewBook
from launchyard.actors.session import Session
from launchyard.actors.table import Table, Vault, handle_of, name_of, ref_of
from launchyard.domain.admission import Limits
from launchyard.domain.attempt import AttemptState
from launchyard.domain.attempts import Attempt, Wish, after, wish
from launchyard.domain.circuit import CircuitRules
from launchyard.domain.exchange import Fact, Launching, Place
from launchyard.domain.naming import Owner, digest, labels
from launchyard.domain.reason import Reason
from launchyard.domain.review import event_of
from launchyard.ports.builder import Built
from launchyard.ports.journal import Journal
from launchyard.ports.policy import NoPolicy
from launchyard.ports.runner import Launch
from launchyard.ports.target import PlanInput, Planned, Target

BUILD: str = "build"
"""The name of the worker process that builds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the configuration says about attempts and their end."""

    limits: Limits
    jobs_folder: str
    run_timeout_s: float | None = None
    host_bound_on_exit: str = "leave"
    drain_timeout_s: float = 600.0
    submit_again_s: float = 2.0
    orphans_every_s: float = 300.0
    reap_orphans: bool = False
    reap_after_s: float = 3600.0
    circuit: CircuitRules = field(default_factory=CircuitRules)


@dataclass(slots=True, kw_only=True)
class Kit:
    """What a supervisor is made of; everything in it outlives the supervisor."""

    session: Session
    journal: Journal
    targets: Mapping[str, Target]
    rules: Rules
    hosts: Hosts
    vault: Vault
    inbox: Mailbox[SupervisorFact]
    poller: Mailbox[PollerLetter]
    gate: Mailbox[Launching]
    reporter: Mailbox[ReporterLetter]
    reconciler: Mailbox[ReconcilerLetter]
    done: Callable[[int, str], None]
    reviews: ReviewBook = field(default_factory=lambda: ReviewBook(NoPolicy()))
    look: Callable[[], None] = lambda: None
    publish: Callable[[Any], None] = lambda _supervisor: None
    on_registered: Callable[[], None] = lambda: None


class Desk:
    """The supervisor's table with the few moves that all its parts make."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.session = kit.session
        self.table = Table(kit.session.leases, kit.vault)
        self.circuits = Circuits(
            kit.session, tuple(kit.targets), lambda what: kit.inbox.put(Due(what))
        )
        self.adopting: set[Ref] = set()
        """What runs since before this start, or another's, and was not looked at by us yet."""
        self.unsure: set[Ref] = set()
        """What may be on its target, though nobody has seen it there: a submit was not answered."""

    def now_ms(self) -> int:
        """Return the wall clock."""
        return self.session.clock.now_ms()

    def note(self, row: Attempt, fact: Fact) -> Attempt:
        """Let *fact* change *row*, and the server hear of it if it is news."""
        taken = after(row, fact)
        if taken.news is None:
            if taken.row != row:
                self.table.put(taken.row)
            return taken.row
        news = self.circuits.hear(row, taken.row, taken.news, self.kit.rules.circuit)
        known = self.table.tell(taken.row, news)
        count(self.session.metrics, row, known)
        self._tell(known, news)
        if known.running_ms and not row.running_ms and not known.ended:
            self.set_run_alarm(known)
        return known

    def end(self, row: Attempt, state: AttemptState, reason: Reason, detail: str = "") -> Attempt:
        """End an attempt that has nothing on a target, so no log is to come."""
        if row.asked:
            row = replace(row, asked=False)
        fact = Fact(
            at_ms=self.now_ms(), state=state, reason=reason, detail=detail, logs_complete=True
        )
        return self.note(row, fact)

    def to_host(self, row: Attempt, message: ToHost) -> None:
        """Send *message* to the run host of the row's target."""
        if row.grant.resource in self.kit.targets:
            self.table.step.to_hosts.setdefault(row.grant.resource, []).append(message)

    def to_builder(self, message: ToHost) -> None:
        """Send *message* to the build host."""
        self.table.step.to_hosts.setdefault(BUILD, []).append(message)

    def later(self, effect: Callable[[], None]) -> None:
        """Do *effect* after this step's commit."""
        self.table.step.effects.append(effect)

    def target_of(self, row: Attempt) -> Target | None:
        """Return the row's target, if this agent has it."""
        return self.kit.targets.get(row.grant.resource)

    def place_of(self, row: Attempt, target: Target) -> Place:
        """Return where the row is going to be."""
        return Place(scope=target.scope, name=name_of(row, self.session.installation))

    def planned(self, row: Attempt) -> Planned:
        """Return the row's plan, made when it is first asked for.

        Raises:
            DocumentError: the launch cannot be planned.
            KeyError: there is no such target.
        """
        known = self.table.plans.get(row.item)
        if known is None:
            name = name_of(row, self.session.installation)
            grant = replace(row.grant, secrets=self.table.secrets(row.item))
            folder = os.path.join(self.kit.rules.jobs_folder, name)  # noqa: PTH118 - a text for a plan
            wanted = PlanInput(grant=grant, name=name, folder=folder)
            known = self.kit.targets[row.grant.resource].plan(wanted)
            self.table.plans[row.item] = known
        return known

    def needs_build(self, row: Attempt) -> bool:
        """Tell whether something is to be fetched or built before the row can be submitted."""
        return row.product is None and self.planned(row).build is not None

    def resync(self, row: Attempt) -> None:
        """Tell the run host what it should be doing for *row*, whatever it knows."""
        ref, place = ref_of(row), row.place
        match wish(row):
            case Wish.SUBMIT:
                self._submit(row)
            case Wish.FIND:
                self.find(row)
            case Wish.WATCH if place is not None:
                self.to_host(row, Watch(ref, handle_of(place), row.grant.log_cursors))
                self.send_cancel(row)
            case Wish.SHIP if place is not None:
                self.to_host(row, Ship(ref, handle_of(place), row.grant.log_cursors))
            case Wish.REMOVE if place is not None:
                self.to_host(row, Remove(ref, handle_of(place)))
            case _:
                pass

    def adopt(self, row: Attempt) -> None:
        """Go on with what may run since before this start."""
        if row.place is not None and not row.has_handle and not row.ended:
            self.unsure.add(ref_of(row))
        if row.has_handle and not row.ended:
            self.adopting.add(ref_of(row))
        self.resync(row)

    def find(self, row: Attempt) -> None:
        """Have the row's thing looked up by its name, and stopped if that is wanted."""
        place = row.place
        if place is None:
            return
        cursors, grace_s = row.grant.log_cursors, self.grace_s(row)
        owner = self.owner_of(row)
        self.to_host(row, Find(ref_of(row), owner, place.name, cursors, grace_s, row.cancel))

    def send_cancel(self, row: Attempt) -> None:
        """Have the row's thing stopped, if that is wanted."""
        if row.cancel is not None and not row.ended:
            handle = handle_of(row.place) if row.place is not None and row.has_handle else None
            self.to_host(row, Cancel(ref_of(row), handle, self.grace_s(row), row.cancel))

    def grace_s(self, row: Attempt) -> float:
        """Return the time between the polite and the hard end."""
        known = self.table.plans.get(row.item)
        return known.grace_s if known is not None else Planned(plan=None).grace_s

    def owner_of(self, row: Attempt) -> Owner:
        """Return whose the row's thing is."""
        return Owner(
            installation=self.session.installation,
            item=row.item,
            attempt=row.attempt,
            agent=self.session.caller.agent,
        )

    def settle(self, row: Attempt) -> None:
        """Let go of an attempt of which all is said: first on its target, then here."""
        if not row.finished:
            return
        if row.has_handle and row.grant.resource in self.kit.targets:
            if row.logs_complete:
                self.resync(row)
            return
        discard_source(row, self.planned, self.to_builder)
        self.forget(row)

    def forget(self, row: Attempt) -> None:
        """Drop the row everywhere."""
        item = row.item
        self.adopting.discard(ref_of(row))
        self.unsure.discard(ref_of(row))
        self.table.forget(row)
        self.session.alarms.clear(f"run-{item}")
        self.later(lambda: self.kit.reporter.put(Forget(item)))

    def resume(self, row: Attempt) -> None:
        """Let the Reporter go on under the row's token."""
        letter = Resume(row.item, row.token, row.acked)
        self.later(lambda: self.kit.reporter.put(letter))

    def set_run_alarm(self, row: Attempt) -> None:
        """See to it that the row's time limit is looked at when it has passed."""
        limit_s = self.run_limit_s(row)
        if limit_s is None or row.running_ms is None or row.ended:
            return
        left_s = max(0.0, limit_s - (self.now_ms() - row.running_ms) / 1000)
        fact = Due(row.item)
        self.session.alarms.after(f"run-{row.item}", left_s, lambda: self.kit.inbox.put(fact))

    def run_limit_s(self, row: Attempt) -> float | None:
        """Return how long the row may run."""
        try:
            own_s = self.planned(row).run_s
        except Exception:  # noqa: BLE001 - a plan that fails later has no limit now
            own_s = None
        limits = [s for s in (own_s, self.kit.rules.run_timeout_s) if s is not None]
        return min(limits, default=None)

    def _submit(self, row: Attempt) -> None:
        target, place = self.target_of(row), row.place
        if target is None or place is None:
            return
        if self.kit.reviews.needs(row) or self.needs_build(row):
            # It may be running: then nothing must be built into its folder, nor judged.
            self.find(row)
            return
        launch, cursors = self._launch(row, target, place), row.grant.log_cursors
        self.to_host(row, Submit(ref_of(row), launch, cursors))

    def prepare(self, row: Attempt, target: Target) -> None:
        """Have the row's start made ready while the server is asked whether it may be made."""
        launch = self._launch(row, target, self.place_of(row, target))
        self.to_host(row, Submit(ref_of(row), launch, early=True))

    def _launch(self, row: Attempt, target: Target, place: Place) -> Launch:
        planned, plan = self.planned(row), self.planned(row).plan
        if row.product is not None:
            made = row.product
            built = Built(key=made.key, path=made.path, image=made.image, cache=made.cache)
            plan = target.with_built(plan, built, made.folder)
        owner = self.owner_of(row)
        return Launch(
            owner=owner,
            name=place.name,
            labels=labels(owner, digest(row.grant.spec)),
            plan=plan,
            deadline=self.session.leases.deadline,
            secrets=planned.secrets,
        )

    def _tell(self, row: Attempt, news: Fact) -> None:
        """Let listeners hear of a step, once it is on record."""
        if self.kit.reviews.policy.listens and news.state is not None:
            event = event_of(row, news, self.session.caller.agent)
            self.table.step.events[event.id] = event
