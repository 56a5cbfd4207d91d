"""What every store must do when old things are to go: nothing that is wanted ever does."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from launchyard.domain.attempt import AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.exchange import Fact
from launchyard.domain.reason import Reason
from launchyard.plugins.testkit.store_base import StoreKit, trouble
from launchyard.plugins.testkit.store_world import World, succeeded
from launchyard.ports.housekeeping import Dropped
from launchyard.ports.records import FileRecord, NewItem, Trouble
from launchyard.ports.tracking import Artifact, KeptFile, RunChange, RunKey, RunNews

_DAY_S = 86400.0
_SHA = "ab" * 32
_MOST_B = 20


def _archive(sha256: str = _SHA) -> FileRecord:
    return FileRecord(path=sha256, size_b=7, sha256=sha256, blob=f"archives/{sha256}")


def _artifact(identity: str) -> Artifact:
    return Artifact(
        id=identity, entity="team", project="p", kind="job", collection="j", digest=identity
    )


def _kept(owner: str) -> KeptFile:
    return KeptFile(owner=owner, path="a", size_b=3, sha256="s", md5="m", blob=f"kept/{owner}")


def _launch(world: World, item: str, sha256: str = _SHA) -> None:
    _put(world, item, {"source": {"archive": sha256}})


def _name(world: World, item: str, job: str) -> None:
    _put(world, item, {"job": job})


def _put(world: World, item: str, spec: Json) -> None:
    world.store.enqueue(
        NewItem(
            id=item,
            entity="team",
            queue="q",
            spec=spec,
            name="",
            submitter="ann",
            run_id="",
            body_digest=item,
        )
    )


class HousekeepingContract(StoreKit):
    """What is old is found and goes, whole; what waits, runs or is named stays."""

    def test_items_go_a_time_after_their_end(self, world: World) -> None:
        """Their end counts, not their beginning; waiting and running ones stay however old."""
        worker, store, clock = world.worker(), world.store, world.clock
        done, late, running = world.put(), world.put(), world.put()
        for item in (done, late, running):
            assert worker.run(worker.one(), f"ly-{item.id}").item == item.id
        grants = {grant.item: grant for grant in worker.beat().unlisted}
        worker.tell(grants[done.id], succeeded())
        waiting = world.put()
        clock.pass_s(_DAY_S)
        worker.tell(grants[late.id], succeeded())
        before = clock.now_ms()
        found = store.old_items(before, 0, 10)
        assert [old.id for old in found.items] == [done.id]
        for item in (done, late, running, waiting):
            gone = store.drop_item(item.id, before, _MOST_B)
            assert gone == Dropped(gone=item is done)
        assert trouble(lambda: store.item(done.id)) is Trouble.NOT_FOUND
        left = [store.item(item.id).id for item in (late, running, waiting)]
        assert left == [late.id, running.id, waiting.id]

    def test_an_item_takes_all_that_is_its_own_along(self, world: World) -> None:
        """Logs a piece at a time, outputs, earlier attempts; the blobs are told of."""
        store, clock, worker = world.store, world.clock, world.worker()
        item = world.put().id
        grant = worker.run(worker.one())
        for n in range(5):
            store.append_log(item, 1, "agent", n * 10, b"x" * 10)
        store.put_output(item, 1, FileRecord(path="a", size_b=5, sha256="s", blob="outputs/a"))
        failed = Fact(at_ms=1, state=AttemptState.FAILED, reason=Reason.EXIT_CODE, exit_code=1)
        worker.tell(grant, failed)
        store.retry(item, "ann")
        store.cancel(item, "ann")
        clock.pass_s(_DAY_S)
        [old] = store.old_items(clock.now_ms(), 0, 10).items
        assert (old.id, old.size_b) == (item, 55)
        for _ in range(2):  # two chunks a step
            assert store.drop_item(item, clock.now_ms(), _MOST_B) == Dropped(over=False)
            assert store.log_cursors(item, 1) == {}
        last = store.drop_item(item, clock.now_ms(), _MOST_B)
        assert last == Dropped(gone=True, blobs=("outputs/a",))
        assert trouble(lambda: store.item(item)) is Trouble.NOT_FOUND

    def test_an_item_that_is_tried_again_meanwhile_stays(self, world: World) -> None:
        """It was old when it was found; what counts is what it is when it would go."""
        store, clock = world.store, world.clock
        item = world.put().id
        _launch(world, "again")
        store.cancel("again", "ann")
        clock.pass_s(_DAY_S)
        assert [old.id for old in store.old_items(clock.now_ms(), 0, 10).items] == ["again"]
        store.retry("again", "ann")
        assert store.drop_item("again", clock.now_ms(), _MOST_B) == Dropped()
        assert {store.item("again").id, store.item(item).id} == {"again", item}

    def test_pages_lead_to_the_end(self, world: World) -> None:
        """Each page says where the next begins; young items end the search."""
        store, clock = world.store, world.clock
        old = [world.put().id for _ in range(5)]
        for item in old:
            store.cancel(item, "ann")
        clock.pass_s(_DAY_S)
        before = clock.now_ms()
        for _ in range(3):
            store.cancel(world.put().id, "ann")
        found, after = [], -1
        while after:
            page = store.old_items(before, max(after, 0), 2)
            found += [one.id for one in page.items]
            after = page.after
        assert found == old

    def test_archives_go_that_no_item_names(self, world: World) -> None:
        """A launch that came after the search, and one more upload, keep theirs as well."""
        store, clock = world.store, world.clock
        names = [letter * 64 for letter in "abcd"]
        for name in names:
            store.put_archive(_archive(name))
        _launch(world, "one", names[0])
        clock.pass_s(_DAY_S)
        before = clock.now_ms()
        found = store.old_archives(before)
        assert found.archives == dict.fromkeys(names[1:], 7)
        _launch(world, "two", names[1])
        clock.pass_s(1)
        store.put_archive(_archive(names[2]))
        dropped = [store.drop_archive(name, before, found.seen) for name in names[1:]]
        assert dropped == ["", "", f"archives/{names[3]}"]
        assert [bool(store.archive(name)) for name in names] == [True, True, True, False]

    def test_runs_of_no_item_go_when_nobody_hears_of_them(self, world: World) -> None:
        """With their files; one of an item goes with that, and one that is heard of again stays."""
        store, clock = world.store, world.clock
        keys = [RunKey(entity="team", project="p", name=name) for name in ("old", "back", "young")]
        for key in keys[:2]:
            store.tell_run(RunChange(key=key, submitter="ann"))
            store.keep_file(_kept(key.owner))
        worker = world.worker()
        world.put()
        grant = worker.run(worker.one())
        own = RunKey(entity="team", project="p", name="own")
        store.tell_run(RunChange(key=own, submitter="ann", item=grant.item, attempt=1))
        clock.pass_s(_DAY_S)
        before = clock.now_ms()
        store.tell_run(RunChange(key=keys[2], submitter="ann"))
        found = store.old_runs(before)
        assert [one.blobs for one in found] == [(f"kept/{key.owner}",) for key in keys[:2]]
        store.hear_run(keys[1], RunNews(log_lines=1))
        assert [store.drop_run(one.n, before) for one in found] == [True, False]
        assert [store.run(key) is None for key in (*keys, own)] == [True, False, False, False]
        assert not store.kept_files(keys[0].owner)

    def test_a_committed_version_takes_no_more_files(self, world: World) -> None:
        """Whatever was checked before the bytes came; nor does what is gone meanwhile."""
        store = world.store
        store.add_artifact(_artifact("v0"))
        assert store.keep_file(_kept("artifact/v0")) == ""
        assert store.keep_file(replace(_kept("artifact/v0"), blob="new")) == "kept/artifact/v0"
        store.commit_artifact("v0")
        for owner in ("artifact/v0", "manifest/v0"):
            assert trouble(partial(store.keep_file, _kept(owner))) is Trouble.CONFLICT
        for owner in ("artifact/gone", "run/team/p/gone", "run/none/p/gone", "odd"):
            assert trouble(partial(store.keep_file, _kept(owner))) is Trouble.NOT_FOUND
        assert [file.blob for file in store.kept_files("artifact/v0")] == ["new"]

    def test_artifacts_go_that_nothing_names(self, world: World) -> None:
        """Unfinished ones, and versions without an alias that no launch names, then or since."""
        store, clock = world.store, world.clock
        for number in range(4):
            store.add_artifact(_artifact(f"v{number}"))
            store.keep_file(_kept(f"artifact/v{number}"))
            store.commit_artifact(f"v{number}")
        store.add_artifact(_artifact("torn"))
        store.keep_file(_kept("manifest/torn"))
        _name(world, "one", "team/p/j:v1")
        clock.pass_s(_DAY_S)
        before = clock.now_ms()
        store.add_artifact(_artifact("young"))
        found = store.old_artifacts(before)
        assert [one.artifact.id for one in found.artifacts] == ["v0", "v2", "torn"]
        assert [one.blobs for one in found.artifacts][2] == ("kept/manifest/torn",)
        assert set(found.jobs) == {"v0", "v1", "v2", "v3", "torn", "young"}
        _name(world, "two", "team/p/j:v2")
        dropped = [
            store.drop_artifact(one.artifact.id, before, found.seen) for one in found.artifacts
        ]
        assert dropped == [True, False, True]
        left = [one.id for one in store.artifacts("team", "p", "j")]
        assert left == ["v1", "v2", "v3", "young"]
        assert not store.kept_files("artifact/v0")

    def test_agents_go_that_nobody_names(self, world: World) -> None:
        """One whose items are still there stays; so does one that comes back meanwhile."""
        store, clock = world.store, world.clock
        known, gone, back = (world.worker(f"host:{n}") for n in range(3))
        world.put()
        known.run(known.one())
        for worker in (known, gone, back):
            store.goodbye(worker.caller)
        clock.pass_s(_DAY_S)
        before = clock.now_ms()
        found = store.old_agents(before)
        assert set(found) == {gone.caller.agent, back.caller.agent}
        world.worker("host:2", agent=back.caller.agent)
        assert store.drop_agents(found, before) == 1
        left = {agent.id for agent in store.agents()}
        assert left == {known.caller.agent, back.caller.agent}
