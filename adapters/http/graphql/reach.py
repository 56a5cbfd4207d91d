"""Which artifacts somebody may read and write: by the roles of a key, or as a job by its token.

A job writes what its own item made, in the project where its run is, and reads that and what its
launch names. So it can neither look at the work of other runs nor put its own in their place.
"""

from __future__ import annotations

from launchyard.adapters.http.graphql import ids
from launchyard.adapters.http.graphql.artifact_shapes import KIND
from launchyard.adapters.http.graphql.ask import Ask
from launchyard.adapters.http.graphql.own import Own, refused
from launchyard.adapters.http.jobs import version_of
from launchyard.domain.rights import Action
from launchyard.domain.wandb_artifact import ArtifactName, ArtifactRefusedError, parse_reference
from launchyard.ports.records import StoreError, Trouble
from launchyard.ports.store import Store
from launchyard.ports.tracking import COMMITTED, Artifact, RunKey


class Reach:
    """Judges what of the store's artifacts is open to whoever asks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def readable(self, ask: Ask, found: Artifact | None) -> Artifact | None:
        """Return a version if who asks may read it: to others it is not there."""
        if found is None:
            return None
        own = ask.own
        if own is None:
            return found if ask.may(Action.READ, found.entity) else None
        here = found.entity == own.run.entity
        return found if here and (found.item == own.item or self._named(own, found)) else None

    def writable(self, ask: Ask, number: str) -> Artifact:
        """Return a version that who asks may write.

        Raises:
            StoreError: NOT_FOUND for one that they may not even see.
            RefusalError: they may see it, and no more.
        """
        found = self._store.artifact(number)
        own = ask.own
        if own is not None:
            if found is None or found.entity != own.run.entity or found.item != own.item:
                raise refused(own, "artifacts that others made")
            return found
        if found is None or ask.principal.role_in(found.entity) is None:
            raise missing()
        ask.require_run(found.entity)
        return found

    def unfinished(self, ask: Ask, number: str) -> Artifact:
        """Return a version that who asks may write, and whose files are still to come.

        Raises:
            StoreError: CONFLICT for a committed one: launches that name it get what they named.
        """
        found = self.writable(ask, number)
        if found.state == COMMITTED:
            detail = f"{found.full_name} is committed, so its files stay; make another version"
            raise StoreError(detail, Trouble.CONFLICT)
        return found

    def maker(self, ask: Ask, key: RunKey) -> tuple[str, str]:
        """Return the item and the run that a new version in the project of *key* is of.

        Both are empty for a key. A job makes artifacts only where its own run has begun; clients
        name no run for the job artifact that they make at a run's end.
        """
        own = ask.own
        if own is None:
            ask.require_run(key.entity)
            return "", ""
        mine = RunKey(entity=own.run.entity, project=key.project, name=own.run.name)
        known = self._store.run(mine)
        ours = known is not None and known.item == own.item and key.entity == mine.entity
        if not ours or key.name not in {"", mine.name}:
            raise refused(own, f"artifacts of {key.name!r} in {key.entity}/{key.project}")
        return own.item, own.run.name

    def _named(self, own: Own, found: Artifact) -> bool:
        return any(self._means(own, name, found) for name in own.names)

    def _means(self, own: Own, name: str, found: Artifact) -> bool:
        """Tell whether a name in a launch means *found* now."""
        near = ArtifactName(entity=own.run.entity, project=own.run.project)
        try:
            meant = parse_reference(name, near)
        except ArtifactRefusedError:
            return False
        if meant.id:
            return meant.id == ids.make(KIND, found.id)
        if (meant.entity, meant.project) != (found.entity, found.project):
            return False
        version = version_of(self._store, meant)
        return version is not None and version.id == found.id


def missing() -> StoreError:
    """Return what somebody is told of an artifact that is not there for them."""
    return StoreError("there is no such artifact", Trouble.NOT_FOUND)
