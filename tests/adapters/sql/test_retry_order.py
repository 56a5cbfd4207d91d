"""Where a retried item stands in line, against the order in which items were put there."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launchyard.adapters.sql.store import SqlStore, open_store
from launchyard.domain.priority import Priority, QueueMode
from launchyard.plugins.testkit.store_retries import FAILED, policy, put
from launchyard.plugins.testkit.store_world import MovableClock, Worker, World
from launchyard.ports.records import Queue

_STEPS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(list(Priority))),
    st.tuples(st.just("delayed"), st.sampled_from(list(Priority))),
    st.tuples(st.just("fail"), st.integers(1, 3)),
    st.tuples(st.just("wait"), st.sampled_from([1, 20, 70])),
)


@dataclass
class Line:
    """What should wait: each item with its priority, its place and its moment."""

    world: World
    worker: Worker
    order: dict[str, tuple[int, int]] = field(default_factory=dict)
    moments: dict[str, int] = field(default_factory=dict)

    def expected(self) -> Sequence[str]:
        """Return the items that may be claimed now, the next one first."""
        now = self.world.clock.now_ms()
        ripe = [item for item, moment in self.moments.items() if moment <= now]
        return sorted(ripe, key=lambda item: self.order[item])

    def put(self, priority: Priority, delay_s: int = 0) -> None:
        """Put an item into the line."""
        moment = self.world.clock.now_ms() + delay_s * 1000
        more = {"priority": priority, "retry": policy(user=9), "secrets": {}}
        item = put(self.world, not_before_ms=moment, **more).id
        self.order[item] = (priority.value, len(self.order))
        self.moments[item] = moment

    def fail(self, count: int) -> None:
        """Claim so many, which have to be the first in line, and let them fail."""
        self.world.store.ripen()
        grants = self.worker.claim(count).items
        assert [one.item for one in grants] == self.expected()[:count]
        for grant in grants:
            self.worker.seqs[grant.item] = grant.seq
            self.worker.run(grant, f"ly-{grant.item}-a{grant.attempt}")
            self.worker.tell(grant, FAILED)
            view = self.world.store.item(grant.item)
            self.moments[grant.item] = view.not_before_ms or 0


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a new database once."""
    path = tmp_path_factory.mktemp("template") / "server.db"
    open_store(f"sqlite:///{path}", MovableClock()).close()
    return path


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.lists(_STEPS, max_size=25))
def test_a_retried_item_keeps_its_place(
    template: Path, tmp_path: Path, steps: list[tuple[str, int]]
) -> None:
    """By priority, then by when it was put there first: never behind a lower one for its retries.

    Delayed items come into the line at their place, too, and keep nobody back before.
    """
    path = Path(shutil.copy(template, tmp_path / "server.db"))
    clock = MovableClock()
    store: SqlStore = open_store(f"sqlite:///{path}", clock)
    try:
        store._db._cursor.execute("PRAGMA synchronous = OFF")  # no power is lost here
        world = World(store, clock, 45, 600).prepare()
        store.delete_queue("team", "q")
        store.add_queue(
            Queue(entity="team", name="q", resource="r", config={}, mode=QueueMode.PRIORITY)
        )
        line = Line(world, world.worker())
        for what, value in steps:
            match what:
                case "put" | "delayed":
                    line.put(Priority(value), 45 * (what == "delayed"))
                case "fail":
                    line.fail(value)
                case _:
                    clock.pass_s(value)
        clock.pass_s(100)
        line.fail(64)
    finally:
        store.close()
        path.unlink()
        for extra in tmp_path.glob("server.db-*"):
            extra.unlink()
