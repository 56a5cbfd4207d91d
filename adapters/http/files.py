"""Routes of bytes: code archives and outputs."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO, Final, cast
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from launchyard.adapters.http.bodies import answer_value, part, path_whole, uploaded, whole
from launchyard.adapters.http.endpoint import Body, Endpoint, Needs
from launchyard.adapters.http.guard import only_own
from launchyard.adapters.http.house import House
from launchyard.adapters.http.keeping import fresh
from launchyard.adapters.http.problems import wrong
from launchyard.adapters.http.shapes import Outputs, OutputShown
from launchyard.domain.rights import Action
from launchyard.ports.records import FileRecord, StoreError, Trouble

_ARCHIVE: Final = "/api/v1/archives/{sha256}"
_OUTPUTS: Final = "/api/v1/items/{item}/outputs"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_PIECE_B: Final = 256 * 1024
_LONGEST_B: Final = 1024
_FRESH_MS: Final = 3_600_000
_LONGEST_PART_B: Final = 255


class FileRoutes:
    """What is too big for a row."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store, self._guard, self._blobs = house.store, house.guard, house.services.blobs

    def endpoints(self) -> Sequence[Endpoint]:
        """Return this topic's part of the table."""
        return (
            Endpoint(
                method="PUT",
                path=_ARCHIVE,
                handler=self.put_archive,
                does="Upload a code archive (tar.gz) by the SHA-256 of its bytes",
                needs=Needs.SUBMIT,
                takes=Body.BYTES,
                gives=OutputShown,
                status=201,
            ),
            Endpoint(
                method="HEAD",
                path=_ARCHIVE,
                handler=self.has_archive,
                does="Tell whether a code archive is there",
                needs=Needs.SUBMIT_OR_WORK,
            ),
            Endpoint(
                method="GET",
                path=_ARCHIVE,
                handler=self.archive,
                does="Fetch a code archive",
                needs=Needs.SUBMIT_OR_WORK,
                gives=Body.BYTES,
            ),
            Endpoint(
                method="PUT",
                path="/api/v1/items/{item}/attempts/{attempt}/outputs/{path:path}",
                handler=self.put_output,
                does="Store an output under its relative path; repeating replaces it",
                needs=Needs.WORK_OR_OWN,
                takes=Body.BYTES,
                gives=OutputShown,
                status=201,
            ),
            Endpoint(
                method="GET",
                path=_OUTPUTS,
                handler=self.outputs,
                does="List the files that an attempt left",
                needs=Needs.READ_OR_OWN,
                gives=Outputs,
                query={"attempt": "another attempt than the present one"},
            ),
            Endpoint(
                method="GET",
                path=f"{_OUTPUTS}/{{path:path}}",
                handler=self.output,
                does="Fetch one output",
                needs=Needs.READ,
                gives=Body.BYTES,
                query={"attempt": "another attempt than the present one"},
            ),
        )

    async def put_archive(self, request: Request) -> Response:
        self._guard.require_somewhere(request, Action.SUBMIT)
        sha256 = _sha256(request)
        limits = self._house.settings.archive
        async with uploaded(request, self._house.settings.scratch, limits.packed_b) as upload:
            if upload.sha256 != sha256:
                raise wrong("sha256", f"the body's SHA-256 is {upload.sha256}", "send it again")
            file = cast("BinaryIO", upload.file)
            await asyncio.to_thread(self._house.services.archives.inspect, file, limits)
            blob = f"archives/{sha256[:2]}/{sha256}"
            record = FileRecord(path=sha256, size_b=upload.size_b, sha256=sha256, blob=blob)
            self._house.arriving[sha256] += 1
            try:
                await self._house.keeper.put(blob, upload.file)
                self._store.put_archive(record)
            finally:
                self._house.arriving[sha256] -= 1
        return answer_value(_shown(record), 201)

    async def has_archive(self, request: Request) -> Response:
        self._guard.require_somewhere(request, Action.SUBMIT, Action.WORK)
        record = self._archive(_sha256(request))
        if self._house.services.clock.now_ms() - record.created_ms > _FRESH_MS:
            # Whoever asks is about to launch with it: housekeeping counts from here on.
            self._store.put_archive(replace(record, created_ms=0))
        return Response(headers={"X-Launchyard-Size": str(record.size_b)})

    async def archive(self, request: Request) -> Response:
        self._guard.require_code(request, _sha256(request))
        record = self._archive(_sha256(request))
        return await self._send(record, f"{record.sha256}.tar.gz")

    async def put_output(self, request: Request) -> Response:
        item, attempt = part(request, "item"), path_whole(request, "attempt")
        only_own(self._guard.require_item_or_own(request, Action.WORK, item), attempt)
        path = safe_path(part(request, "path"))
        self._store.expect_output(item, attempt, path)
        async with uploaded(
            request, self._house.settings.scratch, self._house.settings.output_b
        ) as upload:
            name = hashlib.sha256(path.encode()).hexdigest()
            blob = fresh(f"outputs/{_blob_part(item)}/{attempt}/{name}")
            record = FileRecord(path=path, size_b=upload.size_b, sha256=upload.sha256, blob=blob)
            await self._house.keeper.keep(
                blob, upload.file, lambda: self._store.put_output(item, attempt, record)
            )
        return answer_value(_shown(record), 201)

    async def outputs(self, request: Request) -> Response:
        item = part(request, "item")
        own = self._guard.require_item_or_own(request, Action.READ, item)
        attempt = self._attempt(request)
        only_own(own, attempt)
        found = self._store.outputs(item, attempt)
        return answer_value(Outputs(outputs=tuple(map(_shown, found))))

    async def output(self, request: Request) -> Response:
        item, path = part(request, "item"), part(request, "path")
        self._guard.require_item(request, Action.READ, item)
        for record in self._store.outputs(item, self._attempt(request)):
            if record.path == path:
                return await self._send(record, path.rpartition("/")[2])
        raise StoreError(f"this attempt left no {path}", Trouble.NOT_FOUND)

    def _attempt(self, request: Request) -> int:
        """Return the attempt that is asked for, by default the present one."""
        return whole(request, "attempt", 0) or self._store.item(part(request, "item")).attempt

    def _archive(self, sha256: str) -> FileRecord:
        record = self._store.archive(sha256)
        if record is None:
            raise StoreError(f"there is no archive {sha256}", Trouble.NOT_FOUND)
        return record

    async def _send(self, record: FileRecord, name: str) -> Response:
        """Stream bytes so that no browser runs or shows them."""
        file = await asyncio.to_thread(self._blobs.open, record.blob)
        headers = {
            "Content-Length": str(record.size_b),
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            "Content-Security-Policy": "sandbox",
            "ETag": f'"{record.sha256}"',
        }
        return StreamingResponse(
            pieces(file), headers=headers, media_type="application/octet-stream"
        )


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """Read a file piece by piece, and close it."""
    with file:
        while piece := file.read(_PIECE_B):
            yield piece


def safe_path(path: str) -> str:
    """Return an output's path, or refuse one that leads anywhere but below the outputs."""
    parts = path.split("/")
    if any(piece in {"", ".", ".."} for piece in parts) or "\\" in path:
        raise wrong("path", "must be relative, without empty parts, `.`, `..` or backslashes")
    if not path.isprintable() or "\ufffd" in path:
        raise wrong("path", "must be readable text")
    longest = max(len(piece.encode()) for piece in parts)
    if len(path.encode()) > _LONGEST_B or longest > _LONGEST_PART_B:
        raise wrong("path", f"must be at most {_LONGEST_B} bytes, {_LONGEST_PART_B} in each part")
    return path


def _sha256(request: Request) -> str:
    text = part(request, "sha256")
    if not _SHA256.fullmatch(text):
        raise wrong("sha256", "must be the 64 hexadecimal digits of a SHA-256, in lower case")
    return text


def _blob_part(item: str) -> str:
    """Return an item's id as a blob's name takes it."""
    return item if re.fullmatch(r"[a-z0-9-]+", item) else hashlib.sha256(item.encode()).hexdigest()


def _shown(record: FileRecord) -> OutputShown:
    return OutputShown(
        path=record.path,
        size_b=record.size_b,
        sha256=record.sha256,
        created_ms=record.created_ms,
    )
