"""The launch server as an agent sees it: work comes from there, and what happened goes there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, Protocol

from launchyard.domain.exchange import (
    AgentGrant,
    AgentHello,
    Answer,
    Caller,
    ClaimAnswer,
    ClaimRequest,
    Heartbeat,
    HeartbeatAnswer,
    Launching,
    Reclaim,
    ReclaimAnswer,
    Release,
    Report,
)


class ServerError(Exception):
    """The server did not do it; `retry` says whether the same call may succeed later.

    `status` is the HTTP status where there was one, else 0; `remedy` is for people.
    """

    def __init__(self, message: str, *, retry: bool, status: int = 0, remedy: str = "") -> None:
        super().__init__(message)
        self.retry = retry
        self.status = status
        self.remedy = remedy


class StaleAgentError(ServerError):
    """A newer start of this agent has registered: this one has to stop."""


class LaunchServer(Protocol):
    """What an agent asks of its server. Every call is thread-safe and ends within its time-out.

    Promises: no exception but `ServerError` leaves; calls may be repeated (PROTOCOL 3 and 4 say
    what a repeat means); batches answer element by element, in order.
    """

    def hello(self, hello: AgentHello) -> AgentGrant:
        """Register this start of the agent; raises its epoch."""
        ...

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Wait up to `request.wait_s` for work or commands."""
        ...

    def abort_claim(self, caller: Caller, claim_id: str) -> None:
        """End the waiting claim; items it was granted in the meantime are released."""
        ...

    def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer:
        """List every lease known here."""
        ...

    def launching(self, caller: Caller, batch: Sequence[Launching]) -> Sequence[Answer]:
        """Make the fenced write for each; only TAKEN permits a side effect."""
        ...

    def report(self, caller: Caller, batch: Sequence[Report]) -> Sequence[Answer]:
        """Hand over reports, in order per item."""
        ...

    def reclaim(self, reclaim: Reclaim) -> ReclaimAnswer:
        """Ask for an attempt back whose token went stale."""
        ...

    def release(self, caller: Caller, batch: Sequence[Release]) -> Sequence[Answer]:
        """Give attempts back."""
        ...

    def goodbye(self, caller: Caller) -> None:
        """Say that this agent stops; its released items do not wait for its lease to end."""
        ...


class LogCursorError(ServerError):
    """The server's cursor is elsewhere: resume at `cursor`, or drop what follows if `full`."""

    def __init__(self, cursor: int, *, full: bool = False) -> None:
        super().__init__(f"the server's cursor is {cursor}", retry=False, status=409)
        self.cursor = cursor
        self.full = full


class AttemptFiles(Protocol):
    """Where the bytes of an attempt go, and where archives come from."""

    def append_log(self, item: str, attempt: int, source: str, start: int, data: bytes) -> int:
        """Append *data* whose first byte is at *start*; return the new cursor.

        Raises:
            LogCursorError: the server's cursor is not *start*, or the quota is used up.
        """
        ...

    def put_output(self, item: str, attempt: int, path: str, file: BinaryIO) -> None:
        """Store one output under its relative *path*; repeating replaces it."""
        ...

    def open_archive(self, sha256: str) -> BinaryIO:
        """Open a code archive for reading.

        Raises:
            FileNotFoundError: the server has none of that digest.
        """
        ...
