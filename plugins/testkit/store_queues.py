"""What every store must do with priorities, settings of queues, and agents that refuse."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from launchyard.domain.attempt import AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.exchange import AgentStanding, Fact, Heartbeat, Refusal
from launchyard.domain.item import ItemState
from launchyard.domain.priority import Priority, QueueMode
from launchyard.domain.reason import Reason
from launchyard.plugins.testkit.store_base import StoreKit, refused, trouble
from launchyard.plugins.testkit.store_world import World
from launchyard.ports.records import ItemFilter, Queue, QueueChange, Trouble


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

    def test_an_agent_gets_no_more_for_a_target_than_it_says(self, world: World) -> None:
        """One that probes a target takes one item of its queues, however many slots are free."""
        for _ in range(3):
            world.put()
        worker = world.worker()
        one = Refusal(reason="circuit_open", most=1)
        standing = AgentStanding(refusing={"local": one})
        world.store.heartbeat(Heartbeat(caller=worker.caller, leases=(), standing=standing))
        assert len(worker.claim(3).items) == 1

    def test_the_limit_that_an_agent_tells_outweighs_its_hellos(self, world: World) -> None:
        """Its configuration was read again; one that says nothing of it has that of its hello."""
        worker = world.worker()
        for told, seen in ((None, 4), (1, 1), (9, 9), (None, 4)):
            standing = AgentStanding(max_jobs=told)
            world.store.heartbeat(Heartbeat(caller=worker.caller, leases=(), standing=standing))
            assert [agent.max_jobs for agent in world.store.agents()] == [seen]

    def test_urgent_items_go_first_and_age_decides_within_one_priority(self, world: World) -> None:
        """Each item's position counts those that are claimed before it."""
        world.store.change_queue("team", "q", QueueChange(mode=QueueMode.PRIORITY))
        low, first, urgent, second = (
            world.put(priority=Priority[word]).id
            for word in ("LOW", "MEDIUM", "CRITICAL", "MEDIUM")
        )
        order = [urgent, first, second, low]
        assert [world.store.standing(item).position for item in order] == [1, 2, 3, 4]
        worker = world.worker()
        assert [grant.item for grant in worker.claim(9).items] == order

    def test_a_waiting_item_changes_its_place(self, world: World) -> None:
        """It keeps its age within its new priority; one that waits no more is a CONFLICT."""
        world.store.change_queue("team", "q", QueueChange(mode=QueueMode.PRIORITY))
        first, second, third = (world.put().id for _ in range(3))
        assert world.store.set_priority(third, Priority.HIGH).priority == Priority.HIGH
        world.store.set_priority(first, Priority.LOW)
        worker = world.worker()
        assert worker.one().item == third
        assert trouble(lambda: world.store.set_priority(third, Priority.LOW)) is Trouble.CONFLICT
        world.store.set_priority(first, Priority.MEDIUM)
        assert [grant.item for grant in worker.claim(2).items] == [first, second]

    def test_a_fifo_queue_knows_one_priority(self, world: World) -> None:
        """Nor does a queue become one while it would forget what somebody asked for."""
        item = world.put().id
        assert trouble(lambda: world.store.set_priority(item, Priority.HIGH)) is Trouble.CONFLICT
        world.store.change_queue("team", "q", QueueChange(mode=QueueMode.PRIORITY))
        world.store.set_priority(item, Priority.HIGH)
        back = QueueChange(mode=QueueMode.FIFO)
        assert trouble(lambda: world.store.change_queue("team", "q", back)) is Trouble.CONFLICT
        world.store.set_priority(item, Priority.MEDIUM)
        assert world.store.change_queue("team", "q", back).mode is QueueMode.FIFO

    def test_a_queue_made_fifo_again_forgets_old_priorities(self, world: World) -> None:
        """Of what is delayed it cannot; what was at agents or had ended comes back by age alone."""
        world.store.change_queue("team", "q", QueueChange(mode=QueueMode.PRIORITY))
        first, second, third = (world.put(priority=Priority.LOW).id for _ in range(3))
        worker = world.worker()
        held, failing, dead = worker.claim(3).items
        worker.tell(dead, Fact(at_ms=3, state=AttemptState.FAILED, reason=Reason.EXIT_CODE))
        soon_ms = world.clock.now_ms() + 1000
        later = world.put(not_before_ms=soon_ms, priority=Priority.LOW).id
        back = QueueChange(mode=QueueMode.FIFO)
        assert trouble(lambda: world.store.change_queue("team", "q", back)) is Trouble.CONFLICT
        world.store.set_priority(later, Priority.MEDIUM)
        world.store.change_queue("team", "q", back)
        newest = world.put().id
        worker.release(held)
        worker.tell(failing, Fact(at_ms=3, state=AttemptState.FAILED, reason=Reason.SUBMIT_FAILED))
        for item in (second, third):
            world.store.retry(item, "bob")
        assert [grant.item for grant in worker.claim(9).items] == [first, second, third, newest]

    def test_putting_a_queue_makes_it_or_gives_it_exactly_these_settings(
        self, world: World
    ) -> None:
        """What is left out has its default again; the target stays for life."""
        wanted = Queue(
            entity="team",
            name="new",
            resource="local",
            config={"a": "{{x}}"},
            overridable=("a",),
            limit=3,
            mode=QueueMode.PRIORITY,
            template_variables={"x": {"schema": {"type": "integer"}}},
        )
        made = world.store.put_queue(wanted)
        assert replace(made, created_ms=0) == wanted
        assert world.store.put_queue(wanted) == made
        plain = Queue(entity="team", name="new", resource="local", config={}, paused=True)
        assert replace(world.store.put_queue(plain), created_ms=0) == plain
        other = replace(wanted, resource="docker")
        for dry_run in (False, True):
            call = partial(world.store.put_queue, other, dry_run=dry_run)
            assert trouble(call) is Trouble.CONFLICT

    def test_a_dry_run_puts_nothing_and_refuses_the_same(self, world: World) -> None:
        """A queue does not become FIFO, not even dry, while somebody's priority waits in it."""
        wanted = Queue(entity="team", name="new", resource="local", config={}, limit=3)
        assert world.store.put_queue(wanted, dry_run=True) == wanted
        assert trouble(lambda: world.store.queue("team", "new")) is Trouble.NOT_FOUND
        ranked = world.store.put_queue(replace(wanted, mode=QueueMode.PRIORITY))
        world.put("new", priority=Priority.HIGH)
        error = refused(lambda: world.store.put_queue(wanted, dry_run=True))
        assert (error.trouble, "priority high" in str(error)) == (Trouble.CONFLICT, True)
        other = replace(ranked, limit=4)
        assert world.store.put_queue(other, dry_run=True) == other
        assert world.store.queue("team", "new") == ranked

    def test_a_grant_has_a_value_for_variables_that_came_later(self, world: World) -> None:
        """What the launch said stays; defaults fill what it could not know of."""
        item = world.put().id
        described: Json = {"n": {"schema": {"type": "integer", "default": 7}}}
        world.store.change_queue("team", "q", QueueChange(template_variables=described))
        grant = world.worker().one()
        assert (grant.item, grant.spec) == (item, {"n": 1, "template_variables": {"n": 7}})

    def test_a_standing_tells_whether_anybody_holds_the_item(self, world: World) -> None:
        """Who had it last is still named; alone and in a list the same is told."""
        item = world.put().id
        worker = world.worker()
        grant = worker.run(worker.one())
        assert world.store.standing(item).held
        worker.release(grant, AttemptState.RUNNING, uid="42")
        standing = world.store.standing(item)
        assert (standing.held, standing.item.agent) == (False, worker.caller.agent)
        listed = world.store.standings(world.store.items(ItemFilter(entity="team")))
        assert (listed[item].held, listed[item].position) == (False, 0)

    def test_lists_of_states_mix_all_that_wait(self, world: World) -> None:
        """Newest first, whatever the priority and whether delayed or not."""
        world.store.change_queue("team", "q", QueueChange(mode=QueueMode.PRIORITY))
        world.queue("second")
        ids = [world.put(priority=Priority(n % 4)).id for n in range(6)]
        ids.append(world.put("second").id)
        ids.append(world.put("second", not_before_ms=world.clock.now_ms() + 60_000).id)
        claimed = world.worker().one().item
        wanted = ItemFilter(entity="team", states=(ItemState.QUEUED, ItemState.CLAIMED))
        assert [view.id for view in world.store.items(wanted)] == ids[::-1]
        rest = replace(wanted, states=(ItemState.QUEUED,), before=ids[5], most=3)
        assert [view.id for view in world.store.items(rest)] == [
            item for item in ids[4::-1] if item != claimed
        ][:3]
