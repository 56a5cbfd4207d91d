"""What every store must do with priorities, settings of queues, and agents that refuse."""

from __future__ import annotations

from launchyard.plugins.testkit.store_base import StoreKit
from launchyard.plugins.testkit.store_world import World


class QueueContract(StoreKit):
    """The order of a queue and who takes from it."""

    def test_an_agent_gets_nothing_for_a_target_it_refuses(self, world: World) -> None:
        """What its last heartbeat refused stays for others; taken back, it is claimed again."""
        world.put()
        world.put()
        worker, other = world.worker(), world.worker()
        worker.refuse("local", "docker")
        assert worker.claim().items == ()
        [seen] = [a for a in world.store.agents() if a.id == worker.caller.agent]
        assert seen.standing.refusing["local"].reason == "circuit_open"
        assert len(other.claim().items) == 1
        worker.refuse("docker")
        assert len(worker.claim().items) == 1
