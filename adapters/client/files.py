"""The bytes of attempts over REST: logs and outputs up, archives down."""

from __future__ import annotations

import io
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Final, cast
from urllib.parse import quote

from launchyard.adapters.client.transport import STREAM_S, Call, Transport, place
from launchyard.ports.launch_server import LogCursorError, ServerError
from launchyard.ports.operator import OperatorError

_CONFLICT: Final = 409
_FULL: Final = 413
_MISSING: Final = 404
_IN_MEMORY_B: Final = 8 * 1024 * 1024


class RestAttemptFiles:
    """`AttemptFiles` over HTTP."""

    def __init__(self, base_url: str, key: str) -> None:
        self._http = Transport(base_url, key)

    def append_log(self, item: str, attempt: int, source: str, start: int, data: bytes) -> int:
        path = place("items", item, "attempts", attempt, "logs", source)
        call = Call(method="PUT", path=path, data=data, params={"start": str(start)})
        try:
            answer = self._http.json(call)
        except OperatorError as error:
            if error.status in {_CONFLICT, _FULL}:
                full = error.status == _FULL
                raise LogCursorError(error.refusal.cursor, full=full) from None
            raise
        cursor = answer.get("cursor") if isinstance(answer, dict) else None
        if not isinstance(cursor, int):
            raise ServerError("the server did not say where the log ends", retry=True)
        return cursor

    def put_output(self, item: str, attempt: int, path: str, file: BinaryIO) -> None:
        where = place("items", item, "attempts", attempt, "outputs") + f"/{quote(path)}"
        call = Call(method="PUT", path=where, data=body(file), read_s=STREAM_S)
        self._http.json(call)

    def open_archive(self, sha256: str) -> BinaryIO:
        """Fetch the whole archive first, so that a slow reader holds no connection."""
        call = Call(method="GET", path=place("archives", sha256), read_s=STREAM_S)
        into = cast("BinaryIO", SpooledTemporaryFile(_IN_MEMORY_B))  # noqa: SIM115 - the caller closes it
        try:
            for piece in self._http.pieces(call):
                into.write(piece)
        except BaseException as error:
            into.close()
            if isinstance(error, ServerError) and error.status == _MISSING:
                raise FileNotFoundError(f"the server has no archive {sha256}") from None
            raise
        into.seek(0)
        return into

    def close(self) -> None:
        """Close the connections of every thread."""
        self._http.close()


def body(file: BinaryIO) -> BinaryIO | bytes:
    """Return *file* as a request's body: requests would send an empty file in chunks."""
    here = file.tell()
    empty = file.seek(0, io.SEEK_END) == here
    file.seek(here)
    return b"" if empty else file
