"""The history of attempts, for which the tables have room already."""

from __future__ import annotations

from pathlib import Path

from launchyard.adapters.sql.store import open_store
from launchyard.adapters.sql.tables import attempts
from launchyard.domain.attempt import AttemptState
from launchyard.domain.item import ItemState
from launchyard.plugins.testkit.store_world import MovableClock, World


def test_earlier_attempts_are_shown_as_they_ended(tmp_path: Path) -> None:
    """Oldest first, with the agent, place and reason of each; the item itself is the last."""
    store = open_store(f"sqlite:///{tmp_path / 'server.db'}", MovableClock())
    world = World(store, MovableClock(), 45, 600).prepare()
    item, worker = world.put().id, world.worker()
    assert store.attempts(item) == []
    with store._db.write():
        for number, state in ((2, "failed"), (1, "preempted")):
            store._db.run(
                attempts.insert(),
                item_seq=1,
                attempt=number,
                attempt_state=state,
                agent_n=1,
                place_name=f"ly-a{number}",
                place_scope="host:1",
                reason="exit_code",
                exit_code=number,
            )
    first, second = store.attempts(item)
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.state is ItemState.DONE
    assert first.attempt_state is AttemptState.PREEMPTED
    assert (second.agent, second.place_name, second.exit_code) == (
        worker.caller.agent,
        "ly-a2",
        2,
    )
    store.close()
