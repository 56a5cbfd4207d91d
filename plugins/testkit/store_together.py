"""Group commit: many calls of a store, durable at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from launchyard.domain.item import ItemState
from launchyard.plugins.testkit.store_base import StoreKit, trouble
from launchyard.plugins.testkit.store_world import World
from launchyard.ports.records import StoreError, Trouble
from launchyard.ports.store import Store


class TogetherContract(StoreKit):
    """Calls that share a commit, and those that fail in it."""

    def test_what_is_done_together_is_there_afterwards(
        self, world: World, opened: Callable[[], Store]
    ) -> None:
        """Each call sees what those before it did; another store sees all of it after the block."""
        worker = world.worker()
        with world.store.together():
            item = world.put()
            assert [grant.item for grant in worker.claim().items] == [item.id]
            assert worker.beat().stale == ()
        assert opened().item(item.id).state is ItemState.CLAIMED
        assert worker.beat().stale == ()

    def test_a_call_that_fails_is_undone_alone(self, world: World) -> None:
        """Those before it and after it are kept."""
        with world.store.together():
            first = world.put(key="k")
            assert trouble(lambda: world.put(key="k", body="other")) is Trouble.CONFLICT
            second = world.put()
        assert {world.store.item(one.id).state for one in (first, second)} == {ItemState.QUEUED}
        assert world.store.counts("team", "q").waiting == len((first, second))

    def test_a_block_that_fails_leaves_nothing(self, world: World) -> None:
        """Also no memory of leases that were never committed."""
        item, worker = world.put(), world.worker()
        claims = itertools.count()

        def fail() -> None:
            with world.store.together():
                world.put()
                worker.claim()
                next(claims)
                raise StoreError("the disk is gone", Trouble.UNAVAILABLE)

        with pytest.raises(StoreError, match="the disk is gone"):
            fail()
        assert next(claims) == 1
        assert world.store.counts("team", "q").waiting == 1
        assert worker.beat().unlisted == ()
        assert [grant.item for grant in worker.claim().items] == [item.id]
