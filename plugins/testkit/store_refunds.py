"""What every store must do with attempts that an agent's breaker takes the blame for."""

from __future__ import annotations

from dataclasses import replace

from launchyard.domain.attempt import AttemptState
from launchyard.domain.circuit import Victim
from launchyard.domain.exchange import Fact
from launchyard.domain.item import ItemState
from launchyard.domain.reason import Reason
from launchyard.plugins.testkit.store_base import StoreKit
from launchyard.plugins.testkit.store_retries import WAIT_S, fail, policy, put
from launchyard.plugins.testkit.store_world import World


class RefundContract(StoreKit):
    """Faults of targets, which their victims do not pay for."""

    def test_what_a_breaker_takes_the_blame_for_is_given_back(self, world: World) -> None:
        """The fault that opened it and those it names, of its own agent; others stay charged."""
        rules = policy(platform=1, circuit=1)
        other, first, second = (put(world, retry=rules).id for _ in range(3))
        stranger, worker = world.worker(), world.worker()
        fault = Fact(at_ms=3, state=AttemptState.FAILED, reason=Reason.SUBMIT_FAILED)
        assert fail(stranger, fault).item == other
        assert fail(worker, fault).item == first
        victims = (Victim(first, 1), Victim(other, 1))
        assert fail(worker, replace(fault, circuit=True, refunds=victims)).item == second
        world.clock.pass_s(WAIT_S)
        world.store.ripen()
        for _ in range(3):
            fail(worker, fault)
        ends = {item: world.store.item(item).state for item in (other, first, second)}
        assert ends == {
            other: ItemState.DONE,
            first: ItemState.QUEUED,
            second: ItemState.QUEUED,
        }

    def test_a_dead_letter_that_a_breaker_pays_for_comes_back(self, world: World) -> None:
        """It has its next attempt, from the budget of circuits; a stranger's word brings none."""
        rules = policy(platform=1, circuit=5)
        spent, strange = put(world, retry=rules).id, put(world, retry=policy(platform=0)).id
        fault = Fact(at_ms=3, state=AttemptState.FAILED, reason=Reason.SUBMIT_FAILED, detail="no")
        worker = world.worker()
        fail(worker, fault)
        assert fail(world.worker(), fault).item == strange
        world.clock.pass_s(WAIT_S)
        world.store.ripen()
        fail(worker, fault)
        assert [world.store.item(item).dead for item in (spent, strange)] == ["platform"] * 2
        world.store.bad_ends()
        last = put(world, retry=rules).id
        victims = (Victim(spent, 1), Victim(spent, 2), Victim(strange, 1))
        opened = replace(fault, circuit=True, refunds=victims)
        fail(worker, opened)
        view = world.store.item(spent)
        assert (view.state, view.attempt, view.dead) == (ItemState.QUEUED, 3, "")
        assert view.detail == "attempt 2 failed (submit_failed); retry 2 of 5 for circuit"
        assert view.not_before_ms == world.clock.now_ms() + WAIT_S * 1000
        assert [one.detail for one in world.store.attempts(spent)] == ["no"] * 2
        assert world.store.item(strange).dead == "platform"
        assert [one.retried for one in world.store.bad_ends()] == [True] * 2
        assert world.store.item(last).retries == 1
        world.clock.pass_s(WAIT_S)
        world.store.ripen()
        assert worker.one().item == spent
