"""Artifacts, and the files of runs and artifacts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, delete, func, select, update

from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.part import Part
from launchyard.adapters.sql.run_tables import artifacts, run_files, runs
from launchyard.adapters.sql.tables import entities
from launchyard.domain.documents import Json
from launchyard.ports.records import StoreError, Trouble
from launchyard.ports.tracking import COMMITTED, Artifact, KeptFile

_SHOWN = select(artifacts, entities.c.name.label("entity")).join(
    entities, entities.c.n == artifacts.c.entity_n
)
_ONE = _SHOWN.where(artifacts.c.id == bindparam("id"))
_OF_CLIENT = (
    _SHOWN.where(artifacts.c.client_id == bindparam("client_id")).order_by(artifacts.c.n).limit(1)
)
_ALL = _SHOWN.where(
    artifacts.c.entity_n == bindparam("entity_n"), artifacts.c.project == bindparam("project")
).order_by(artifacts.c.n)
_OF_COLLECTION = _ALL.where(artifacts.c.collection == bindparam("collection"))
_LAST = select(func.coalesce(func.max(artifacts.c.version), -1)).where(
    artifacts.c.entity_n == bindparam("entity_n"),
    artifacts.c.project == bindparam("project"),
    artifacts.c.collection == bindparam("collection"),
)
_SET = update(artifacts).where(artifacts.c.n == bindparam("b_n"))
_FILES = select(run_files).where(run_files.c.owner == bindparam("owner")).order_by(run_files.c.path)
_FILE = _FILES.where(run_files.c.path == bindparam("path"))
_DROP_FILE = (
    delete(run_files)
    .where(run_files.c.owner == bindparam("b_owner"), run_files.c.path == bindparam("b_path"))
    .returning(run_files.c.blob)
)
_RUN = (
    select(runs.c.n)
    .join(entities, entities.c.n == runs.c.entity_n)
    .where(
        entities.c.name == bindparam("entity"),
        runs.c.project == bindparam("project"),
        runs.c.name == bindparam("name"),
    )
)
_NUMBER = re.compile(r"v\d+\Z")
_MAKER = "made by"
"""Where `about` says of which item and run a version is; no client can write it."""

_ADD = artifacts.insert()
_ADD_FILE = run_files.insert()


class SqlArtifacts(Part):
    """The `Artifacts` part of the store."""

    def add_artifact(self, new: Artifact) -> Artifact:
        with self._db.write():
            entity_n = self._entity_n(new.entity)
            for row in self._versions(entity_n, new.project, new.collection):
                if new.item and row["kind"] != new.kind:
                    detail = f"{new.collection!r} has artifacts of type {row['kind']!r} alone"
                    raise StoreError(detail, Trouble.CONFLICT)
                same = row["digest"] == new.digest and row["kind"] == new.kind
                same = same and _item(row) == new.item
                if same and (row["state"] == COMMITTED or row["client_id"] == new.client_id != ""):
                    return self._aliased(row, new.aliases)
            self._db.run(
                _ADD,
                id=new.id,
                entity_n=entity_n,
                project=new.project,
                kind=new.kind,
                collection=new.collection,
                state=new.state,
                digest=new.digest,
                client_id=new.client_id,
                about=json.dumps({**new.about, _MAKER: [new.item, new.run]}),
                aliases=json.dumps(list(new.aliases)),
                created_ms=self._clock.now_ms(),
            )
            return self._artifact(new.id)

    def _aliased(self, row: Row, aliases: tuple[str, ...]) -> Artifact:
        """Give a version that is there already further aliases."""
        if row["state"] == COMMITTED:
            self._give(row, tuple(dict.fromkeys((*json.loads(row["aliases"]), *aliases))))
        return self._artifact(row["id"])

    def artifact(self, artifact: str) -> Artifact | None:
        with self._db.read():
            row = self._db.one(_ONE, id=artifact)
        return artifact_of(row) if row else None

    def artifact_of_client(self, client_id: str) -> Artifact | None:
        with self._db.read():
            row = self._db.one(_OF_CLIENT, client_id=client_id) if client_id else None
        return artifact_of(row) if row else None

    def artifacts(self, entity: str, project: str, collection: str = "") -> Sequence[Artifact]:
        with self._db.read():
            entity_n = self._entity_n(entity)
            if collection:
                rows = self._versions(entity_n, project, collection)
            else:
                rows = self._db.rows(_ALL, entity_n=entity_n, project=project)
        return [artifact_of(row) for row in rows]

    def commit_artifact(self, artifact: str) -> Artifact:
        with self._db.write():
            row = self._row(artifact)
            if row["state"] == COMMITTED:
                return artifact_of(row)
            where = {name: row[name] for name in ("entity_n", "project", "collection")}
            version = self._db.number(_LAST, **where) + 1
            self._db.run(_SET, b_n=row["n"], state=COMMITTED, version=version)
            self._give(row, tuple(dict.fromkeys(("latest", *json.loads(row["aliases"])))))
            return self._artifact(artifact)

    def _give(self, row: Row, aliases: tuple[str, ...]) -> None:
        """Let a version have *aliases*, and no other version of its collection.

        One that a job made goes without those that versions of others have, or are to have: a
        number means its version.
        """
        found = self._versions(row["entity_n"], row["project"], row["collection"])
        others = [one for one in found if one["n"] != row["n"] and one["state"] == COMMITTED]
        if item := _item(row):
            theirs = [one for one in others if _item(one) != item]
            taken = {alias for one in theirs for alias in json.loads(one["aliases"])}
            aliases = tuple(one for one in aliases if one not in taken and not _NUMBER.match(one))
        for other in others:
            had = json.loads(other["aliases"])
            left = [one for one in had if one not in aliases]
            if left != had:
                self._db.run(_SET, b_n=other["n"], aliases=json.dumps(left))
        self._db.run(_SET, b_n=row["n"], aliases=json.dumps(list(aliases)))

    def change_artifact(
        self, artifact: str, about: Mapping[str, Json], aliases: tuple[str, ...] | None
    ) -> Artifact:
        with self._db.write():
            row = self._row(artifact)
            told = {**json.loads(row["about"]), **about}
            self._db.run(_SET, b_n=row["n"], about=json.dumps(told))
            if aliases is not None:
                self._give(row, aliases)
            return self._artifact(artifact)

    def keep_file(self, file: KeptFile) -> str:
        with self._db.write():
            self._check_open(file.owner)
            before = self._db.one(_DROP_FILE, b_owner=file.owner, b_path=file.path)
            self._db.run(
                _ADD_FILE,
                owner=file.owner,
                path=file.path,
                size_b=file.size_b,
                sha256=file.sha256,
                md5=file.md5,
                blob=file.blob,
                created_ms=file.created_ms or self._clock.now_ms(),
            )
        return str(before["blob"]) if before else ""

    def _check_open(self, owner: str) -> None:
        """Refuse a file for what is gone, or for a version that is committed."""
        found = None
        match owner.split("/"):
            case ["run", entity, project, name]:
                found = self._db.one(_RUN, entity=entity, project=project, name=name)
            case [_, artifact]:
                found = self._db.one(_ONE, id=artifact)
                if found is not None and found["state"] == COMMITTED:
                    detail = f"{artifact_of(found).full_name} is committed, so its files stay"
                    raise StoreError(detail, Trouble.CONFLICT)
        if found is None:
            raise StoreError("what this file is for is gone", Trouble.NOT_FOUND)

    def kept_files(self, owner: str) -> Sequence[KeptFile]:
        with self._db.read():
            return [_file(row) for row in self._db.rows(_FILES, owner=owner)]

    def kept_file(self, owner: str, path: str) -> KeptFile | None:
        with self._db.read():
            row = self._db.one(_FILE, owner=owner, path=path)
        return _file(row) if row else None

    def _versions(self, entity_n: int, project: str, collection: str) -> Sequence[Row]:
        return self._db.rows(
            _OF_COLLECTION, entity_n=entity_n, project=project, collection=collection
        )

    def _row(self, artifact: str) -> Row:
        row = self._db.one(_ONE, id=artifact)
        if row is None:
            raise StoreError(f"there is no artifact {artifact!r}", Trouble.NOT_FOUND)
        return row

    def _artifact(self, artifact: str) -> Artifact:
        return artifact_of(self._row(artifact))


def _item(row: Row) -> str:
    return artifact_of(row).item


def artifact_of(row: Row) -> Artifact:
    """Return a version from its row, which has its entity's name."""
    about = json.loads(row["about"])
    item, run = about.pop(_MAKER, ("", ""))
    return Artifact(
        id=row["id"],
        entity=row["entity"],
        project=row["project"],
        kind=row["kind"],
        collection=row["collection"],
        digest=row["digest"],
        state=row["state"],
        version=row["version"],
        client_id=row["client_id"],
        about=about,
        aliases=tuple(json.loads(row["aliases"])),
        created_ms=row["created_ms"],
        item=item,
        run=run,
    )


def _file(row: Row) -> KeptFile:
    names = ("owner", "path", "size_b", "sha256", "md5", "blob", "created_ms")
    return KeptFile(**{name: row[name] for name in names})
