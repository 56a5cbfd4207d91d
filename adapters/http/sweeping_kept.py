"""Keeping house among runs and artifacts of W&B's clients."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Iterable, Sequence
from typing import Final

from launchyard.adapters.http.graphql import ids
from launchyard.adapters.http.house import House
from launchyard.domain.wandb_job import FILE
from launchyard.ports.blobs import BlobError
from launchyard.ports.housekeeping import Gone, Kind
from launchyard.ports.store import Store
from launchyard.ports.tracking import Artifact, files_of

_PAUSE_S: Final = 0.005
_MOST_B: Final = 1024 * 1024
_LOG: Final = logging.getLogger("launchyard.http")


class KeptSweeper:
    """Takes away runs of no item, and versions of artifacts that nothing names any more.

    Rows go first, in a transaction that looks once more; a crash then leaves bytes, no holes.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._store, self._blobs = house.store, house.services.blobs

    async def runs(self, before_ms: int, dry_run: bool) -> Gone:  # noqa: FBT001 - see the plan
        gone = Gone(kind=Kind.RUNS)
        for old in await self._house.search(lambda store: store.old_runs(before_ms)):
            if not dry_run:
                if not self._store.drop_run(old.n, before_ms):
                    continue
                await self._delete(old.blobs)
            gone = gone.plus(1, old.size_b)
        return gone

    async def artifacts(self, before_ms: int, dry_run: bool) -> Gone:  # noqa: FBT001
        gone = Gone(kind=Kind.ARTIFACTS)
        found = await self._house.search(lambda store: store.old_artifacts(before_ms))
        try:
            named = await self._named(found.jobs) if found.artifacts else ""
        except BlobError as error:
            _LOG.warning("housekeeping leaves artifacts: a job cannot be read: %s", error)
            return gone
        for old in found.artifacts:
            if any(mark in named for mark in _marks(old.artifact)):
                continue
            if not dry_run:
                if not self._store.drop_artifact(old.artifact.id, before_ms, found.seen):
                    continue
                await self._delete(old.blobs)
            gone = gone.plus(1, old.size_b)
        return gone

    async def _named(self, jobs: Sequence[str]) -> str:
        """Return what all jobs say, in which the artifacts of their code are named."""

        def files(store: Store) -> list[str]:
            found = (store.kept_file(files_of(job), FILE) for job in jobs)
            return [file.blob for file in found if file is not None]

        blobs = await self._house.search(files)
        return "\n".join([await asyncio.to_thread(self._text, blob) for blob in blobs])

    def _text(self, blob: str) -> str:
        with self._blobs.open(blob) as file:
            return file.read(_MOST_B).decode(errors="replace")

    async def _delete(self, blobs: Iterable[str]) -> None:
        await self._house.keeper.forget(blobs)
        await asyncio.sleep(_PAUSE_S)


def _marks(artifact: Artifact) -> tuple[str, ...]:
    """Return under what a job may name the version: its id in two forms, or its name."""
    known = ids.make("Artifact", artifact.id)
    in_hex = base64.b64decode(known).hex()
    return known, in_hex, f"{artifact.collection}:v{artifact.version}"
