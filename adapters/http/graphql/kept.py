"""Bytes of runs and artifacts: signed addresses to send them to and to fetch them from.

Clients show no key there, as W&B's point to somebody's bucket; the address itself says what it is
good for and until when, and nobody else can make one.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from functools import partial
from typing import IO, Any, BinaryIO, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from launchyard.adapters.http.bodies import part, uploaded, whole
from launchyard.adapters.http.endpoint import Body, Endpoint, Needs
from launchyard.adapters.http.files import pieces, safe_path
from launchyard.adapters.http.graphql.ask import Ask
from launchyard.adapters.http.graphql.moments import iso
from launchyard.adapters.http.house import House
from launchyard.adapters.http.keeping import fresh
from launchyard.adapters.http.problems import RefusalError
from launchyard.domain.attempt_token import AttemptClaim
from launchyard.ports.blobs import BlobError
from launchyard.ports.records import StoreError, Trouble
from launchyard.ports.tracking import COMMITTED, Artifact, KeptFile, Run, RunKey

_PATH: Final = "/wandb/{verb}/{owner}/{path:path}"
_GOOD_FOR_MS: Final = 24 * 3600 * 1000
_PIECE_B: Final = 256 * 1024


class Kept:
    """Makes addresses, and serves them."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store, self._blobs = house.store, house.services.blobs

    def endpoints(self) -> Sequence[Endpoint]:
        """Return this topic's part of the table."""
        what = {"path": _PATH, "needs": Needs.NOTHING}
        return (
            Endpoint(
                method="PUT",
                handler=self.put,
                does="Take the bytes of a file; the address is signed",
                takes=Body.BYTES,
                **what,  # type: ignore[arg-type]
            ),
            Endpoint(
                method="GET",
                handler=self.get,
                does="Give the bytes of a file; the address is signed",
                gives=Body.BYTES,
                **what,  # type: ignore[arg-type]
            ),
        )

    def upload(self, ask: Ask, owner: str, path: str) -> dict[str, Any]:
        """Return a file that is to be uploaded."""
        safe_path(path)
        return {
            "name": path,
            "displayName": path,
            "uploadUrl": self._address(ask, "put", owner, path),
            "uploadHeaders": [],
            "storagePath": f"{owner}/{path}",
        }

    def listed(
        self, ask: Ask, owner: str, names: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        """Return an owner's files, or those of *names*."""
        return [
            self.shown(ask, file)
            for file in self._store.kept_files(owner)
            if not names or file.path in names
        ]

    def shown(self, ask: Ask, file: KeptFile) -> dict[str, Any]:
        """Return a file's fields, with where to fetch it."""
        url = self._address(ask, "get", file.owner, file.path)
        return {
            "id": base64.b64encode(f"{file.owner}/{file.path}".encode()).decode(),
            "name": file.path,
            "displayName": file.path,
            "url": url,
            "directUrl": url,
            "storagePath": f"{file.owner}/{file.path}",
            "sizeBytes": file.size_b,
            "md5": file.md5,
            "digest": file.md5,
            "updatedAt": iso(file.created_ms),
        }

    def _address(self, ask: Ask, verb: str, owner: str, path: str) -> str:
        until = self._house.services.clock.now_ms() + _GOOD_FOR_MS
        whose = _whose(ask)
        signature = self._house.services.vault.sign(_subject(verb, owner, until, path, whose))
        # No log has what follows the question mark.
        proof = f"until={until}&attempt={whose}&signature={signature}"
        return f"{ask.base}/wandb/{verb}/{_packed(owner)}/{quote(path)}?{proof}"

    def _checked(self, request: Request, verb: str) -> tuple[str, str]:
        """Return owner and path of a signed address, or refuse it."""
        owner, path = _unpacked(part(request, "owner")), part(request, "path")
        until = whole(request, "until", 0)
        whose = request.query_params.get("attempt", "")
        subject = _subject(verb, owner, until, path, whose)
        signature = request.query_params.get("signature", "")
        good = self._house.services.vault.is_signed(subject, signature)
        if part(request, "verb") != verb or not good:
            raise RefusalError(403, "forbidden", "this address was not made by this server")
        if until < self._house.services.clock.now_ms():
            raise RefusalError(403, "forbidden", "this address is too old", remedy="ask anew")
        if whose and not self._house.guard.runs(_claim(whose)):
            raise RefusalError(403, "forbidden", "the attempt that this address is of is over")
        return owner, path

    async def put(self, request: Request) -> Response:
        owner, path = self._checked(request, "put")
        self._check_open(owner)
        limit = self._house.settings.output_b
        async with uploaded(request, self._house.settings.scratch, limit) as upload:
            md5 = await asyncio.to_thread(_md5, upload.file)
            name = hashlib.sha256(f"{owner}\n{path}".encode()).hexdigest()
            file = KeptFile(
                owner=owner,
                path=path,
                size_b=upload.size_b,
                sha256=upload.sha256,
                md5=md5,
                blob=fresh(f"kept/{name[:2]}/{name}"),
            )
            keep = partial(self._store.keep_file, file)  # it looks once more: bytes take their time
            await self._house.keeper.keep(file.blob, upload.file, keep)
        return Response(status_code=200)

    def _check_open(self, owner: str) -> None:
        """Refuse files for what is gone, and for what is not to change any more."""
        found = self._owner(owner)
        if found is None:
            raise StoreError("what this address is for is gone", Trouble.NOT_FOUND)
        if isinstance(found, Artifact) and found.state == COMMITTED:
            detail = f"{found.full_name} is committed, so its files stay"
            raise RefusalError(403, "forbidden", detail, remedy="make another version")

    def _owner(self, owner: str) -> Run | Artifact | None:
        match owner.split("/"):
            case ["run", entity, project, name]:
                return self._store.run(RunKey(entity=entity, project=project, name=name))
            case [_, artifact]:
                return self._store.artifact(artifact)
            case _:
                return None

    async def get(self, request: Request) -> Response:
        owner, path = self._checked(request, "get")
        found, file = await self._opened(owner, path)
        headers = {
            "Content-Length": str(found.size_b),
            "Content-Security-Policy": "sandbox",
            "ETag": f'"{found.sha256}"',
        }
        return StreamingResponse(
            pieces(file), headers=headers, media_type="application/octet-stream"
        )

    async def _opened(self, owner: str, path: str) -> tuple[KeptFile, BinaryIO]:
        """Open a file as it is now, if need be once more: an upload may have taken its place."""
        blob = ""
        while True:
            found = self._store.kept_file(owner, path)
            if found is None:
                raise StoreError(f"there is no file {path}", Trouble.NOT_FOUND)
            try:
                return found, await asyncio.to_thread(self._blobs.open, found.blob)
            except BlobError as error:
                if not error.missing or found.blob == blob:
                    raise
                blob = found.blob


def _whose(ask: Ask) -> str:
    """Return whose attempt an address is of, with which it ends; nothing for a key's."""
    return f"{ask.own.item}/{ask.own.attempt}" if ask.own else ""


def _claim(whose: str) -> AttemptClaim:
    """Return the attempt in a signed address."""
    item, _, attempt = whose.partition("/")
    return AttemptClaim(item, int(attempt), "")


def _subject(*parts: object) -> str:
    return json.dumps(["kept file", *parts])


def _packed(owner: str) -> str:
    return base64.urlsafe_b64encode(owner.encode()).decode()


def _unpacked(text: str) -> str:
    try:
        return base64.b64decode(text, b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _md5(file: IO[bytes]) -> str:
    """Return what W&B calls a file's digest, and leave the file at its start."""
    digest = hashlib.md5(usedforsecurity=False)
    while piece := file.read(_PIECE_B):
        digest.update(piece)
    file.seek(0)
    return base64.b64encode(digest.digest()).decode()
