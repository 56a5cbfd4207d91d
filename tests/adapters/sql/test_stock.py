"""Items of stock agents: nothing is lost, nothing runs twice, and silence has an end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from launchyard.adapters.sql.store import SqlStore, open_store
from launchyard.domain.exchange import AgentHello
from launchyard.domain.reason import Reason
from launchyard.plugins.testkit.store_world import MovableClock, World
from launchyard.ports.housekeeping import Dropped
from launchyard.ports.records import ItemView, QueueChange, StoreError
from launchyard.ports.tracking import KeptFile, RunChange, RunKey, RunNews

RUN = RunKey(entity="team", project="p", name="run1")
OTHER = RunKey(entity="team", project="p", name="run2")


@dataclass
class Yard:
    """A store with a stock agent."""

    store: SqlStore
    clock: MovableClock
    world: World
    agent: str

    def hello(self) -> str:
        """Let another stock agent begin."""
        hello = AgentHello(
            agent="",
            name="box",
            entity="team",
            queues=("q",),
            scopes=(),
            max_jobs=4,
            hostname="box",
            version="wandb@0",
        )
        return self.store.stock_hello(hello).id

    def pop(self, agent: str = "") -> str:
        """Pop an item that has to be there."""
        grant = self.store.stock_pop(agent or self.agent, "q")
        assert grant is not None
        return grant.item

    def acked(self) -> str:
        """Put an item on the queue, pop and acknowledge it."""
        self.world.put()
        item = self.pop()
        assert self.store.stock_ack(item, RUN)
        return item

    def pass_s(self, seconds: float, *, alive: bool = False) -> None:
        """Let time pass as it does for a server that looks; the agent may be heard meanwhile."""
        left = seconds
        while left > 0:
            step = min(left, 5.0)
            self.clock.pass_s(step)
            left -= step
            if alive:
                self.store.stock_heard(self.agent)
            self.store.expire()

    def begin(self, item: str = "") -> None:
        """Let the item's run begin."""
        self.store.tell_run(RunChange(key=RUN, submitter="ann", item=item, config={"lr": 1}))

    def end(self, code: int) -> None:
        """Let the run end."""
        self.store.hear_run(RUN, RunNews(exit_code=code))

    def stands(self, item: str) -> tuple[Any, ...]:
        """Return where an item stands, in short."""
        view: ItemView = self.store.item(item)
        state = view.attempt_state.value if view.attempt_state else None
        return view.state.value, state, view.reason


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """Give a store whose clock stands still."""
    clock = MovableClock()
    with contextlib.closing(open_store(f"sqlite:///{tmp_path / 'server.db'}", clock)) as store:
        world = World(store, clock, 45, 600).prepare()
        yard = Yard(store, clock, world, "")
        yard.agent = yard.hello()
        yield yard


def test_what_nobody_acknowledges_comes_back_after_a_minute(yard: Yard) -> None:
    """To its place, as the same attempt; the late acknowledgement of the first agent is refused."""
    first = yard.world.put().id
    yard.world.put()
    assert yard.pop() == first
    yard.pass_s(55)
    assert yard.stands(first) == ("claimed", "claimed", "")
    yard.pass_s(10)
    assert yard.stands(first) == ("queued", None, "")
    second = yard.hello()
    assert yard.pop(second) == first
    assert yard.store.item(first).attempt == 1
    assert yard.store.stock_ack(first, OTHER)
    assert not yard.store.stock_ack(first, RUN)
    assert yard.store.stock_ack(first, OTHER)  # its answer was lost, and it asks again


def test_an_item_follows_its_run(yard: Yard) -> None:
    """Pending until the run begins, then running, and ended as the run ended."""
    item = yard.acked()
    assert yard.stands(item) == ("launched", "pending", "")
    run = yard.store.run(RUN)
    assert run is not None
    assert (run.state, run.item, run.stock) == ("pending", item, True)
    yard.begin()
    assert yard.stands(item) == ("launched", "running", "")
    yard.store.cancel(item, "ann")
    told = yard.store.run(RUN)
    assert told is not None
    assert told.cancel
    yard.end(1)
    assert yard.stands(item) == ("done", "cancelled", "cancelled")


def test_an_agent_that_is_silent_loses_what_never_began(yard: Yard) -> None:
    """After ten minutes, not before; a sign of life counts from when it came."""
    item = yard.acked()
    yard.pass_s(700, alive=True)
    assert yard.stands(item)[0] == "launched"
    yard.pass_s(590)
    assert yard.stands(item)[0] == "launched"
    yard.pass_s(20)
    assert yard.stands(item) == ("done", "lost", "agent_silent")
    [agent] = yard.store.agents("team")
    assert not agent.online


def test_a_run_speaks_for_its_item(yard: Yard) -> None:
    """An agent that is gone takes nothing with it as long as the run is heard of."""
    item = yard.acked()
    yard.begin()
    for _ in range(4):
        yard.pass_s(400)
        yard.store.hear_run(RUN, RunNews(log_lines=1))
    assert yard.stands(item) == ("launched", "running", "")
    yard.end(3)
    assert yard.stands(item) == ("done", "failed", "exit_code")


def test_a_late_end_corrects_the_record(yard: Yard) -> None:
    """What was given up for want of a sign is what its run says after all; nothing else is."""
    item = yard.acked()
    yard.begin()
    yard.pass_s(700)
    assert yard.stands(item) == ("done", "lost", "agent_silent")
    yard.end(0)
    assert yard.stands(item) == ("done", "succeeded", "completed")
    yard.end(1)
    assert yard.stands(item) == ("done", "succeeded", "completed")


def test_lost_is_not_tried_again_unless_the_queue_says_so(yard: Yard) -> None:
    """The queue's budget for what is lost decides, and then a late end is no longer asked for."""
    yard.store.change_queue("team", "q", QueueChange(retry={"budgets": {"lost": 1}}))
    item = yard.world.put().id
    assert yard.store.stock_ack(yard.pop(), RUN)
    yard.begin()
    yard.pass_s(700)
    assert yard.store.item(item).attempt == 2
    yard.end(0)
    assert yard.store.item(item).state.value == "queued"


def test_a_failure_counts_from_the_holder_alone(yard: Yard) -> None:
    """An agent may fail an item that a stock agent holds, and none of ours."""
    item = yard.acked()
    assert yard.store.stock_failed(item, Reason.SPEC_INVALID, "no such image")
    assert yard.stands(item) == ("done", "failed", "spec_invalid")
    assert not yard.store.stock_failed(item, Reason.SPEC_INVALID, "again")
    yard.world.put()
    ours = yard.world.worker().one().item
    assert not yard.store.stock_failed(ours, Reason.SPEC_INVALID, "not mine")
    assert not yard.store.stock_ack(ours, RUN)
    with pytest.raises(StoreError):
        yard.store.stock_heard(yard.store.item(ours).agent)


def test_a_stop_of_the_server_costs_nobody_anything(yard: Yard, tmp_path: Path) -> None:
    """Time in which nobody could be heard does not count: everybody gets a full term."""
    item = yard.acked()
    yard.store.close()
    yard.clock.pass_s(3600)
    with contextlib.closing(open_store(f"sqlite:///{tmp_path / 'server.db'}", yard.clock)) as store:
        yard.store = store
        store.expire()
        assert yard.stands(item)[0] == "launched"
        yard.pass_s(595)
        assert yard.stands(item)[0] == "launched"
        yard.pass_s(10)
        assert yard.stands(item) == ("done", "lost", "agent_silent")


def test_an_agent_that_was_told_to_stop_is_gone_when_it_says_so(yard: Yard) -> None:
    """Stock agents say once more that they poll, after their goodbye."""
    yard.store.ask_drain(yard.agent)
    yard.world.put()
    assert yard.store.stock_pop(yard.agent, "q") is None
    assert yard.store.stock_heard(yard.agent, "polling").draining
    yard.store.stock_heard(yard.agent, "stopped")
    view = yard.store.stock_heard(yard.agent, "polling")
    assert (view.status, view.online) == ("stopped", False)


def test_an_items_runs_go_with_it(yard: Yard) -> None:
    """Housekeeping takes the run of an old item, and tells of the bytes of its files."""
    item = yard.acked()
    yard.begin()
    file = KeptFile(owner=RUN.owner, path="a", size_b=3, sha256="s", md5="m", blob="kept/a")
    yard.store.keep_file(file)
    yard.end(0)
    later = yard.clock.now_ms() + 1
    [old] = yard.store.old_items(later, 0, 10).items
    assert (old.id, old.size_b) == (item, 3)
    assert yard.store.drop_item(item, later, 1000) == Dropped(gone=True, blobs=("kept/a",))
    assert yard.store.run(RUN) is None
    assert yard.store.kept_files(RUN.owner) == []
