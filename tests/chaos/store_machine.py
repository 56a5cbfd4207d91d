"""A machine that drives a real store through everything that networks and clocks do to it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from launchyard.adapters.sql.settings import StoreSettings
from launchyard.adapters.sql.store import SqlStore, open_store
from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.exchange import Fact, Place
from launchyard.domain.item import ItemState
from launchyard.domain.reason import Reason
from launchyard.domain.rights import EntityKind
from launchyard.plugins.testkit.store_world import MovableClock
from launchyard.ports.records import Entity, NewItem, Queue
from tests.chaos.store_agents import Agent, Truth, ViolationError, deliver

TERMS = StoreSettings(ttl_s=12.0, host_lost_s=40.0, busy_s=0.5)
STEP_S = 4.0
HOUR_S = 3600
RETRIES: Json = {"budgets": {"platform": 2}, "backoff": {"first_s": STEP_S, "cap_s": STEP_S}}
_AGENTS = st.integers(0, 2)
_PICK = st.integers(0, 1 << 16)
_LOST = st.sampled_from([False, False, True])


class StoreMachine(RuleBasedStateMachine):
    """Three agents, two of which reach one shared scope; the store may be one with a bug."""

    kind: ClassVar[type[SqlStore]] = SqlStore
    template: ClassVar[Path]
    """A new database, so that each example need not make its own tables."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        shutil.copy(self.template, self.folder.name)
        self.clock, self.truth = MovableClock(), Truth()
        self.ends: dict[str, str] = {}
        self.past: dict[str, list[str]] = {}
        self.put: list[str] = []
        self.store = self.open()
        self.store.add_entity(Entity(name="team", kind=EntityKind.TEAM))
        self.store.add_queue(Queue(entity="team", name="q", resource="local", config={}))
        scopes = (("host:0",), ("host:1", "shared"), ("host:2", "shared"))
        self.agents = [Agent(lambda: self.store, self.truth, reach) for reach in scopes]
        self.scopes = scopes

    def open(self) -> SqlStore:
        """Open the database of this example."""
        url = f"sqlite:///{self.folder.name}/{self.template.name}"
        store = open_store(url, self.clock, TERMS, self.kind)
        store._db._cursor.execute("PRAGMA synchronous = OFF")  # no power is lost here
        return store

    def lease_of(self, agent: int, pick: int) -> str:
        """Return one of an agent's items, or nothing."""
        leases = sorted(self.agents[agent].leases)
        return leases[pick % len(leases)] if leases else ""

    @precondition(lambda self: len(self.put) < 4)
    @rule()
    def enqueue(self) -> None:
        """Put an item on the queue; a few are enough to be fought over."""
        item = f"i{len(self.put)}"
        self.store.enqueue(
            NewItem(
                id=item,
                entity="team",
                queue="q",
                spec={},
                name="n",
                submitter="ann",
                run_id="r",
                body_digest="b",
                retry=RETRIES,
            )
        )
        self.put.append(item)

    @rule(agent=_AGENTS, free=st.integers(0, 3), lost=_LOST, again=st.booleans())
    def claim(self, agent: int, free: int, lost: bool, again: bool) -> None:
        """Claim, or repeat the last claim."""
        self.agents[agent].claim(free, lost=lost, again=again)

    @rule(agent=_AGENTS, lost=_LOST)
    def beat(self, agent: int, lost: bool) -> None:
        """Send a heartbeat."""
        self.agents[agent].beat(lost=lost)

    @rule(agent=_AGENTS, pick=_PICK, shared=st.booleans(), lost=_LOST)
    def launch(self, agent: int, pick: int, shared: bool, lost: bool) -> None:
        """Start an attempt on one of the agent's targets."""
        item = self.lease_of(agent, pick)
        if item and not self.agents[agent].leases[item].started:
            scopes = self.scopes[agent]
            self.agents[agent].launch(item, scopes[-1 if shared else 0], lost=lost)

    @rule(agent=_AGENTS, pick=_PICK, ends=st.sampled_from(["", "well", "badly"]), lost=_LOST)
    def report(self, agent: int, pick: int, ends: str, lost: bool) -> None:
        """Report what the target says."""
        item = self.lease_of(agent, pick)
        if item and self.agents[agent].leases[item].started:
            self.agents[agent].report(item, self.fact(agent, item, ends=ends), lost=lost)

    def fact(self, agent: int, item: str, *, ends: str) -> Fact:
        """Return that the attempt runs, or how it has ended."""
        place = self.agents[agent].leases[item].place
        found = Place(scope=place.scope, name=place.name, uid=place.name) if place else None
        if ends == "badly":
            reason = Reason.SUBMIT_FAILED
            return Fact(at_ms=1, state=AttemptState.FAILED, reason=reason, place=found)
        if ends:
            return Fact(at_ms=1, state=AttemptState.SUCCEEDED, reason=Reason.COMPLETED, place=found)
        return Fact(at_ms=1, state=AttemptState.RUNNING, place=found)

    @rule(agent=_AGENTS, pick=_PICK, lost=_LOST)
    def release(self, agent: int, pick: int, lost: bool) -> None:
        """Give an item back."""
        if item := self.lease_of(agent, pick):
            self.agents[agent].release(item, lost=lost)

    @rule(agent=_AGENTS, pick=_PICK)
    def late(self, agent: int, pick: int) -> None:
        """Deliver an old message once more."""
        if sent := self.agents[agent].sent:
            deliver(sent[-1 - pick % min(len(sent), 12)])

    @rule(agent=_AGENTS, forget=st.booleans())
    def restart_agent(self, agent: int, forget: bool) -> None:
        """Start an agent again, with or without its state folder."""
        self.agents[agent].hello(forget=forget)

    @precondition(lambda self: self.put)
    @rule(pick=_PICK)
    def cancel(self, pick: int) -> None:
        """Cancel an item; agents here never notice, so only waiting ones end by it."""
        item = self.put[pick % len(self.put)]
        if self.store.item(item).state is ItemState.QUEUED:
            self.store.cancel(item, "ann")

    @rule(steps=st.sampled_from([1, 2, 5]), awake=st.sets(_AGENTS))
    def wait(self, steps: int, awake: set[int]) -> None:
        """Let time pass while some of the agents beat; five steps are longer than a lease."""
        for _ in range(steps):
            self.clock.pass_s(STEP_S)
            for agent in sorted(awake):
                self.agents[agent].beat()
            self.store.expire()
            self.store.ripen()

    @rule(agent=_AGENTS, other=_AGENTS, pick=_PICK, shared=st.booleans())
    def pause(self, agent: int, other: int, pick: int, shared: bool) -> None:
        """Stop an agent for longer than its lease; on waking it writes before it listens."""
        item = self.lease_of(agent, pick)
        self.wait(5, {0, 1, 2} - {agent})
        if other != agent:
            self.claim(other, 3, lost=False, again=False)
            self.launch(other, pick, shared, lost=False)
        if item in self.agents[agent].leases:
            self.launch(agent, pick, shared, lost=False)
            self.report(agent, pick, ends="", lost=False)

    @rule(what=st.sampled_from(["nothing", "nothing", "server", "back", "forth", "sleep"]))
    def disturb(self, what: str) -> None:
        """Open the database anew, set the wall clock, or let the machine sleep; not often.

        Each of these gives all leases a new term, so that more of them would hide what expires.
        """
        if what == "server":
            self.store.close()
            self.store = self.open()
        elif what != "nothing":
            self.clock.wall_ms += HOUR_S * (-1000 if what == "back" else 1000)
            self.clock.boot_s += HOUR_S if what == "sleep" else 0
            self.store.expire()

    @invariant()
    def ends_are_final(self) -> None:
        """What has ended stays as it ended, and nothing vanishes."""
        for item in self.put:
            view = self.store.item(item)
            if view.state is ItemState.DONE:
                end = f"{view.attempt_state} {view.reason}"
                if self.ends.setdefault(item, end) != end:
                    raise ViolationError(f"{item}: {self.ends[item]} became {end}")
            elif item in self.ends:
                raise ViolationError(f"{item} came back from {self.ends[item]}")

    @invariant()
    def history_is_whole(self) -> None:
        """Every attempt before the present one has its end, once, and keeps it."""
        for item in self.put:
            view, told = self.store.item(item), self.store.attempts(item)
            ends = [f"{one.attempt} {one.attempt_state} {one.reason}" for one in told]
            if [one.attempt for one in told] != list(range(1, view.attempt)):
                raise ViolationError(f"{item} is at attempt {view.attempt} after {ends}")
            if any(one.attempt_state not in ENDS for one in told):
                raise ViolationError(f"{item} goes on before an end: {ends}")
            known = self.past.setdefault(item, ends)
            if ends[: len(known)] != known:
                raise ViolationError(f"{item}: {known} became {ends}")
            self.past[item] = ends

    def teardown(self) -> None:
        """Let the agents work undisturbed: every item must come to its end."""
        try:
            for _ in range(8):
                self.work()
            self.ends_are_final()
            if left := set(self.put) - set(self.ends):
                raise ViolationError(f"lost: {sorted(left)}")
        finally:
            self.store.close()
            self.folder.cleanup()

    def work(self) -> None:
        """Let every agent do its best once, and time pass."""
        for number, agent in enumerate(self.agents):
            agent.beat()
            agent.claim(4)
            for item in list(agent.leases):
                if not agent.leases[item].started:
                    agent.launch(item, self.scopes[number][0])
                for _ in range(2):
                    if item in agent.leases and agent.leases[item].started:
                        agent.report(item, self.fact(number, item, ends="well"))
                if item in agent.leases and self.store.item(item).state is ItemState.DONE:
                    agent.leases.pop(item)
        self.clock.pass_s(STEP_S)
        self.store.expire()
        self.store.ripen()
