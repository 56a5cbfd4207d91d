"""A restored database: what agents hold from before is settled, and nothing runs twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from launchyard.adapters.sql.settings import StoreSettings
from launchyard.adapters.sql.snapshot import copy_database, raise_epoch
from launchyard.adapters.sql.store import SqlStore, open_store
from launchyard.domain.exchange import (
    AgentHello,
    ItemGrant,
    Place,
    Reclaim,
    ReclaimVerdict,
    Verdict,
)
from launchyard.domain.item import ItemState
from launchyard.plugins.testkit.store_world import (
    MovableClock,
    Worker,
    World,
    running,
    succeeded,
)

TTL_S = 45.0


@dataclass
class Site:
    """A folder with databases, and the store that serves now."""

    folder: Path
    clock: MovableClock = field(default_factory=MovableClock)
    stores: list[SqlStore] = field(default_factory=list)

    def open(self, name: str) -> World:
        """Serve from the database *name*."""
        url = f"sqlite:///{self.folder / name}"
        store = open_store(url, self.clock, StoreSettings(ttl_s=TTL_S))
        self.stores.append(store)
        return World(store, self.clock, TTL_S, 600, made=len(self.stores) * 1000)

    def back_up(self, name: str) -> Path:
        """Copy the database that serves now, while it does."""
        copy_database(self.folder / "first.db", self.folder / name)
        return self.folder / name

    def restore(self, copy: Path) -> World:
        """Stop serving, and serve from *copy*."""
        self.stores[-1].close()
        raise_epoch(copy, self.clock.now_ms())
        return self.open(copy.name)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Give a site, and close what it opened."""
    one = Site(tmp_path)
    yield one
    for store in one.stores:
        store.close()


def _after(worker: Worker, world: World) -> Worker:
    """Return the same start of the same agent, which now speaks to another store."""
    return replace(worker, store=world.store, seqs=dict(worker.seqs))


def _ask(worker: Worker, grant: ItemGrant, uid: str = "42") -> ReclaimVerdict:
    place = Place(scope=worker.scope, name=f"ly-{grant.item}-a1", uid=uid)
    return _asked(worker, grant, place)


def _asked(worker: Worker, grant: ItemGrant, place: Place | None) -> ReclaimVerdict:
    reclaim = Reclaim(
        caller=worker.caller,
        item=grant.item,
        attempt=grant.attempt,
        place=place,
        token=grant.token,
    )
    return worker.store.reclaim(reclaim).verdict


def _run(worker: Worker, grant: ItemGrant) -> ItemGrant:
    return worker.run(grant, f"ly-{grant.item}-a1")


def test_every_token_of_before_is_stale_and_is_exchanged(site: Site) -> None:
    """The holder stays; what ran goes on under a new token, and its end counts once."""
    world = site.open("first.db").prepare()
    old = world.worker()
    world.put()
    grant = _run(old, old.one())
    copy = site.back_up("copy.db")
    again = _after(old, site.restore(copy))
    assert again.tell(grant, running(old.scope), seq=2).verdict is Verdict.STALE
    beat = again.beat(grant)
    assert [ref.token for ref in beat.stale] == [grant.token]
    assert _ask(again, grant) is ReclaimVerdict.GRANTED
    [fresh] = again.beat().unlisted
    assert fresh.token > grant.token
    assert fresh.token.epoch > grant.token.epoch
    assert again.tell(fresh, succeeded(), seq=2).verdict is Verdict.TAKEN
    assert again.store.item(grant.item).state is ItemState.DONE


@pytest.mark.parametrize("claimed_before", [False, True])
def test_a_launch_that_the_backup_does_not_know_is_not_made_twice(
    site: Site, *, claimed_before: bool
) -> None:
    """Nothing begins for one term; whoever launched meanwhile shows where, and goes on."""
    world = site.open("first.db").prepare()
    old, other = world.worker("host:1"), world.worker("host:2")
    item = world.put().id
    if claimed_before:
        grant = old.one()
        copy = site.back_up("copy.db")
    else:
        copy = site.back_up("copy.db")
        grant = old.one()
    _run(old, grant)
    world = site.restore(copy)
    old, other = _after(old, world), _after(other, world)
    assert other.claim().items == ()
    assert [ref.item for ref in old.beat(grant).stale] == [item]
    assert _ask(old, grant) is ReclaimVerdict.GRANTED
    view = world.store.item(item)
    assert (view.state, view.place_scope, view.not_before_ms) == (
        ItemState.LAUNCHED,
        "host:1",
        None,
    )
    site.clock.pass_s(TTL_S + 1)
    world.store.ripen()
    assert other.claim().items == ()
    world.wait(3 * TTL_S)
    assert world.store.item(item).state is ItemState.LAUNCHED
    assert other.claim().items == ()


def test_what_nobody_launched_goes_back_to_its_queue(site: Site) -> None:
    """A claim without a place is no proof: the item waits one term for whoever asks next."""
    world = site.open("first.db").prepare()
    old = world.worker()
    items = [world.put().id for _ in range(2)]
    grant = old.one()
    copy = site.back_up("copy.db")
    world = site.restore(copy)
    old = _after(old, world)
    assert _asked(old, grant, None) is ReclaimVerdict.SUPERSEDED
    assert old.claim(4).items == ()
    site.clock.pass_s(TTL_S + 1)
    assert sum(count for _, _, count in world.store.ripen().ready) == len(items)
    assert [one.item for one in old.claim(4).items] == items


def test_a_start_that_the_backup_does_not_know_goes_on(site: Site) -> None:
    """An agent that was started again since then is no stranger; its older start still is."""
    world = site.open("first.db").prepare()
    first = world.worker()
    copy = site.back_up("copy.db")
    second = world.worker(agent=first.caller.agent)
    world = site.restore(copy)
    _after(second, world).beat()
    with pytest.raises(Exception, match="was started again"):
        _after(first, world).beat()


def test_two_restores_of_one_backup_have_two_epochs(site: Site) -> None:
    """So tokens of the first one's time are stale after the second."""
    site.open("first.db").prepare()
    epochs = []
    for name in ("a.db", "b.db"):
        copy = site.back_up(name)
        site.clock.pass_s(2)
        epochs.append(raise_epoch(copy, site.clock.now_ms()))
    assert epochs[0] < epochs[1]


def test_a_restored_database_settles_once(site: Site) -> None:
    """Only the first start after a restore holds items back."""
    site.open("first.db").prepare().put()
    world = site.restore(site.back_up("copy.db"))
    site.clock.pass_s(TTL_S + 1)
    world.store.ripen()
    world.store.close()
    world = site.open("copy.db")
    worker = world.worker()
    assert len(worker.claim().items) == 1


@pytest.mark.parametrize("marked", [False, True])
def test_what_a_stock_agent_popped_waits_as_any_other_item(site: Site, *, marked: bool) -> None:
    """Its silence ends nothing that is back in its queue, nor where an older release restored."""
    world = site.open("first.db").prepare()
    box = AgentHello(
        agent="",
        name="box",
        entity="team",
        queues=("q",),
        scopes=(),
        max_jobs=4,
        hostname="box",
        version="wandb@0",
    )
    agent = world.store.stock_hello(box).id
    item = world.put().id
    assert world.store.stock_pop(agent, "q")
    copy = site.back_up("copy.db")
    store = site.restore(copy).store
    if marked:
        with closing(sqlite3.connect(copy, isolation_level=None)) as other:
            other.execute("UPDATE items SET unheard_until_ms = 1")
    for _ in range(140):
        site.clock.pass_s(5)
        store.expire()
    view = store.item(item)
    assert (view.state, view.attempt, view.reason) == (ItemState.QUEUED, 1, "")
    store.ripen()
    assert store.stock_pop(store.stock_hello(box).id, "q")
