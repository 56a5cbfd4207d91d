"""Reading requests: bodies with limits, JSON without surprises, parameters with a range."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, Final, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from launchyard.adapters.http.problems import RefusalError, wrong
from launchyard.domain.archive import mebibytes
from launchyard.domain.documents import Json
from launchyard.domain.remotes import hide_user_data
from launchyard.domain.wire import MOST_WHOLE, from_json, to_json
from launchyard.ports.blobs import BlobError
from launchyard.ports.records import ItemView

_T = TypeVar("_T")
_DEEPEST: Final = 200
_LONGEST: Final = 40


def answer_json(document: Json, status: int = 200) -> Response:
    """Answer with a document."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return Response(body, status, media_type="application/json")


def answer_value(value: object, status: int = 200) -> Response:
    """Answer with a value in its form on the wire."""
    return answer_json(to_json(value), status)


def item_document(view: ItemView) -> dict[str, Json]:
    """Return *view* on the wire; the user data of an address is for its agent alone."""
    document = fields(to_json(view))
    return document | {"spec": hide_user_data(document.get("spec"))}


def answer_item(view: ItemView, status: int = 200) -> Response:
    """Answer with an item."""
    return answer_json(item_document(view), status)


async def read_bytes(request: Request, most_b: int) -> bytes:
    """Return the body, which may be *most_b* long.

    Raises:
        RefusalError: it is longer; nothing beyond the limit was kept.
    """
    _check_length(request, most_b)
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > most_b:
            raise _too_big(most_b)
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def read_json(request: Request, most_b: int) -> Json:
    """Return the document in the body."""
    body = await read_bytes(request, most_b)
    try:
        document = parse(body)
        _check_depth_and_text(document, body)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise wrong("body", f"is no JSON: {reason}") from None
    return document


async def read_value(request: Request, kind: type[_T], most_b: int) -> _T:
    """Return the *kind* in the body."""
    return from_json(kind, await read_json(request, most_b))


def parse(text: str | bytes) -> Json:
    """Return the document in *text*, whose numbers are such as JSON can write again.

    Raises:
        ValueError: it is no JSON, or holds a number that is too large for us.
        RecursionError: it is nested too deeply.
    """
    document: Json = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    return document


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:_LONGEST]} is too large")
    return number


def _check_depth_and_text(document: Json, body: bytes) -> None:
    """Refuse what a database could not keep: half characters, and nesting that eats the stack."""
    if b"\\u" in body:
        json.dumps(document, ensure_ascii=False).encode()
    if body.count(b"[") + body.count(b"{") > _DEEPEST and _depth(document) > _DEEPEST:
        raise RecursionError


def _depth(document: Json) -> int:
    """Measure without recursion, level by level."""
    level: list[Json] = [document]
    depth = 0
    while level:
        depth += 1
        inner: list[Json] = []
        for value in level:
            if isinstance(value, dict):
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
        level = inner
    return depth


@dataclass(frozen=True, slots=True)
class Upload:
    """A body in a temporary file, at its start."""

    file: IO[bytes]
    size_b: int
    sha256: str


@asynccontextmanager
async def uploaded(request: Request, folder: str, most_b: int) -> AsyncIterator[Upload]:
    """Take the body into a temporary file, which is gone afterwards.

    Raises:
        BlobError: the folder's disk does not take it.
        RefusalError: it is longer than *most_b*.
    """
    _check_length(request, most_b)
    with _in_words(folder):
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed below
    try:
        digest, size = hashlib.sha256(), 0
        async for piece in request.stream():
            size += len(piece)
            if size > most_b:
                raise _too_big(most_b)
            digest.update(piece)
            with _in_words(folder):
                file.write(piece)
        with _in_words(folder):
            file.seek(0)  # writes what is left
        yield Upload(file, size, digest.hexdigest())
    finally:
        with suppress(OSError):  # what could not be written is tried once more, and still fails
            file.close()


@contextmanager
def _in_words(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        text = f"cannot take an upload in {folder}: {e.strerror or e}"
        raise BlobError(text, full=e.errno in {errno.ENOSPC, errno.EDQUOT}) from e


def _check_length(request: Request, most_b: int) -> None:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most_b:
        raise _too_big(most_b)


def _too_big(most_b: int) -> RefusalError:
    return RefusalError(413, "too_big", f"the body may be at most {mebibytes(most_b)}")


def whole(request: Request, name: str, default: int, least: int = 0, most: int = MOST_WHOLE) -> int:
    """Return a whole number among the query's parameters."""
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
        raise wrong(name, f"must be a whole number from {least} to {most}")
    return int(text)


def flag(request: Request, name: str) -> bool:
    """Return a switch among the query's parameters."""
    text = request.query_params.get(name, "").lower()
    if text not in {"", "0", "1", "true", "false"}:
        raise wrong(name, "must be 1 or 0")
    return text in {"1", "true"}


def part(request: Request, name: str) -> str:
    """Return a part of the path."""
    return str(request.path_params[name])


def path_whole(request: Request, name: str) -> int:
    """Return a whole number in the path."""
    text = part(request, name)
    if not text.isascii() or not text.isdigit() or int(text[:20]) > MOST_WHOLE:
        raise wrong(name, "must be a whole number")
    return int(text)


def fields(document: Json) -> dict[str, Any]:
    """Return an object, or say that the body is none."""
    if not isinstance(document, dict):
        raise wrong("body", "must be an object")
    return document


__all__ = [
    "ClientDisconnect",
    "Upload",
    "answer_json",
    "answer_value",
    "fields",
    "flag",
    "parse",
    "part",
    "path_whole",
    "read_bytes",
    "read_json",
    "read_value",
    "uploaded",
    "whole",
]
