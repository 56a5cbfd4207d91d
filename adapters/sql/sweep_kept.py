"""Taking away what W&B's clients kept and nothing names any more: runs of no item, artifacts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import bindparam, delete, func, or_, select

from launchyard.adapters.sql.artifacts import artifact_of
from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.part import Part
from launchyard.adapters.sql.run_tables import artifacts, run_files, runs
from launchyard.adapters.sql.tables import entities, items
from launchyard.ports.housekeeping import OldArtifact, OldArtifacts, OldRun
from launchyard.ports.tracking import COMMITTED, Artifact, RunKey

_PAGE: Final = 1000
_KEY: Final = ("entity", "project", "name")
_ALONE: Final = (runs.c.item_seq.is_(None), runs.c.heard_ms < bindparam("before"))
_RUNS: Final = (
    select(runs.c.n, runs.c.project, runs.c.name, entities.c.name.label("entity"))
    .join(entities, entities.c.n == runs.c.entity_n)
    .where(*_ALONE)
    .order_by(runs.c.n)
)
_RUN: Final = _RUNS.where(runs.c.n == bindparam("n"))
_DROP_RUN: Final = delete(runs).where(runs.c.n == bindparam("b_n"))
_FILES: Final = select(run_files.c.size_b, run_files.c.blob).where(
    run_files.c.owner == bindparam("owner")
)
_DROP_FILES: Final = delete(run_files).where(run_files.c.owner == bindparam("b_owner"))
_VERSIONS: Final = select(artifacts, entities.c.name.label("entity")).join(
    entities, entities.c.n == artifacts.c.entity_n
)
_UNNAMED: Final = (
    _VERSIONS.where(artifacts.c.created_ms < bindparam("before"))
    .where(or_(artifacts.c.aliases == "[]", artifacts.c.state != COMMITTED))
    .order_by(artifacts.c.n)
)
_ONE: Final = _UNNAMED.where(artifacts.c.id == bindparam("id"))
_JOBS: Final = _VERSIONS.where(artifacts.c.kind == bindparam("kind")).order_by(artifacts.c.n)
_DROP: Final = delete(artifacts).where(artifacts.c.id == bindparam("b_id"))
_NEWEST: Final = select(func.coalesce(func.max(items.c.seq), 0))
_SPECS: Final = (
    select(items.c.seq, items.c.spec)
    .where(items.c.seq > bindparam("after"))
    .order_by(items.c.seq)
    .limit(_PAGE)
)
_JOB: Final = "job"


class SqlSweepKept(Part):
    """The `Housekeeping` of runs and artifacts."""

    def old_runs(self, before_ms: int) -> Sequence[OldRun]:
        with self._db.read():
            rows = self._db.rows(_RUNS, before=before_ms)
            return [self._run_to_go(row) for row in rows]

    def _run_to_go(self, row: Row) -> OldRun:
        files = self._db.rows(_FILES, owner=_owner(row))
        size_b = sum(file["size_b"] for file in files)
        return OldRun(n=row["n"], size_b=size_b, blobs=tuple(file["blob"] for file in files))

    def drop_run(self, n: int, before_ms: int) -> bool:
        with self._db.write():
            row = self._db.one(_RUN, n=n, before=before_ms)
            if row is None:
                return False
            self._db.run(_DROP_FILES, b_owner=_owner(row))
            self._db.run(_DROP_RUN, b_n=n)
            return True

    def old_artifacts(self, before_ms: int) -> OldArtifacts:
        with self._db.read():
            found = [artifact_of(row) for row in self._db.rows(_UNNAMED, before=before_ms)]
            seen = self._db.number(_NEWEST)
        if not found:
            return OldArtifacts(seen=seen)
        named = self._named_versions(found, 0)
        old = [self._version_to_go(one) for one in found if one.id not in named]
        jobs = [artifact_of(row) for row in self._db.rows(_JOBS, kind=_JOB)]
        return OldArtifacts(artifacts=old, jobs=[one.id for one in jobs], seen=seen)

    def _version_to_go(self, one: Artifact) -> OldArtifact:
        files = [file for owner in one.owners for file in self._db.rows(_FILES, owner=owner)]
        size_b = sum(file["size_b"] for file in files)
        blobs = tuple(file["blob"] for file in files)
        return OldArtifact(artifact=one, size_b=size_b, blobs=blobs)

    def _named_versions(self, found: Sequence[Artifact], after: int) -> set[str]:
        """Return which of *found* the launches behind number *after* name."""
        words = {
            json.dumps(one.full_name)[1:-1]: one.id for one in found if one.version is not None
        }
        return {words[word] for spec in self._specs_behind(after) for word in words if word in spec}

    def _specs_behind(self, after: int) -> Iterator[str]:
        while rows := self._db.rows(_SPECS, after=after):
            for row in rows:
                yield row["spec"]
            after = rows[-1]["seq"]

    def drop_artifact(self, artifact: str, before_ms: int, seen: int) -> bool:
        with self._db.write():
            row = self._db.one(_ONE, id=artifact, before=before_ms)
            if row is None or self._named_versions([artifact_of(row)], seen):
                return False
            for owner in artifact_of(row).owners:
                self._db.run(_DROP_FILES, b_owner=owner)
            self._db.run(_DROP, b_id=artifact)
            return True


def _owner(run: Row) -> str:
    return RunKey(**{name: run[name] for name in _KEY}).owner
