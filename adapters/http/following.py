"""How far a follower of an item has come, and when nothing more will come."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final

from launchyard.adapters.http.house import House
from launchyard.adapters.http.sse import event
from launchyard.domain.attempt import AttemptState
from launchyard.domain.item import ItemState
from launchyard.ports.records import ItemView

_PIECE_B: Final = 256 * 1024


class Patience:
    """Decides when nothing more will come of an item that has ended."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._since: float | None = None

    def is_over(self, view: ItemView, *, changed: bool) -> bool:
        """Tell whether the log is complete, or as complete as it will ever be."""
        if view.state is not ItemState.DONE:
            self._since = None
            return False
        if view.logs_complete or not view.agent or view.attempt_state is AttemptState.LOST:
            return True
        now = asyncio.get_running_loop().time()
        if self._since is None or changed:
            self._since = now
        return now - self._since > self._grace_s


class LogReader:
    """One reader's place in the log of an attempt: all of its sources, or one."""

    def __init__(self, house: House, item: str, attempt: int, source: str, start: int) -> None:
        self.item, self.attempt = item, attempt
        self._store, self._source, self._start = house.store, source, start
        self._places: dict[str, int] = {}
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}

    def ends(self) -> dict[str, int]:
        """Return where each of the wanted sources ends now; builds come first."""
        cursors = self._store.log_cursors(self.item, self.attempt)
        wanted = [name for name in cursors if self._source in {"", name}]
        return {name: cursors[name] for name in sorted(wanted, key=lambda n: (n != "build", n))}

    async def until(self, ends: Mapping[str, int]) -> AsyncIterator[bytes]:
        """Give the bytes from the start on, of each source to its end, though more may be there.

        An async iterator, because the framework would run a plain one in another thread.
        """
        for source, end in ends.items():
            at = self._start
            while at < end:
                most_b = min(_PIECE_B, end - at)
                chunk = self._store.read_log(self.item, self.attempt, source, at, most_b)
                if not chunk.data:
                    break
                yield chunk.data
                at = chunk.to

    def chunks(self, *, final: bool = False) -> Iterator[bytes]:
        """Give an event for each piece of text that is new; half a character waits for its rest."""
        for source, end in self.ends().items():
            at = self._places.setdefault(source, self._start)
            while at < end:
                chunk = self._store.read_log(self.item, self.attempt, source, at, _PIECE_B)
                if not chunk.data:
                    break
                yield self._event(source, at, chunk.to, self._text(source, chunk.data))
                at = self._places[source] = chunk.to
            if final and (rest := self._text(source, b"", final=True)):
                yield self._event(source, at, at, rest)

    def _text(self, source: str, data: bytes, *, final: bool = False) -> str:
        if source not in self._decoders:
            self._decoders[source] = codecs.getincrementaldecoder("utf-8")("replace")
        return self._decoders[source].decode(data, final)

    @staticmethod
    def _event(source: str, start: int, to: int, text: str) -> bytes:
        return event("chunk", {"source": source, "start": start, "to": to, "text": text})
