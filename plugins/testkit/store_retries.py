"""What every store must do with retries, delays and dead letters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from launchyard.domain.attempt import AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.exchange import Fact, ItemGrant, Place, ReclaimVerdict, Verdict
from launchyard.domain.item import ItemState
from launchyard.domain.reason import FailureClass, Reason
from launchyard.plugins.testkit.store_base import StoreKit, refused, trouble
from launchyard.plugins.testkit.store_world import Worker, World, running, succeeded
from launchyard.ports.records import ItemView, NewItem, QueueChange, Trouble
from launchyard.ports.retries import BadEnd, DeadFilter

FAILED = Fact(
    at_ms=3, state=AttemptState.FAILED, reason=Reason.EXIT_CODE, detail="exit code 9", exit_code=9
)
WAIT_S = 30.0


def policy(**budgets: int) -> dict[str, Json]:
    """Return a policy with these budgets that waits half a minute, no more and no less."""
    steady: dict[str, Json] = {"first_s": WAIT_S, "factor": 1, "cap_s": WAIT_S, "jitter": 0}
    return {"budgets": dict(budgets), "backoff": steady}


def put(world: World, **more: Any) -> ItemView:
    """Put an item with a secret on the queue."""
    world.made += 1
    new = NewItem(
        id=f"item-{world.made:05}",
        entity="team",
        queue="q",
        spec={},
        name="job",
        submitter="ann",
        run_id="run",
        body_digest="b",
        **{"secrets": {"TOKEN": "s3cret"}, **more},
    )
    return world.store.enqueue(new)[0]


def fail(worker: Worker, fact: Fact = FAILED) -> ItemGrant:
    """Let the next item run and end badly."""
    grant = worker.one()
    worker.seqs[grant.item] = grant.seq
    worker.run(grant, f"ly-x-a{grant.attempt}")
    assert worker.tell(grant, fact).verdict is Verdict.TAKEN
    return grant


class RetryContract(StoreKit):
    """Attempts after the first."""

    def test_a_failed_item_waits_for_its_next_attempt(self, world: World) -> None:
        """Attempt n+1 with its enqueue time, after its backoff, with all that it needs."""
        item = put(world, retry=policy(user=1))
        world.clock.pass_s(5)
        worker = world.worker()
        first = fail(worker)
        view = world.store.item(item.id)
        assert (view.state, view.attempt, view.attempt_state) == (ItemState.QUEUED, 2, None)
        assert (view.enqueued_ms, view.retries) == (item.enqueued_ms, 1)
        assert view.not_before_ms == world.clock.now_ms() + WAIT_S * 1000
        assert (view.agent, view.place_name, view.exit_code) == ("", "", None)
        assert worker.claim().items == ()
        assert world.store.ripen().ready == ()
        world.clock.pass_s(WAIT_S)
        assert world.store.ripen().ready == [("team", "q", 1)]
        again = worker.one()
        assert (again.item, again.attempt, again.place) == (item.id, 2, None)
        assert again.token > first.token
        assert again.secrets == first.secrets == {"TOKEN": "s3cret"}
        assert again.state is ItemState.CLAIMED

    def test_the_next_attempts_detail_is_its_own(self, world: World) -> None:
        """Why it waits is said until it is claimed; then the detail is what its target says."""
        item = put(world, retry=policy(user=1)).id
        worker = world.worker()
        fail(worker)
        assert "retry 1 of 1" in world.store.item(item).detail
        world.clock.pass_s(WAIT_S)
        world.store.ripen()
        for launched in (2, 3):  # the second failure is final, and bob tries again
            grant = worker.one()
            worker.seqs[item] = grant.seq
            worker.launch(grant, f"ly-x-a{launched}")
            standing = world.store.standing(item)
            assert (standing.item.state, standing.item.detail) == (ItemState.LAUNCHING, "")
            there = Place(scope=worker.scope, name=f"ly-x-a{launched}", uid="7")
            worker.tell(grant, Fact(at_ms=2, state=AttemptState.PENDING, place=there))
            assert world.store.item(item).detail == ""
            worker.tell(grant, FAILED)
            world.store.retry(item, "bob")

    def test_the_history_has_what_was(self, world: World) -> None:
        """Each earlier attempt with its end, times, agent and log; the spent budget is final."""
        item = put(world, retry=policy(user=1)).id
        worker = world.worker()
        fail(worker)
        world.store.append_log(item, 1, "main", 0, b"first")
        world.clock.pass_s(WAIT_S)
        world.store.ripen()
        fail(worker)
        view = world.store.item(item)
        assert (view.state, view.attempt, view.dead) == (ItemState.DONE, 2, "user")
        [earlier] = world.store.attempts(item)
        assert (earlier.attempt, earlier.attempt_state) == (1, AttemptState.FAILED)
        assert (earlier.reason, earlier.exit_code) == ("exit_code", 9)
        assert earlier.detail == "exit code 9"
        assert (earlier.agent, earlier.place_name) == (worker.caller.agent, "ly-x-a1")
        assert earlier.times_ms["failed"] == FAILED.at_ms
        assert world.store.read_log(item, 1, "main", 0, 99).data == b"first"
        end = BadEnd(entity="team", queue="q", failure=FailureClass.USER, retried=True)
        assert world.store.bad_ends() == [end, replace(end, retried=False)]
        assert world.store.bad_ends() == []

    def test_the_earlier_attempt_has_nothing_more_to_write(self, world: World) -> None:
        """Its end is known, its note is taken, and all else of it is stale or over."""
        item = put(world, retry=policy(user=2)).id
        worker, stranger = world.worker(), world.worker()
        first = fail(worker)
        done = worker.seqs[item]
        assert worker.tell(first, FAILED, done).verdict is Verdict.TAKEN
        assert stranger.tell(first, FAILED, done).verdict is Verdict.STALE
        world.clock.pass_s(WAIT_S)
        world.store.ripen()
        second = world.worker("host:2").one()
        note = Fact(at_ms=9, logs_complete=True)
        assert worker.tell(first, note, done + 1).verdict is Verdict.TAKEN
        assert worker.tell(first, succeeded(), done + 2).verdict is Verdict.TAKEN
        assert worker.launch(first).verdict is Verdict.STALE
        assert worker.release(first).verdict is Verdict.STALE
        assert worker.reclaim(first).verdict is ReclaimVerdict.OVER
        [earlier] = world.store.attempts(item)
        assert (earlier.attempt_state, earlier.logs_complete) == (AttemptState.FAILED, True)
        view = world.store.item(item)
        assert (view.attempt, view.attempt_state) == (2, AttemptState.CLAIMED)
        assert second.attempt == view.attempt

    def test_the_log_of_an_earlier_attempt_is_whole_under_an_old_token_too(
        self, world: World
    ) -> None:
        """Its end was taken as evidence, after its lease had run out."""
        item = put(world, retry=policy(user=2)).id
        worker = world.worker()
        first = worker.run(worker.one())
        world.wait(self.ttl_s + 2)
        here = Place(scope=worker.scope, name="ly-x-a1", uid="42")
        assert worker.tell(first, replace(FAILED, place=here), 2).verdict is Verdict.STALE
        assert world.store.item(item).attempt > first.attempt
        note = Fact(at_ms=9, place=here, logs_complete=True)
        assert worker.tell(first, note, 3).verdict is Verdict.STALE
        [earlier] = world.store.attempts(item)
        assert earlier.logs_complete
        assert not world.store.item(item).logs_complete

    def test_a_lost_attempt_is_tried_again_where_the_queue_says_so(self, world: World) -> None:
        """Then whoever comes back too late lets go; without that word it is a dead letter."""
        plain = put(world).id
        worker = world.worker()
        worker.run(worker.one())
        world.wait(self.ttl_s + self.host_lost_s + 5)
        assert world.store.item(plain).dead == "platform"
        world.store.change_queue("team", "q", QueueChange(retry=policy(lost=1)))
        item = put(world).id
        worker = world.worker()
        old = worker.run(worker.one())
        world.wait(self.ttl_s + self.host_lost_s + 5)
        view = world.store.item(item)
        assert (view.state, view.attempt) == (ItemState.QUEUED, 2)
        assert worker.tell(old, running("host:1")).verdict is Verdict.STALE
        assert worker.reclaim(old).verdict is ReclaimVerdict.OVER

    def test_a_cancelled_item_is_not_tried_again(self, world: World) -> None:
        """Neither one that fails while it is being cancelled, nor one that waits for its moment."""
        item = put(world, retry=policy(user=5)).id
        worker = world.worker()
        grant = worker.run(worker.one())
        world.store.cancel(item, "ann")
        worker.tell(grant, FAILED)
        view = world.store.item(item)
        assert (view.state, view.attempt, view.dead) == (ItemState.DONE, 1, "")
        item = put(world, retry=policy(user=5)).id
        fail(worker)
        assert world.store.cancel(item, "ann").attempt_state is AttemptState.CANCELLED
        world.clock.pass_s(WAIT_S)
        assert world.store.ripen().ready == ()
        assert worker.claim().items == ()

    def test_people_try_an_item_again(self, world: World) -> None:
        """With fresh budgets; one that waits goes at once; one that runs is left alone."""
        item = put(world, retry=policy(user=1)).id
        worker = world.worker()
        for attempt in (1, 2, 3, 4):
            view = world.store.item(item)
            assert (view.attempt, view.retries) == (attempt, (attempt - 1) % 2)
            fail(worker)
            if attempt % 2:
                assert world.store.item(item).not_before_ms
            world.store.retry(item, "bob")
        assert [one.attempt for one in world.store.attempts(item)] == [1, 2, 3, 4]
        grant = worker.one()
        assert trouble(lambda: world.store.retry(item, "bob")) is Trouble.CONFLICT
        worker.seqs[item] = grant.seq
        worker.run(grant, "ly-x-a5")
        worker.tell(grant, succeeded())
        error = refused(lambda: world.store.retry(item, "bob"))
        assert (error.trouble, "TOKEN" in str(error)) == (Trouble.CONFLICT, True)
        assert trouble(lambda: world.store.retry("nothing", "bob")) is Trouble.NOT_FOUND


class DelayContract(StoreKit):
    """Items with a moment."""

    def test_a_delayed_item_waits_for_its_moment(self, world: World) -> None:
        """Nobody claims it before, it keeps nobody back, and then it has its old place."""
        moment = world.clock.now_ms() + 60_000
        delayed, later = put(world, not_before_ms=moment), put(world)
        put(world, not_before_ms=moment + 1)
        counts = world.store.counts("team", "q")
        assert (counts.waiting, counts.delayed) == (1, 2)
        assert world.store.standing(delayed.id).position == 0
        assert world.store.standing(later.id).position == 1
        assert world.store.ripen().next_ms == moment
        assert trouble(lambda: world.store.delete_queue("team", "q")) is Trouble.NOT_EMPTY
        world.clock.pass_s(60)
        ripe = world.store.ripen()
        assert (ripe.ready, ripe.next_ms) == ([("team", "q", 1)], moment + 1)
        worker = world.worker()
        assert [one.item for one in worker.claim(2).items] == [delayed.id, later.id]

    def test_a_moment_that_is_past_is_none(self, world: World) -> None:
        """The item waits like any other."""
        assert put(world, not_before_ms=world.clock.now_ms()).not_before_ms is None
        assert world.store.ripen().next_ms is None


class DeadLetterContract(StoreKit):
    """Items that failed for good."""

    def test_dead_letters_are_listed_by_class_and_reason(self, world: World) -> None:
        """Newest first, page by page; good ends and cancelled items are none."""
        world.store.change_queue("team", "q", QueueChange(retry=policy(platform=0)))
        worker = world.worker()
        reasons = (Reason.EXIT_CODE, Reason.SUBMIT_FAILED, Reason.NAME_TAKEN)
        ends = [Fact(at_ms=3, state=AttemptState.FAILED, reason=reason) for reason in reasons]
        items = [put(world).id for _ in range(4)]
        for fact in (*ends, succeeded()):
            fail(worker, fact)

        def dead(**more: Any) -> list[str]:
            return [one.id for one in world.store.dead_letters(wanted(**more))]

        assert dead() == [items[2], items[1], items[0]]
        assert dead(classes=(FailureClass.PLATFORM,)) == [items[2], items[1]]
        assert dead(reasons=(Reason.SUBMIT_FAILED,)) == [items[1]]
        assert dead(most=1) == [items[2]]
        assert dead(before=items[2], most=1) == [items[1]]
        assert world.store.counts("team", "q").dead == len(dead())

    def test_a_replay_is_the_next_attempt(self, world: World) -> None:
        """Of one or many, with the secrets that came with each; all or none."""
        items = [put(world).id for _ in range(3)]
        worker = world.worker()
        for _ in items[:2]:
            fail(worker)
        wrong = wanted(items=(items[0], items[2]))
        assert trouble(lambda: world.store.replay(wrong, "bob")) is Trouble.CONFLICT
        assert world.store.counts("team", "q").dead == len(items[:2])
        assert world.store.replay(wanted(items=(items[0],)), "bob") == [items[0]]
        assert world.store.replay(wanted(), "bob") == [items[1]]
        assert world.store.replay(wanted(), "bob") == []
        grants = worker.claim(3).items
        assert [one.item for one in grants] == items
        assert [one.attempt for one in grants] == [2, 2, 1]
        assert all(one.secrets == {"TOKEN": "s3cret"} for one in grants)
        assert world.store.item(items[0]).dead == ""


def wanted(**more: Any) -> DeadFilter:
    """Return a filter for the queue's dead letters."""
    return DeadFilter(entity="team", queue="q", **more)
