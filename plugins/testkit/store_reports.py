"""What every store must do with LAUNCHING, reports, reclaims and releases: PROTOCOL 4 and 11."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import (
    Fact,
    ItemGrant,
    Launching,
    LeaseRef,
    Place,
    Reclaim,
    ReclaimVerdict,
    Report,
    Verdict,
)
from launchyard.domain.item import ItemState
from launchyard.domain.lease import Token
from launchyard.domain.reason import Reason
from launchyard.plugins.testkit.store_base import StoreKit, trouble
from launchyard.plugins.testkit.store_world import Worker, World, ref, running, succeeded
from launchyard.ports.records import Trouble

HERE = Place(scope="host:1", name="ly-x-a1", uid="42")


class ReportContract(StoreKit):
    """LAUNCHING and reports."""

    def test_launching_is_fenced_and_can_be_repeated(self, world: World) -> None:
        """One name in one place: the repeat is taken, another name or place is not."""
        world.put()
        worker = world.worker()
        grant = worker.one()
        assert worker.launch(grant).verdict is Verdict.TAKEN
        view = world.store.item(grant.item)
        assert (view.state, view.place_scope, view.place_name) == (
            ItemState.LAUNCHING,
            "host:1",
            "ly-x-a1",
        )
        assert worker.launch(grant).verdict is Verdict.TAKEN
        assert worker.launch(grant, "ly-other").verdict is Verdict.REFUSED
        assert worker.launch(grant, scope="host:9").verdict is Verdict.REFUSED
        stranger = world.worker()
        assert stranger.launch(grant).verdict is Verdict.STALE
        assert world.store.item(grant.item).place_name == "ly-x-a1"

    def test_an_attempt_is_followed_to_its_end(self, world: World) -> None:
        """States, times, reason and exit code; notes may follow the end."""
        world.put()
        worker = world.worker()
        grant = worker.one()
        worker.tell(grant, Fact(at_ms=11, state=AttemptState.PREPARING, detail="fetching"))
        assert world.store.item(grant.item).detail == "fetching"
        worker.launch(grant)
        worker.tell(grant, Fact(at_ms=22, state=AttemptState.SUBMITTING))
        assert world.store.item(grant.item).state is ItemState.LAUNCHING
        worker.tell(grant, running("host:1"))
        assert world.store.item(grant.item).state is ItemState.LAUNCHED
        assert world.store.item(grant.item).detail == ""
        end = Fact(
            at_ms=44,
            state=AttemptState.FAILED,
            reason=Reason.EXIT_CODE,
            detail="exit code 3",
            exit_code=3,
        )
        assert worker.tell(grant, end).seq == worker.seqs[grant.item]
        assert worker.tell(grant, Fact(at_ms=55, logs_complete=True)).verdict is Verdict.TAKEN
        view = world.store.item(grant.item)
        assert (view.state, view.attempt_state) == (ItemState.DONE, AttemptState.FAILED)
        assert (view.reason, view.detail, view.exit_code) == ("exit_code", "exit code 3", 3)
        assert (view.place_uid, view.logs_complete) == ("42", True)
        now = world.clock.now_ms()
        assert view.times_ms == {
            "queued": now,
            "claimed": now,
            "preparing": 11,
            "launching": now,
            "submitting": 22,
            "running": 1,
            "launched": now,
            "failed": 44,
            "done": now,
        }
        assert worker.beat(grant).stale == ()

    def test_a_known_report_is_taken_again(self, world: World) -> None:
        """A gap is named with the last known number; nothing is written twice."""
        world.put()
        worker = world.worker()
        grant = worker.one()
        worker.launch(grant)
        assert worker.tell(grant, running("host:1"), 2).verdict is Verdict.GAP
        assert worker.tell(grant, running("host:1"), 1).seq == 1
        again = worker.tell(grant, succeeded(), 1)
        assert (again.verdict, again.seq) == (Verdict.TAKEN, 1)
        assert world.store.item(grant.item).attempt_state is AttemptState.RUNNING
        gap = worker.tell(grant, succeeded(), 3)
        assert (gap.verdict, gap.seq) == (Verdict.GAP, 1)

    def test_facts_in_any_order_give_the_furthest(self, world: World) -> None:
        """An end may be known before its start, and is final."""
        facts = (Fact(at_ms=1, state=AttemptState.SUBMITTING), running("host:1"), succeeded())
        worker = world.worker()
        for order in permutations(facts):
            world.put()
            grant = worker.one()
            worker.launch(grant)
            for fact in order:
                assert worker.tell(grant, fact).verdict is Verdict.TAKEN
            view = world.store.item(grant.item)
            assert (view.state, view.attempt_state) == (ItemState.DONE, AttemptState.SUCCEEDED)
            assert {"submitting", "running", "succeeded"} <= set(view.times_ms)

    def test_elements_of_a_batch_are_independent(self, world: World) -> None:
        """One that is refused blocks no other."""
        world.put()
        world.put()
        worker = world.worker()
        good, stale = worker.claim(2).items
        old = LeaseRef(item=stale.item, attempt=1, token=Token(0, 99))
        strange = LeaseRef(item="nothing", attempt=1, token=good.token)
        fact = Fact(at_ms=1, state=AttemptState.PREPARING)
        answers = world.store.report(
            worker.caller,
            [Report(lease=lease, seq=1, fact=fact) for lease in (strange, old, ref(good))],
        )
        assert [a.verdict for a in answers] == [Verdict.REFUSED, Verdict.STALE, Verdict.TAKEN]
        launches = [Launching(lease=lease, place=HERE) for lease in (strange, old, ref(good))]
        answers = world.store.launching(worker.caller, launches)
        assert [a.verdict for a in answers] == [Verdict.REFUSED, Verdict.STALE, Verdict.TAKEN]

    def test_a_stale_writer_is_refused(self, world: World) -> None:
        """After its lease went to another, nothing that it writes counts."""
        old, new, grant = _adopted(world)
        before = world.store.item(grant.item)
        assert old.tell(grant, Fact(at_ms=9, state=AttemptState.CANCELLING)).verdict is (
            Verdict.STALE
        )
        assert old.release(grant, AttemptState.RUNNING).verdict is Verdict.STALE
        assert old.launch(grant).verdict is Verdict.STALE
        assert world.store.item(grant.item) == before
        assert before.agent == new.caller.agent

    def test_an_end_is_evidence_whatever_the_token(self, world: World) -> None:
        """With the right item, attempt and handle; without the handle it is not."""
        old, new, grant = _adopted(world)
        assert old.tell(grant, succeeded(), 2).verdict is Verdict.STALE
        elsewhere = Place(scope="host:1", name="ly-x-a1", uid="7")
        assert old.tell(grant, succeeded(elsewhere), 2).verdict is Verdict.STALE
        assert world.store.item(grant.item).state is ItemState.LAUNCHED
        assert old.tell(grant, succeeded(HERE), 2).verdict is Verdict.STALE
        view = world.store.item(grant.item)
        assert (view.state, view.attempt_state) == (ItemState.DONE, AttemptState.SUCCEEDED)
        assert new.reclaim(grant, HERE).verdict is ReclaimVerdict.OVER

    def test_an_end_as_evidence_says_that_its_log_is_whole(self, world: World) -> None:
        """Where it does not, a later report does, whatever the token: followers wait for it."""
        old, _, grant = _adopted(world)
        old.tell(grant, replace(succeeded(HERE), logs_complete=True), 2)
        assert world.store.item(grant.item).logs_complete
        world.put()
        worker = world.worker()
        grant = worker.run(worker.one())
        world.wait(self.ttl_s + 2)
        whole = Fact(at_ms=3, place=HERE, logs_complete=True)
        assert worker.tell(grant, whole, 2).verdict is Verdict.STALE
        assert not world.store.item(grant.item).logs_complete
        worker.tell(grant, succeeded(HERE), 2)
        assert worker.tell(grant, whole, 3).verdict is Verdict.STALE
        assert world.store.item(grant.item).logs_complete


def _adopted(world: World) -> tuple[Worker, Worker, ItemGrant]:
    """Return an agent that was gone for too long, its successor, and the old lease."""
    world.put()
    old = world.worker()
    grant = old.run(old.one())
    world.wait(46.0 + 2)
    new = world.worker()
    [resolve] = new.claim(0).resolve
    assert resolve.item == grant.item
    return old, new, grant


class ReclaimContract(StoreKit):
    """What a holder with a stale token gets."""

    def test_what_nobody_adopted_is_given_back(self, world: World) -> None:
        """Under a new token, with the last known report; the outbox goes on."""
        world.put()
        worker = world.worker()
        grant = worker.run(worker.one())
        world.wait(self.ttl_s + 2)
        assert worker.tell(grant, succeeded(), 2).verdict is Verdict.STALE
        answer = worker.reclaim(grant, HERE)
        assert (answer.verdict, answer.seq) == (ReclaimVerdict.GRANTED, 1)
        assert answer.token is not None
        assert answer.token > grant.token
        assert worker.claim(0).resolve == ()
        lease = LeaseRef(item=grant.item, attempt=1, token=answer.token)
        report = Report(lease=lease, seq=2, fact=succeeded())
        [taken] = world.store.report(worker.caller, [report])
        assert taken.verdict is Verdict.TAKEN

    def test_a_reclaimed_lease_expires_again(self, world: World) -> None:
        """It is a lease like any other."""
        world.put()
        worker = world.worker()
        grant = worker.run(worker.one())
        world.wait(self.ttl_s + 2)
        worker.reclaim(grant, HERE)
        assert world.wait(self.ttl_s + 2).offered == 1

    def test_what_another_holds_is_superseded(self, world: World) -> None:
        """Or what went back to its queue, or shows another handle."""
        old, _, grant = _adopted(world)
        assert old.reclaim(grant, HERE).verdict is ReclaimVerdict.SUPERSEDED
        world.put()
        worker = world.worker("host:2")
        claimed = worker.one()
        world.wait(self.ttl_s + 2)
        assert worker.reclaim(claimed).verdict is ReclaimVerdict.SUPERSEDED
        launched = worker.run(worker.one())
        world.wait(self.ttl_s + 2)
        other = Place(scope="host:2", name="ly-x-a1", uid="7")
        assert worker.reclaim(launched, other).verdict is ReclaimVerdict.SUPERSEDED

    def test_what_has_ended_is_over(self, world: World) -> None:
        """There is nothing left to hold; an item that never was is not found."""
        world.put()
        worker = world.worker()
        grant = worker.run(worker.one())
        worker.tell(grant, succeeded())
        assert worker.reclaim(grant, HERE).verdict is ReclaimVerdict.OVER
        strange = Reclaim(caller=worker.caller, item="nothing", attempt=1, place=None)
        assert trouble(lambda: world.store.reclaim(strange)) is Trouble.NOT_FOUND


class ReleaseContract(StoreKit):
    """How attempts are given back."""

    def test_before_launching_it_returns_to_its_place(self, world: World) -> None:
        """The same place, the same attempt; a repeat of the release is harmless."""
        first, _ = world.put(), world.put()
        worker = world.worker()
        grant = worker.one()
        worker.tell(grant, Fact(at_ms=1, state=AttemptState.BUILDING))
        world.store.append_log(grant.item, 1, "build", 0, b"step 1")
        assert worker.release(grant, AttemptState.BUILDING).verdict is Verdict.TAKEN
        assert worker.release(grant, AttemptState.BUILDING).verdict is Verdict.TAKEN
        view = world.store.item(first.id)
        assert (view.state, view.attempt, view.attempt_state) == (ItemState.QUEUED, 1, None)
        again = world.worker().one()
        assert (again.item, again.attempt, again.seq) == (first.id, 1, 1)
        assert again.log_cursors == {"build": 6}
        assert worker.release(grant).verdict is Verdict.STALE

    def test_after_launching_it_waits_without_end(self, world: World) -> None:
        """For an agent that reaches its scope, however long that takes."""
        world.put()
        worker = world.worker()
        grant = worker.one()
        worker.launch(grant)
        assert worker.release(grant, AttemptState.PENDING, "42").verdict is Verdict.TAKEN
        world.store.goodbye(worker.caller)
        done = world.wait(self.ttl_s + self.host_lost_s + 5)
        assert (done.lost, done.offered, done.requeued) == (0, 0, 0)
        [resolve] = world.worker().claim(1).resolve
        assert resolve.attempt_state is AttemptState.PENDING
        assert resolve.place == HERE

    def test_an_end_is_not_released(self, world: World) -> None:
        """It has to be reported; the lease stays until then."""
        world.put()
        worker = world.worker()
        grant = worker.one()
        assert worker.release(grant, AttemptState.SUCCEEDED).verdict is Verdict.REFUSED
        assert worker.tell(grant, succeeded()).verdict is Verdict.TAKEN
        assert worker.release(grant).verdict is Verdict.STALE

    def test_a_released_cancelled_claim_is_over(self, world: World) -> None:
        """It does not go back to the queue only to be cancelled by the next agent."""
        world.put()
        worker = world.worker()
        grant = worker.one()
        world.store.cancel(grant.item, "bob")
        worker.release(grant)
        assert world.store.item(grant.item).attempt_state is AttemptState.CANCELLED
