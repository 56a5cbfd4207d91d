"""What every store must do with claims, heartbeats and expiry: PROTOCOL 3."""

from __future__ import annotations

from functools import partial

from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import (
    ClaimRequest,
    Command,
    CommandKind,
    Heartbeat,
    Place,
    Verdict,
)
from launchyard.domain.item import ItemState
from launchyard.plugins.testkit.store_base import StoreKit, trouble
from launchyard.plugins.testkit.store_world import World, ref, succeeded
from launchyard.ports.records import QueueChange, Trouble


class ClaimContract(StoreKit):
    """How agents get work."""

    def test_a_claim_fills_all_slots_in_order(self, world: World) -> None:
        """Oldest first, one queue after another, with all that the holder needs."""
        world.queue("second")
        late = world.put("second")
        ids = [world.put().id for _ in range(3)]
        worker = world.worker(queues=("q", "second"))
        grants = worker.claim(5).items
        assert [g.item for g in grants] == [*ids, late.id]
        first = grants[0]
        assert (first.entity, first.queue, first.resource) == ("team", "q", "local")
        assert (first.spec, first.queue_config, first.secrets) == (
            {"n": 2},
            {"a": 1},
            {"TOKEN": "s3cret"},
        )
        assert (first.state, first.attempt_state) == (ItemState.CLAIMED, AttemptState.CLAIMED)
        view = world.store.item(first.item)
        assert (view.state, view.agent) == (ItemState.CLAIMED, worker.caller.agent)
        assert view.times_ms["claimed"] == world.clock.now_ms()

    def test_a_claim_repeats_its_answer(self, world: World) -> None:
        """The same claim id gives the same items under the same tokens."""
        for _ in range(4):
            world.put()
        worker = world.worker()
        first = worker.claim(2, "c1")
        assert worker.claim(2, "c1") == first
        assert len(first.items) == len(("one", "two"))
        second = worker.claim(2, "c2")
        assert {g.item for g in second.items}.isdisjoint(g.item for g in first.items)

    def test_an_aborted_claim_gives_nothing(self, world: World) -> None:
        """What it got goes back to its place, and a late repeat stays empty."""
        first, second = world.put(), world.put()
        worker = world.worker()
        [grant] = worker.claim(1, "c1").items
        world.store.abort_claim(worker.caller, "c1")
        assert world.store.item(first.id).state is ItemState.QUEUED
        assert worker.claim(1, "c1").items == ()
        world.store.abort_claim(worker.caller, "c2")
        assert worker.claim(1, "c2").items == ()
        assert [g.item for g in worker.claim(2, "c3").items] == [first.id, second.id]
        assert worker.launch(grant).verdict is Verdict.STALE

    def test_no_free_slot_gets_no_item(self, world: World) -> None:
        """Such a claim only waits for commands."""
        world.put()
        assert world.worker().claim(0).items == ()

    def test_a_paused_queue_gives_nothing(self, world: World) -> None:
        """Until it is resumed."""
        world.put()
        worker = world.worker()
        world.store.change_queue("team", "q", QueueChange(paused=True))
        assert worker.claim().items == ()
        world.store.change_queue("team", "q", QueueChange(paused=False))
        assert len(worker.claim().items) == 1

    def test_a_claim_may_take_until_it_is_stopped(self, world: World) -> None:
        """Not while its agent is paused or drains, nor once it was aborted or had its answer."""
        worker = world.worker()
        agent = worker.caller.agent
        asked = partial(ClaimRequest, caller=worker.caller, queues=("q",), free=1)
        claim = asked(claim_id="c1")
        may_take, store = world.store.may_take, world.store
        assert may_take(claim)
        store.ask_pause(agent, paused=True)
        assert not may_take(claim)
        store.ask_pause(agent, paused=False)
        assert may_take(claim)
        world.put()
        assert store.claim(claim).items
        assert not may_take(claim)
        store.abort_claim(worker.caller, "c2")
        assert not may_take(asked(claim_id="c2"))
        assert may_take(asked(claim_id="c3"))
        store.ask_drain(agent)
        assert not may_take(asked(claim_id="c3"))

    def test_a_queue_limit_counts_released_items(self, world: World) -> None:
        """From CLAIMED to LAUNCHED; an item that waits for its next holder keeps its slot."""
        world.store.change_queue("team", "q", QueueChange(limit=2))
        for _ in range(4):
            world.put()
        worker, other = world.worker(), world.worker("host:2")
        first, second = worker.claim(4).items
        assert other.claim(4).items == ()
        worker.run(first)
        assert worker.release(first, AttemptState.RUNNING).verdict is Verdict.TAKEN
        assert other.claim(4).items == ()
        assert worker.release(second).verdict is Verdict.TAKEN
        assert [g.item for g in other.claim(4).items] == [second.item]

    def test_a_gone_queue_does_not_stop_the_others(self, world: World) -> None:
        """Only when none of its queues is left is an agent told."""
        world.queue("gone")
        worker = world.worker(queues=("gone", "q"))
        world.store.delete_queue("team", "gone")
        world.put()
        assert len(worker.claim().items) == 1

    def test_a_cancel_travels_as_a_command(self, world: World) -> None:
        """One claim carries it, and its repeats; every heartbeat does until the end is known."""
        world.put()
        worker = world.worker()
        grant = worker.one()
        view = world.store.cancel(grant.item, "bob")
        assert (view.cancel, view.state) == (True, ItemState.CLAIMED)
        command = Command(kind=CommandKind.CANCEL, item=grant.item, attempt=1)
        assert worker.claim(1, "c1").commands == (command,)
        assert worker.claim(1, "c1").commands == (command,)
        assert worker.claim(1, "c2").commands == ()
        assert worker.beat(grant).commands == (command,)
        assert worker.launch(grant).verdict is Verdict.CANCELLED
        assert worker.release(grant).verdict is Verdict.TAKEN
        assert world.store.item(grant.item).attempt_state is AttemptState.CANCELLED
        assert worker.beat().commands == ()

    def test_a_drain_travels_as_a_command(self, world: World) -> None:
        """An agent that is asked to drain gets no more work, until it is started again."""
        world.put()
        worker = world.worker()
        assert world.store.ask_drain(worker.caller.agent).draining
        answer = worker.claim()
        assert (answer.items, answer.commands) == ((), (Command(kind=CommandKind.DRAIN),))
        assert worker.beat().commands == (Command(kind=CommandKind.DRAIN),)
        assert len(world.worker(agent=worker.caller.agent).claim().items) == 1
        assert trouble(lambda: world.store.ask_drain("nobody")) is Trouble.NOT_FOUND

    def test_a_pause_holds_until_it_is_resumed(self, world: World) -> None:
        """It gives nothing new, also to the next start; RESUME is said until the agent obeys."""
        world.put()
        worker = world.worker()
        agent, pause = worker.caller.agent, (Command(kind=CommandKind.PAUSE),)
        assert world.store.ask_pause(agent, paused=True).paused
        answer = worker.claim()
        assert (answer.items, answer.commands) == ((), pause)
        worker = world.worker(agent=agent)
        assert worker.beat().commands == pause
        assert not world.store.ask_pause(agent, paused=False).paused
        paused = Heartbeat(caller=worker.caller, leases=(), status="paused")
        resume = (Command(kind=CommandKind.RESUME),)
        assert world.store.heartbeat(paused).commands == resume
        answer = worker.claim()
        assert (len(answer.items), answer.commands) == (1, resume)
        assert worker.beat(*answer.items).commands == ()
        assert trouble(lambda: world.store.ask_pause("nobody", paused=True)) is Trouble.NOT_FOUND


class LeaseContract(StoreKit):
    """Agents, their epochs, and what their heartbeats list."""

    def test_an_agent_comes_back_in_its_next_epoch(self, world: World) -> None:
        """It takes its leases over at once, under their tokens; its older start is refused."""
        world.put()
        world.put()
        old = world.worker()
        grant, other = old.claim(2).items
        old.run(grant)
        world.store.append_log(grant.item, 1, "agent", 0, b"hello")
        answer = world.store.hello(world.hello(agent=old.caller.agent))
        assert (answer.agent, answer.epoch) == (old.caller.agent, old.caller.epoch + 1)
        assert answer.installation == world.store.installation()
        again, second = answer.leases
        assert (again.token, again.seq, again.state) == (grant.token, 1, ItemState.LAUNCHED)
        assert again.place is not None
        assert again.place.uid == "42"
        assert (again.log_cursors, again.secrets) == ({"agent": 5}, {"TOKEN": "s3cret"})
        assert second.item == other.item
        for call in (old.claim, old.beat, lambda: old.launch(grant), lambda: old.release(grant)):
            assert trouble(call) is Trouble.STALE_AGENT

    def test_strangers_are_told_apart(self, world: World) -> None:
        """Names may clash, ids do not; an unknown id begins anew."""
        first, second = world.worker(), world.worker()
        assert first.caller.agent != second.caller.agent
        assert world.worker(agent="never-seen").caller.epoch == 1
        assert len({agent.id for agent in world.store.agents("team")}) == len("123")
        stranger = world.worker()
        world.store.goodbye(stranger.caller)
        assert trouble(stranger.beat) is Trouble.STALE_AGENT

    def test_an_agent_is_seen(self, world: World) -> None:
        """What it said, how many items it holds, and whether its lease holds."""
        world.put()
        worker = world.worker()
        worker.one()
        [agent] = world.store.agents()
        assert (agent.queues, agent.scopes, agent.active) == (("q",), ("host:1",), 1)
        assert (agent.online, agent.draining, agent.max_jobs) == (True, False, 4)
        world.wait(self.ttl_s + 2)
        [agent] = world.store.agents()
        assert (agent.online, agent.active) == (False, 0)

    def test_an_unlisted_lease_is_handed_out_once(self, world: World) -> None:
        """A lost claim answer comes with the next beat; after two silent ones it is dropped."""
        world.put()
        worker = world.worker()
        grant = worker.one()
        [again] = worker.beat().unlisted
        assert (again.item, again.token) == (grant.item, grant.token)
        assert worker.beat(grant).unlisted == ()
        assert len(worker.beat().unlisted) == 1
        assert world.store.given_up() == []
        assert worker.beat().unlisted == ()
        assert world.store.given_up() == [grant.item]
        assert world.store.given_up() == []
        assert world.store.item(grant.item).state is ItemState.QUEUED
        assert worker.beat(grant).stale == (ref(grant),)
        assert worker.launch(grant).verdict is Verdict.STALE

    def test_a_digest_stands_for_the_list_it_is_of(self, world: World) -> None:
        """It renews like the list; any other digest is answered by asking for the list."""
        for _ in range(3):
            world.put()
        worker = world.worker()
        first, second, third = worker.claim(3).items
        assert not worker.beat_digest(third, first, second).relist
        assert worker.beat_digest(first, second).relist
        worker.run(first)
        worker.tell(first, succeeded(Place(scope=worker.scope, name="ly-x-a1", uid="42")))
        assert worker.beat_digest(first, second, third).relist
        assert not worker.beat_digest(second, third).relist
        assert world.store.agents()[0].online

    def test_a_digest_does_not_hide_a_lease_that_was_missing(self, world: World) -> None:
        """Once a list lacked one, its count of beats goes on until a list has it again."""
        for _ in range(2):
            world.put()
        worker = world.worker()
        first, second = worker.claim(2).items
        assert len(worker.beat(first).unlisted) == 1
        assert worker.beat_digest(first, second).relist
        assert worker.beat(first, second).unlisted == ()
        assert not worker.beat_digest(first, second).relist

    def test_an_unlisted_launch_is_offered(self, world: World) -> None:
        """Something may run: it is never put back blindly."""
        world.put()
        worker = world.worker()
        grant = worker.one()
        worker.launch(grant)
        worker.beat()
        worker.beat()
        assert world.store.item(grant.item).state is ItemState.LAUNCHING
        [resolve] = worker.claim().resolve
        assert (resolve.item, resolve.attempt) == (grant.item, grant.attempt)
        assert resolve.token > grant.token

    def test_a_beat_tells_of_stale_leases(self, world: World) -> None:
        """What the agent lists and no longer holds; an end of its own is no surprise to it."""
        world.put()
        worker = world.worker()
        grant = worker.one()
        answer = worker.beat(grant)
        assert (answer.ttl_s, answer.stale, answer.unlisted) == (self.ttl_s, (), ())
        world.wait(self.ttl_s + 2)
        assert worker.beat(grant).stale == (ref(grant),)

    def test_goodbye_ends_the_lease(self, world: World) -> None:
        """What was not released goes on by the normal rules, at once."""
        world.put()
        world.put()
        worker = world.worker()
        launched, claimed = worker.claim(2).items
        worker.run(launched)
        world.store.goodbye(worker.caller)
        assert world.store.item(claimed.item).state is ItemState.QUEUED
        assert world.store.item(launched.item).state is ItemState.LAUNCHED
        assert not world.store.agents()[0].online
        assert len(world.worker().claim(0).resolve) == 1
