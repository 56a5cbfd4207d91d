"""What every store must do with leases that are not renewed: PROTOCOL 3.3 to 3.6."""

from __future__ import annotations

from collections.abc import Callable

from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import Verdict
from launchyard.domain.item import ItemState
from launchyard.plugins.testkit.store_base import StoreKit
from launchyard.plugins.testkit.store_world import World
from launchyard.ports.store import Store

UNKNOWN_S = 3600.0


class ExpiryContract(StoreKit):
    """Expiry, by the store's clock alone."""

    def test_an_expired_claim_goes_back(self, world: World) -> None:
        """To its place, with its attempt; beating agents keep theirs."""
        first, second = world.put(), world.put()
        dead, alive = world.worker(), world.worker("host:2")
        grant, kept = dead.one(), alive.one()
        assert world.wait(self.ttl_s - 1, (alive, [kept])).requeued == 0
        done = world.wait(3, (alive, [kept]))
        assert (done.requeued, done.offered, done.woken) == (1, 0, ("team/q",))
        assert world.store.item(first.id).state is ItemState.QUEUED
        assert world.store.item(second.id).state is ItemState.CLAIMED
        again = alive.one()
        assert (again.item, again.attempt) == (grant.item, 1)
        assert again.token > grant.token
        assert dead.launch(grant).verdict is Verdict.STALE

    def test_an_expired_cancelled_claim_is_over(self, world: World) -> None:
        """Nobody wants it, and nothing ran."""
        item = world.put()
        world.worker().one()
        world.store.cancel(item.id, "bob")
        world.wait(self.ttl_s + 2)
        assert world.store.item(item.id).attempt_state is AttemptState.CANCELLED

    def test_an_expired_launch_is_offered_where_it_is(self, world: World) -> None:
        """Only to an agent that reaches its scope, with its place and under a new token."""
        world.put()
        dead, far = world.worker(), world.worker("host:2")
        grant = dead.one()
        dead.run(grant)
        done = world.wait(self.ttl_s + 2, (far, []))
        assert (done.requeued, done.offered) == (0, 1)
        assert far.claim(4).resolve == ()
        near = world.worker()
        answer = near.claim(0)
        [resolve] = answer.resolve
        assert answer.items == ()
        assert (resolve.item, resolve.attempt, resolve.seq) == (grant.item, 1, 1)
        assert resolve.place is not None
        assert (resolve.place.name, resolve.place.uid) == ("ly-x-a1", "42")
        assert resolve.token > grant.token
        assert near.claim(0).resolve == ()
        assert near.launch(grant).verdict is Verdict.STALE

    def test_nobody_comes_and_the_host_is_lost(self, world: World) -> None:
        """After the time for it, the attempt has ended; before, it has not."""
        world.put()
        dead = world.worker()
        grant = dead.run(dead.one())
        world.wait(self.ttl_s + self.host_lost_s - 5)
        assert world.store.item(grant.item).state is ItemState.LAUNCHED
        done = world.wait(10)
        assert done.lost == 1
        view = world.store.item(grant.item)
        assert (view.attempt_state, view.reason) == (AttemptState.LOST, "host_lost")
        assert world.wait(self.host_lost_s).lost == 0

    def test_a_start_gives_a_full_term(self, world: World, opened: Callable[[], Store]) -> None:
        """While the server was down nobody could be heard."""
        world.put()
        world.put()
        worker = world.worker()
        launched, claimed = worker.claim(2).items
        worker.run(launched)
        world.store.close()
        world.clock.pass_s(UNKNOWN_S)
        world.store = worker.store = opened()
        assert world.store.expire().requeued == 0
        assert world.wait(self.ttl_s - 2).requeued == 0
        assert worker.beat(launched, claimed).stale == ()
        assert world.wait(self.ttl_s + 2).requeued == 1

    def test_jumps_and_stalls_give_a_full_term(self, world: World) -> None:
        """A clock that was set, either way, and a scan that came far too late."""
        for wall_s, boot_s in ((UNKNOWN_S, 0.0), (-UNKNOWN_S, 0.0), (UNKNOWN_S, UNKNOWN_S)):
            item = world.put()
            worker = world.worker()
            worker.one()
            world.clock.wall_ms += round(wall_s * 1000)
            world.clock.boot_s += boot_s
            told = world.store.expire()
            assert abs(told.clock_set_s - (wall_s - boot_s)) < 1
            assert (told.late_s > 0) == (boot_s > 0)
            told = world.store.expire()
            assert (told.clock_set_s, told.late_s) == (0, 0)
            assert world.wait(self.ttl_s - 2).requeued == 0
            assert world.wait(4).requeued == 1
            world.store.cancel(item.id, "test")

    def test_the_wait_for_a_host_does_not_count_either(self, world: World) -> None:
        """A server that slept has not looked for anybody."""
        world.put()
        dead = world.worker()
        grant = dead.run(dead.one())
        world.wait(self.ttl_s + 2)
        world.clock.pass_s(UNKNOWN_S)
        world.wait(self.host_lost_s - 5)
        assert world.store.item(grant.item).state is ItemState.LAUNCHED

    def test_the_next_scan_is_soon_enough(self, world: World) -> None:
        """Never later than the next end of a lease, never at once without need."""
        world.worker()
        world.clock.pass_s(1)
        assert 0 < world.store.expire().next_s <= self.ttl_s

    def test_an_expired_agent_can_work_again(self, world: World) -> None:
        """What it claims after its lease ended is held, and expires again."""
        worker = world.worker()
        world.wait(self.ttl_s + 2)
        item = world.put()
        worker.one()
        assert world.wait(self.ttl_s - 2).requeued == 0
        assert world.wait(4).requeued == 1
        assert world.store.item(item.id).state is ItemState.QUEUED
