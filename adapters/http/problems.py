"""Refusals as people and programs read them: `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteError
from starlette.requests import Request
from starlette.responses import Response

from launchyard.domain.config.problem import DocumentError, Problem
from launchyard.domain.documents import dotted
from launchyard.domain.wire import WireError
from launchyard.ports.archive import ArchiveError, ArchiveTrouble
from launchyard.ports.blobs import BlobError
from launchyard.ports.records import StoreError, Trouble

_STATUS: Final[Mapping[Trouble, int]] = {
    Trouble.NOT_FOUND: 404,
    Trouble.EXISTS: 409,
    Trouble.CONFLICT: 409,
    Trouble.STALE_AGENT: 410,
    Trouble.NOT_EMPTY: 409,
    Trouble.PAST_QUOTA: 413,
    Trouble.CURSOR: 409,
    Trouble.UNAVAILABLE: 503,
}
_REMEDY: Final[Mapping[Trouble, str]] = {
    Trouble.EXISTS: "choose another name, or change the one that is there",
    Trouble.STALE_AGENT: "a newer start of this agent has registered; stop this one",
    Trouble.NOT_EMPTY: "cancel its items, or wait for their end",
    Trouble.UNAVAILABLE: "try again; the server's log says what its database does",
}
_MAKE_ROOM: Final = "free some space on the server's disk (`launchyard gc` may), then try again"
_LOOK: Final = "try again; the server's log says what its disk answers"
_ARCHIVE: Final[Mapping[ArchiveTrouble, int]] = {
    ArchiveTrouble.REFUSED: 422,
    ArchiveTrouble.CORRUPT: 422,
    ArchiveTrouble.UNREADABLE: 422,
    ArchiveTrouble.TOO_BIG: 413,
    ArchiveTrouble.DISK_FULL: 507,
}


class RefusalError(Exception):
    """A request that is refused; *more* goes into the document as it is."""

    def __init__(
        self, status: int, word: str, detail: str, *, remedy: str = "", **more: object
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.word = word
        self.detail = detail
        self.remedy = remedy
        self.more = more


def refusal(error: RefusalError) -> Response:
    """Write *error* as an answer."""
    document: dict[str, Any] = {
        "type": f"urn:launchyard:{error.word}" if error.word else "about:blank",
        "title": _title(error.status),
        "status": error.status,
        "detail": error.detail,
    }
    if error.remedy:
        document["remedy"] = error.remedy
    headers = dict(_HEADERS.get(error.status, {}))
    if after_s := error.more.get("retry_after_s"):
        headers["Retry-After"] = str(after_s)
    body = json.dumps(document | error.more).encode()
    return Response(body, error.status, headers, media_type="application/problem+json")


_HEADERS: Final[Mapping[int, Mapping[str, str]]] = {
    401: {"WWW-Authenticate": 'Bearer realm="launchyard"'},
    503: {"Retry-After": "1"},
}


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def invalid(problems: Iterable[Problem], what: str = "the request") -> RefusalError:
    """Say all that is wrong with a document, each with its place."""
    told = [
        {"path": dotted(p.path), "message": p.message, "hint": p.hint, "allowed": p.allowed}
        | ({"line": p.line} if p.line else {})
        for p in problems
    ]
    first = f": {told[0]['path']}: {told[0]['message']}" if told else ""
    return RefusalError(422, "invalid", f"{what} is not valid{first}", problems=told)


def wrong(path: str, message: str, hint: str = "") -> RefusalError:
    """Say what is wrong with one parameter or field."""
    problem = {"path": path, "message": message, "hint": hint, "allowed": ""}
    return RefusalError(422, "invalid", f"{path}: {message}", problems=[problem])


def from_store(error: StoreError) -> RefusalError:
    """Turn a store's refusal into an answer."""
    known = list(error.known)
    more: dict[str, object] = {"known": known} if known else {}
    if error.trouble in {Trouble.CURSOR, Trouble.PAST_QUOTA}:
        more["cursor"] = error.cursor
    if error.trouble is Trouble.PAST_QUOTA:
        more["full"] = True
    remedy = _REMEDY.get(error.trouble, "")
    if known:
        remedy = f"did you mean {' or '.join(known[:3])}?"
    return RefusalError(_STATUS[error.trouble], error.trouble, str(error), remedy=remedy, **more)


def from_archive(error: ArchiveError) -> RefusalError:
    """Turn a judgement about an archive into an answer."""
    words = {ArchiveTrouble.TOO_BIG: "too_big", ArchiveTrouble.DISK_FULL: "disk_full"}
    word = words.get(error.trouble, "invalid")
    return RefusalError(_ARCHIVE[error.trouble], word, str(error))


def from_blobs(error: BlobError) -> RefusalError:
    """Turn trouble with the bytes into an answer."""
    if error.missing:
        return RefusalError(404, "not_found", "the bytes are no longer there")
    if error.full:
        detail = "the server's disk is full, so the bytes were not kept"
        return RefusalError(507, "disk_full", detail, remedy=_MAKE_ROOM)
    detail, remedy = "the bytes cannot be read or kept now", _LOOK
    return RefusalError(503, "unavailable", detail, remedy=remedy)


def from_wire(error: WireError) -> RefusalError:
    """Turn a wrong form into an answer."""
    return wrong(dotted(error.path) or "body", error.message)


def translate(error: Exception) -> RefusalError | None:
    """Return the refusal that *error* stands for, or None when it is a bug."""
    done: RefusalError | None = None
    match error:
        case RefusalError():
            done = error
        case StoreError():
            done = from_store(error)
        case WireError():
            done = from_wire(error)
        case DocumentError():
            done = invalid(error.problems)
        case ArchiveError():
            done = from_archive(error)
        case BlobError():
            done = from_blobs(error)
    return done


EXPECTED: Final = (
    RefusalError,
    StoreError,
    WireError,
    DocumentError,
    ArchiveError,
    BlobError,
    StarletteError,
    RequestValidationError,
)
"""The errors that have an answer; every other one is a bug and says only its request's id."""


async def answer(_request: Request, error: Exception) -> Response:
    """Answer for one of the `EXPECTED` errors."""
    if isinstance(error, StarletteError):
        word = {404: "not_found", 405: "invalid"}.get(error.status_code, "")
        done = refusal(RefusalError(error.status_code, word, _NO_ROUTE.get(error.status_code, "")))
        done.headers.update(error.headers or {})
        return done
    return refusal(translate(error) or RefusalError(422, "invalid", "the request is not valid"))


_NO_ROUTE: Final[Mapping[int, str]] = {
    404: "there is nothing at this address",
    405: "this address knows other methods only",
}
