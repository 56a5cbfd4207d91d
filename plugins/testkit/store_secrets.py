"""What a store does with named secrets, which it cannot open."""

from __future__ import annotations

import pytest

from launchyard.domain.documents import Json
from launchyard.domain.rights import EntityKind
from launchyard.plugins.testkit.store_base import StoreKit
from launchyard.plugins.testkit.store_world import Worker, World
from launchyard.ports.records import Entity, ItemView, NewItem, SecretRecord, StoreError, Trouble


def _secret(name: str, sealed: str, entity: str = "team") -> SecretRecord:
    return SecretRecord(entity=entity, name=name, sealed=sealed, set_by="ann")


def _put(world: World, **names: str) -> ItemView:
    asked: Json = [{"env": env, "from": f"secret:{name}"} for env, name in names.items()]
    spec: Json = {"secrets": asked}
    new = NewItem(
        id=f"with-{'-'.join(names)}",
        entity="team",
        queue="q",
        spec=spec,
        name="",
        submitter="ann",
        run_id="r",
        body_digest="",
    )
    return world.store.enqueue(new)[0]


class SecretsContract(StoreKit):
    """Kept per entity, and told with a lease alone."""

    def test_a_secret_is_listed_and_replaced(self, world: World) -> None:
        """The first time stays, the last one moves."""
        made = world.store.set_secret(_secret("hf", "sealed-1"))
        world.clock.pass_s(5)
        again = world.store.set_secret(_secret("hf", "sealed-2"))
        assert (again.created_ms, again.changed_ms) == (made.created_ms, made.changed_ms + 5000)
        assert list(world.store.secrets("team")) == [again]
        assert list(world.store.secrets()) == [again]
        assert "sealed" not in repr(again)

    def test_a_removed_secret_is_gone(self, world: World) -> None:
        """A second removal says what there is."""
        world.store.set_secret(_secret("hf-token", "x"))
        with pytest.raises(StoreError) as e:
            world.store.remove_secret("team", "hf-tokn")
        assert (e.value.trouble, list(e.value.known)) == (Trouble.NOT_FOUND, ["hf-token"])
        world.store.remove_secret("team", "hf-token")
        assert not world.store.secrets("team")

    def test_entities_do_not_share(self, world: World) -> None:
        """The same name in another entity is another secret, and unknown entities are told."""
        world.store.add_entity(Entity(name="other", kind=EntityKind.TEAM))
        world.store.set_secret(_secret("hf", "ours"))
        world.store.set_secret(_secret("hf", "theirs", "other"))
        _put(world, HF="hf")
        assert world.worker().one().secrets == {"HF": "ours"}
        with pytest.raises(StoreError):
            world.store.set_secret(_secret("hf", "x", "nobody"))
        with pytest.raises(StoreError):
            world.store.secrets("nobody")

    def test_a_lease_has_the_value_of_its_claim(self, world: World) -> None:
        """What is changed before the claim counts, and what is removed is missing."""
        for name in ("a", "b"):
            world.store.set_secret(_secret(name, "old"))
        _put(world, A="a", B="b")
        world.store.set_secret(_secret("a", "new"))
        world.store.remove_secret("team", "b")
        grant = world.worker().one()
        assert grant.secrets == {"A": "new"}
        assert "new" not in repr(grant)

    def test_a_resumed_lease_has_it_too(self, world: World) -> None:
        """An agent that starts again finds the values with its leases: its journal has none."""
        world.store.set_secret(_secret("a", "x"))
        _put(world, A="a")
        worker: Worker = world.worker()
        worker.run(worker.one())
        grant = world.store.hello(world.hello(agent=worker.caller.agent))
        assert [lease.secrets for lease in grant.leases] == [{"A": "x"}]
