"""Names of things as clients carry them around: opaque to them, and complete for us.

An id holds what it names, so there is no table of ids, and each look-up asks for rights anew.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Final

from launchyard.adapters.http.bodies import parse
from launchyard.domain.documents import Json
from launchyard.ports.records import StoreError, Trouble

_LONGEST_B: Final = 1024 * 1024


def make(kind: str, *parts: str) -> str:
    """Return the id of the *kind* of thing that *parts* name."""
    return base64.b64encode(":".join((kind, "v1", *parts)).encode()).decode()


def parts(kind: str, text: str, count: int) -> tuple[str, ...]:
    """Return the *count* parts of an id; what a colon may stand in comes first.

    Raises:
        StoreError: NOT_FOUND, if it is no id of that kind.
    """
    try:
        plain = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        raise _unknown(kind, text) from None
    head = f"{kind}:v1:"
    found = tuple(plain.removeprefix(head).rsplit(":", count - 1))
    if not plain.startswith(head) or len(found) != count or not all(found):
        raise _unknown(kind, text)
    return found


def pack(kind: str, document: Json) -> str:
    """Return an id that carries a whole *document*, which is kept nowhere else."""
    packed = zlib.compress(json.dumps(document, separators=(",", ":")).encode())
    return make(kind, base64.b64encode(packed).decode())


def unpack(kind: str, text: str) -> Json:
    """Return the document in an id.

    Raises:
        StoreError: NOT_FOUND, if it is no id of that kind.
    """
    (packed,) = parts(kind, text, 1)
    try:
        reader = zlib.decompressobj()
        plain = reader.decompress(base64.b64decode(packed, validate=True), _LONGEST_B)
        if reader.unconsumed_tail:
            raise _unknown(kind, text)
        document = parse(plain)
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        raise _unknown(kind, text) from None
    return document


def _unknown(kind: str, text: str) -> StoreError:
    return StoreError(f"there is no {kind} {text[:80]!r}", Trouble.NOT_FOUND)
