"""Artifacts: as many of W&B's operations as its clients need to make, find and fetch jobs."""

from __future__ import annotations

import secrets
from typing import Any, Final

from launchyard.adapters.http.graphql import ids
from launchyard.adapters.http.graphql.artifact_shapes import (
    KIND,
    membership,
    sequence,
    shown,
)
from launchyard.adapters.http.graphql.ask import Ask, Fields, Given, document
from launchyard.adapters.http.graphql.kept import Kept
from launchyard.adapters.http.graphql.own import refused
from launchyard.adapters.http.graphql.reach import Reach, missing
from launchyard.adapters.http.graphql.runs import connection
from launchyard.adapters.http.house import House
from launchyard.adapters.http.jobs import version_of
from launchyard.adapters.http.problems import wrong
from launchyard.domain.documents import Json
from launchyard.domain.wandb_artifact import ArtifactName
from launchyard.ports.tracking import COMMITTED, Artifact, RunKey, files_of, manifest_of

_MANIFEST: Final = "ArtifactManifest"
_LONGEST: Final = 128


class ArtifactTopic:
    """Versions, collections, memberships, manifests."""

    def __init__(self, house: House, kept: Kept) -> None:
        self._house, self._kept = house, kept
        self._store = house.store
        self._reach = Reach(house.store)

    def fields(self) -> Fields:
        """Return this topic's part of the table."""
        return {
            "Query": {"artifact": self.by_id, "clientIDMapping": self.by_client},
            "Project": {
                "artifact": self.by_name,
                "artifactType": _type,
                "artifactCollection": self.collection,
                "artifactCollectionMembership": self.membership,
            },
            "ArtifactType": {
                "artifactCollections": self.collections,
                "artifactCollection": self.collection,
            },
            "ArtifactSequence": {
                "latestArtifact": self.latest,
                "artifactMembership": self.membership_of,
                "artifacts": self.versions,
            },
            "ArtifactCollectionMembership": {"files": self.files_of_membership},
            "Artifact": {"files": self.files, "currentManifest": self.manifest},
            "Mutation": {
                "createArtifact": self.create,
                "createArtifactManifest": self.create_manifest,
                "updateArtifactManifest": self.update_manifest,
                "createArtifactFiles": self.create_files,
                "commitArtifact": self.commit,
                "updateArtifact": self.update,
                "addAliases": self.add_aliases,
                "deleteAliases": self.delete_aliases,
                "useArtifact": self.use,
            },
        }

    # --- found by name or id

    def by_id(self, _parent: Any, ask: Ask, given: Given) -> Any:
        found = self._reach.readable(ask, self._store.artifact(_number(given["id"])))
        return shown(found) if found else None

    def by_client(self, _parent: Any, ask: Ask, given: Given) -> Any:
        found = self._reach.readable(ask, self._store.artifact_of_client(given["clientID"]))
        return {"serverID": ids.make(KIND, found.id)} if found else None

    def by_name(self, parent: Any, ask: Ask, given: Given) -> Any:
        found = self._named(ask, parent, given["name"])
        return shown(found) if found else None

    def membership(self, parent: Any, ask: Ask, given: Given) -> Any:
        found = self._named(ask, parent, given["name"])
        return membership(found) if found else None

    def _named(self, ask: Ask, project: Any, name: str) -> Artifact | None:
        """Return the version of that number or alias, by default the latest."""
        collection, _, alias = name.rpartition("/")[2].partition(":")
        entity, project = project["entityName"], project["name"]
        where = ArtifactName(entity=entity, project=project, collection=collection)
        return self._reach.readable(ask, version_of(self._store, where.at(alias or "latest")))

    # --- collections

    def collection(self, parent: Any, ask: Ask, given: Given) -> Any:
        project = parent.get("project", parent)
        found = self._store.artifacts(project["entityName"], project["name"], given["name"])
        seen = (one for one in reversed(found) if self._reach.readable(ask, one))
        newest = next(seen, None)
        return sequence(newest) if newest else None

    async def collections(self, parent: Any, _ask: Ask, _given: Given) -> Any:
        project, kind = parent["project"], parent["name"]
        found = await self._house.read(
            lambda store: store.artifacts(project["entityName"], project["name"])
        )
        last = {one.collection: one for one in found if one.kind == kind}
        return connection([sequence(one) for _, one in sorted(last.items())])

    def latest(self, parent: Any, ask: Ask, _given: Given) -> Any:
        found = self._named(ask, parent["project"], parent["name"])
        return shown(found) if found else None

    def membership_of(self, parent: Any, ask: Ask, given: Given) -> Any:
        found = self._named(ask, parent["project"], f"{parent['name']}:{given['aliasName']}")
        return membership(found) if found else None

    def versions(self, parent: Any, _ask: Ask, _given: Given) -> Any:
        project = parent["project"]
        where = (project["entityName"], project["name"], parent["name"])
        found = [one for one in self._store.artifacts(*where) if one.state == COMMITTED]
        return connection([shown(one) for one in reversed(found)])

    # --- files

    def files_of_membership(self, parent: Any, ask: Ask, given: Given) -> Any:
        return self.files(parent["artifact"], ask, given)

    def files(self, parent: Any, ask: Ask, given: Given) -> Any:
        owner = files_of(_number(parent["id"]))
        return connection(self._kept.listed(ask, owner, given.get("names")))

    def manifest(self, parent: Any, ask: Ask, _given: Given) -> Any:
        number = _number(parent["id"])
        found = next(iter(self._kept.listed(ask, manifest_of(number))), None)
        return {"id": ids.make(_MANIFEST, number), "file": found} if found else None

    # --- made

    def create(self, _parent: Any, ask: Ask, given: Given) -> Any:
        entity, project = given["entityName"], given["projectName"]
        key = RunKey(entity=entity, project=project, name=given.get("runName") or "")
        item, run = self._reach.maker(ask, key)
        names = [*(given.get("artifactCollectionNames") or ()), given.get("artifactCollectionName")]
        collection = next((name for name in names if name), "")
        _check(collection, "artifactCollectionName")
        _check(project, "projectName")
        new = Artifact(
            id=secrets.token_hex(16),
            entity=entity,
            project=project,
            kind=given["artifactTypeName"],
            collection=collection,
            digest=given["digest"],
            client_id=given.get("clientID") or "",
            about={
                "description": given.get("description"),
                "metadata": document(given.get("metadata"), "metadata"),
            },
            aliases=_aliases(given),
            item=item,
            run=run,
        )
        return {"artifact": shown(self._store.add_artifact(new))}

    def create_manifest(self, _parent: Any, ask: Ask, given: Given) -> Any:
        found = self._reach.unfinished(ask, _number(given["artifactID"]))
        return self._manifest(ask, found, given["name"])

    def update_manifest(self, _parent: Any, ask: Ask, given: Given) -> Any:
        (number,) = ids.parts(_MANIFEST, given["artifactManifestID"], 1)
        return self._manifest(ask, self._reach.unfinished(ask, number), "wandb_manifest.json")

    def _manifest(self, ask: Ask, artifact: Artifact, name: str) -> Any:
        file = self._kept.upload(ask, manifest_of(artifact.id), name)
        key = ids.make(_MANIFEST, artifact.id)
        return {"artifactManifest": {"id": key, "file": {"id": key, **file}}}

    def create_files(self, _parent: Any, ask: Ask, given: Given) -> Any:
        nodes = []
        for wanted in given["artifactFiles"]:
            found = self._reach.unfinished(ask, _number(wanted["artifactID"]))
            node = self._kept.upload(ask, files_of(found.id), wanted["name"])
            nodes.append({**node, "artifact": shown(found)})
        return {"files": connection(nodes)}

    def commit(self, _parent: Any, ask: Ask, given: Given) -> Any:
        found = self._mine(ask, given["artifactID"])
        return {"artifact": shown(self._store.commit_artifact(found.id))}

    def update(self, _parent: Any, ask: Ask, given: Given) -> Any:
        found = self._mine(ask, given["artifactID"])
        about: dict[str, Json] = {}
        if given.get("description") is not None:
            about["description"] = given["description"]
        if given.get("metadata") is not None:
            about["metadata"] = document(given["metadata"], "metadata")
        aliases = _aliases(given) if given.get("aliases") is not None else None
        return {"artifact": shown(self._store.change_artifact(found.id, about, aliases))}

    def add_aliases(self, _parent: Any, ask: Ask, given: Given) -> Any:
        found = self._mine(ask, given["artifactID"])
        wanted = tuple(dict.fromkeys((*found.aliases, *_of(found, given))))
        after = self._store.change_artifact(found.id, {}, wanted)
        if ask.own is not None and set(wanted) - set(after.aliases):
            raise refused(ask.own, "aliases that others' versions have")
        return {"success": True}

    def delete_aliases(self, _parent: Any, ask: Ask, given: Given) -> Any:
        found = self._mine(ask, given["artifactID"])
        gone = _of(found, given)
        left = tuple(one for one in found.aliases if one not in gone)
        self._store.change_artifact(found.id, {}, left)
        return {"success": True}

    def use(self, _parent: Any, ask: Ask, given: Given) -> Any:
        """Let a run use a version; which one used which is not kept."""
        entity, project = given["entityName"], given["projectName"]
        self._reach.maker(ask, RunKey(entity=entity, project=project, name=given["runName"]))
        found = self._reach.readable(ask, self._store.artifact(_number(given["artifactID"])))
        if found is None:
            raise missing()
        return {"artifact": shown(found)}

    def _mine(self, ask: Ask, text: str) -> Artifact:
        return self._reach.writable(ask, _number(text))


def _number(text: str) -> str:
    (number,) = ids.parts(KIND, text, 1)
    return number


def _check(name: str, path: str) -> None:
    if not 0 < len(name) <= _LONGEST or not name.isprintable() or "/" in name or ":" in name:
        raise wrong(path, f"must be 1 to {_LONGEST} characters without / and :")


def _aliases(given: Given) -> tuple[str, ...]:
    names = tuple(one["alias"] for one in given.get("aliases") or ())
    for name in names:
        _check(name, "aliases")
    return names


def _of(found: Artifact, given: Given) -> tuple[str, ...]:
    """Return the aliases that are asked for; they have to be of the version's own collection."""
    place = (found.entity, found.project, found.collection)
    for one in given["aliases"]:
        named = (one["entityName"], one["projectName"], one["artifactCollectionName"])
        if named != place:
            raise wrong("aliases", f"must be of {'/'.join(place)}, where the version is")
    return _aliases(given)


def _type(parent: Any, _ask: Ask, given: Given) -> Any:
    return {"id": ids.make("ArtifactType", given["name"]), "name": given["name"], "project": parent}
