"""What every store must do with entities, keys, queues and items."""

from __future__ import annotations

from collections.abc import Callable

from launchyard.domain.attempt import AttemptState
from launchyard.domain.item import ItemState
from launchyard.domain.rights import EntityKind, Role
from launchyard.plugins.testkit.store_base import StoreKit, refused, trouble
from launchyard.plugins.testkit.store_world import World, succeeded
from launchyard.ports.records import Entity, ItemFilter, KeyRecord, QueueChange, Trouble
from launchyard.ports.store import Store


def _key(role: Role = Role.AGENT, entity: str = "team") -> KeyRecord:
    return KeyRecord(id="k1", user="ann", entity=entity, role=role, label="laptop", digest="d1")


class DirectoryContract(StoreKit):
    """Entities, keys and queues."""

    def test_an_installation_keeps_its_name(
        self, world: World, opened: Callable[[], Store]
    ) -> None:
        """The id is random and stays."""
        assert len(world.store.installation()) >= len("0" * 16)
        assert opened().installation() == world.store.installation()

    def test_entities_are_kept(self, world: World) -> None:
        """A name is taken once."""
        world.store.add_entity(Entity(name="ann", kind=EntityKind.PERSONAL))
        assert [e.name for e in world.store.entities()] == ["ann", "team"]
        again = Entity(name="ann", kind=EntityKind.TEAM)
        assert trouble(lambda: world.store.add_entity(again)) is Trouble.EXISTS

    def test_a_key_speaks_for_its_user(self, world: World) -> None:
        """A digest leads to the roles; a strange one to nobody."""
        world.store.add_key(_key())
        found = world.store.principal("d1")
        assert found is not None
        assert (found.user, found.roles) == ("ann", {"team": Role.AGENT})
        assert world.store.principal("d2") is None
        assert trouble(lambda: world.store.add_key(_key())) is Trouble.EXISTS

    def test_a_key_without_entity_holds_everywhere(self, world: World) -> None:
        """A server administrator's key has its role in every entity."""
        world.store.add_key(_key(Role.ADMIN, ""))
        found = world.store.principal("d1")
        assert found is not None
        assert found.role_in("anything") is Role.ADMIN

    def test_a_revoked_key_is_nobodys(self, world: World) -> None:
        """A revocation counts at once, in readers too, and the key stays in the list."""
        world.store.add_key(_key())
        reader = world.store.reader()
        try:
            assert world.store.principal("d1")
            assert reader.principal("d1")
            world.store.revoke_key("k1")
            assert world.store.principal("d1") is None
            assert reader.principal("d1") is None
        finally:
            reader.close()
        [key] = world.store.keys("ann")
        assert key.revoked_ms == world.clock.now_ms()
        assert world.store.keys("bob") == []
        assert trouble(lambda: world.store.revoke_key("k9")) is Trouble.NOT_FOUND

    def test_a_queue_is_kept_and_changed(self, world: World) -> None:
        """Only the named parts change; a name is taken once."""
        store = world.store
        changed = store.change_queue("team", "q", QueueChange(limit=3, overridable=("/a",)))
        assert (changed.limit, changed.overridable, changed.config) == (3, ("/a",), {"a": 1})
        changed = store.change_queue("team", "q", QueueChange(config={"b": 2}, paused=True))
        assert (changed.limit, changed.paused, changed.config) == (3, True, {"b": 2})
        changed = store.change_queue("team", "q", QueueChange(no_limit=True, paused=False))
        assert (changed.limit, changed.paused) == (None, False)
        assert store.queue("team", "q") == changed
        assert store.queues("team") == [changed] == store.queues()
        assert trouble(lambda: world.queue("q")) is Trouble.EXISTS

    def test_an_unknown_queue_has_near_names(self, world: World) -> None:
        """A slip of the pen is answered with what was meant."""
        world.queue("training")
        for call in (
            lambda: world.store.queue("team", "trainig"),
            lambda: world.put("trainig"),
            lambda: world.worker(queues=["trainig"]),
            lambda: world.store.counts("team", "trainig"),
            lambda: world.store.delete_queue("team", "trainig"),
        ):
            error = refused(call)
            assert error.trouble is Trouble.NOT_FOUND
            assert "training" in error.known
        assert "team" in refused(lambda: world.store.queue("tema", "q")).known

    def test_only_an_idle_queue_is_deleted(self, world: World) -> None:
        """Items that wait or run keep it; done ones stay readable, and the name is free again."""
        item, worker = world.put(), world.worker()
        assert trouble(lambda: world.store.delete_queue("team", "q")) is Trouble.NOT_EMPTY
        grant = worker.one()
        assert trouble(lambda: world.store.delete_queue("team", "q")) is Trouble.NOT_EMPTY
        worker.tell(grant, succeeded())
        world.store.delete_queue("team", "q")
        assert trouble(lambda: world.store.queue("team", "q")) is Trouble.NOT_FOUND
        assert trouble(worker.claim) is Trouble.NOT_FOUND
        assert world.store.item(item.id).queue == "q"
        assert world.store.standing(item.id).queue.name == "q"
        world.queue("q")


class ItemsContract(StoreKit):
    """Items, as submitters and readers use them."""

    def test_an_item_is_put_and_shown(self, world: World) -> None:
        """All that was given comes back."""
        item = world.put()
        assert (item.state, item.attempt, item.attempt_state) == (ItemState.QUEUED, 1, None)
        assert (item.spec, item.queue_config, item.run_id) == ({"n": 1}, {"a": 1}, "run-1")
        assert item.times_ms == {"queued": world.clock.now_ms()} == {"queued": item.enqueued_ms}
        assert world.store.item(item.id) == item
        assert trouble(lambda: world.store.item("nothing")) is Trouble.NOT_FOUND

    def test_an_idempotency_key_gives_the_same_item(self, world: World) -> None:
        """The same body is the same wish; another one is a conflict."""
        first = world.put(key="k")
        assert world.put(key="k") == first
        assert trouble(lambda: world.put(key="k", body="other")) is Trouble.CONFLICT
        assert world.put().id != world.put().id
        assert len(world.store.items(ItemFilter())) == len(("first", "two", "more"))
        assert world.store.repeated("team", "k", "b") == first
        assert world.store.repeated("team", "new", "b") is None
        assert world.store.repeated("team", "", "b") is None
        assert trouble(lambda: world.store.repeated("team", "k", "x")) is Trouble.CONFLICT

    def test_a_waiting_item_is_cancelled_at_once(self, world: World) -> None:
        """It is done, is not claimed, and the repeat is harmless."""
        item = world.put()
        done = world.store.cancel(item.id, "bob")
        assert (done.state, done.attempt_state) == (ItemState.DONE, AttemptState.CANCELLED)
        assert (done.reason, done.detail) == ("cancelled", "cancelled by bob")
        assert done.times_ms["done"] == world.clock.now_ms()
        assert world.store.cancel(item.id, "eve") == done
        assert world.worker().claim().items == ()
        assert trouble(lambda: world.store.cancel("nothing", "bob")) is Trouble.NOT_FOUND

    def test_items_are_listed_newest_first(self, world: World) -> None:
        """By entity, queue and state, in pages."""
        world.queue("other")
        ids = [world.put(queue).id for queue in ("q", "q", "other", "q", "q", "q")]
        newest = ids[::-1]
        assert self._ids(world, ItemFilter()) == newest
        assert self._ids(world, ItemFilter(entity="team", queue="other")) == [ids[2]]
        first = self._ids(world, ItemFilter(entity="team", most=2))
        assert first == newest[:2]
        assert self._ids(world, ItemFilter(entity="team", before=first[-1])) == newest[2:]
        held = world.worker(queues=("q", "other")).claim(3).items
        world.store.cancel(ids[5], "bob")
        claimed = ItemFilter(entity="team", states=(ItemState.CLAIMED,))
        assert self._ids(world, claimed) == sorted((g.item for g in held), reverse=True)
        over = ItemFilter(states=(ItemState.DONE, ItemState.CLAIMED), most=2)
        assert self._ids(world, over) == [ids[5], ids[3]]
        waiting = ItemFilter(entity="team", queue="q", states=(ItemState.QUEUED,))
        assert self._ids(world, waiting) == [ids[4]]
        some = ItemFilter(entity="team", states=(ItemState.QUEUED, ItemState.DONE))
        assert self._ids(world, some) == [ids[5], ids[4], ids[2]]

    @staticmethod
    def _ids(world: World, wanted: ItemFilter) -> list[str]:
        return [item.id for item in world.store.items(wanted)]

    def test_counts_and_standing_say_why_an_item_waits(self, world: World) -> None:
        """How many are before it, how many run, and who serves the queue."""
        first, *_, last = [world.put() for _ in range(4)]
        worker = world.worker()
        world.worker(queues=())
        worker.one()
        standing = world.store.standing(last.id)
        assert (standing.position, standing.active) == (3, 1)
        assert [agent.id for agent in standing.agents] == [worker.caller.agent]
        assert world.store.standing(first.id).position == 0
        counts = world.store.counts("team", "q")
        assert (counts.waiting, counts.active, counts.done) == (3, 1, 0)
        assert counts.oldest_waiting_ms == world.clock.now_ms()

    def test_the_configuration_of_the_claim_stays(self, world: World) -> None:
        """A waiting item follows its queue; from its claim on nothing changes under it."""
        world.put()
        world.store.change_queue("team", "q", QueueChange(config={"b": 2}))
        grant = world.worker().one()
        assert grant.queue_config == {"b": 2}
        world.store.change_queue("team", "q", QueueChange(config={"c": 3}))
        assert world.store.item(grant.item).queue_config == {"b": 2}

    def test_a_reader_sees_what_is_committed(self, world: World) -> None:
        """It reads beside the store, and cannot write."""
        item = world.put()
        reader = world.store.reader()
        try:
            assert reader.item(item.id) == item
            assert trouble(lambda: reader.cancel(item.id, "bob")) is Trouble.UNAVAILABLE
        finally:
            reader.close()
        assert world.store.item(item.id).state is ItemState.QUEUED
