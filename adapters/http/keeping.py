"""Bytes and the rows that name them: neither is left without the other."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import IO, BinaryIO, Final, Protocol, TypeVar, cast

from launchyard.adapters.http.storage_faults import Storage, StorageFaults
from launchyard.ports.blobs import BlobError, Blobs

_LOG: Final = logging.getLogger("launchyard.http")
_T = TypeVar("_T")


class Write(Protocol):
    """Makes a change of the store durable."""

    def __call__(self, change: Callable[[], _T]) -> Awaitable[_T]:
        """Return what *change* returns."""
        ...


class Keeper:
    """Writes bytes before rows and deletes them after: a crash leaves bytes, never a hole."""

    def __init__(self, blobs: Blobs, write: Write, faults: StorageFaults) -> None:
        self._blobs, self._write, self._faults = blobs, write, faults

    async def put(self, blob: str, file: IO[bytes]) -> None:
        """Keep all of *file*.

        Raises:
            BlobError: it could not be kept.
        """
        file.seek(0)
        await asyncio.to_thread(self._blobs.put, blob, cast("BinaryIO", file))
        self._faults.worked(Storage.FILES)

    async def keep(self, blob: str, file: IO[bytes], note: Callable[[], str]) -> None:
        """Keep bytes under a name of their own, then the row; *note* returns whose place it takes.

        Raises:
            BlobError: the bytes could not be kept.
            StoreError: the row was refused, and the bytes are gone again.
        """
        await self.put(blob, file)
        try:
            before = await self._write(note)
        except Exception:
            await self.forget([blob])
            raise
        if before and before != blob:
            await self.forget([before])

    async def forget(self, blobs: Iterable[str]) -> None:
        """Delete bytes that no row names any more; one that cannot be deleted hinders no other."""
        for blob in blobs:
            try:
                await asyncio.to_thread(self._blobs.delete, blob)
            except BlobError as error:
                _LOG.warning("bytes that nothing names stay: %s", error)


def fresh(name: str) -> str:
    """Return a blob's name that no upload had before, so that no upload changes another's bytes."""
    return f"{name}-{secrets.token_hex(8)}"
