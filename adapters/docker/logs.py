"""Bytes of a container's log by their offset, out of an engine that knows times alone.

An engine gives the entries of a log in the order of their writing, all of them or those from a
time on. A `Mark` is a place in that order: how many entries since some time are behind it. Two
outputs are written by two threads, so times may be out of order by a little; a mark's time
therefore lies well before its place. An engine that has put entries away for ever is no longer
where a mark is; that is told in the log itself, which then goes on with all that is there.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from launchyard.adapters.docker.client import GONE, Engine, EngineError, Stream

_BEHIND_US: Final = 2_000_000
_SETTLED_S: Final = 5.0
_PUT_AWAY: Final = (
    b"[launchyard: the engine has put an older part of this log away; "
    b"lines may be missing here, or come again]\n"
)
_STAMP: Final = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) ?")


@dataclass(frozen=True, slots=True)
class Mark:
    """A place: `offset` bytes from the beginning.

    `count` entries from `since` on are behind it, and `part` bytes of the next one. `next_since`
    and `next_count` are what these become once the log has gone on for long enough. A count of -1
    has all entries ahead of it, and before them the words that earlier ones are gone.
    """

    offset: int = 0
    since: int = 0
    count: int = 0
    next_since: int = 0
    next_count: int = 0
    part: int = 0
    newest: int = 0

    def past(self, length: int, at: int) -> Mark:
        """Return the place after the next entry, of which *length* bytes were still to come."""
        mark = replace(
            self,
            offset=self.offset + length,
            count=self.count + (at >= self.since),
            next_count=self.next_count + (at >= self.next_since),
            part=0,
            newest=max(self.newest, at),
        )
        if at < self.next_since + _BEHIND_US:
            return mark
        return replace(
            mark, since=mark.next_since, count=mark.next_count, next_since=at, next_count=1
        )

    def inside(self, length: int) -> Mark:
        """Return the place *length* bytes on, within the next entry."""
        return replace(self, offset=self.offset + length, part=self.part + length)

    def settled(self) -> Mark:
        """Return the same place by the newest time alone: all until then is behind it."""
        after = self.newest + 1
        return replace(self, since=after, count=0, next_since=after, next_count=0)

    @classmethod
    def anew(cls, offset: int) -> Mark:
        """Return the place before all that the engine has, *offset* bytes having been before."""
        return cls(offset, count=-1, next_count=-1)


class _Reading:
    """A stream of a log's entries from a mark on."""

    def __init__(self, uid: str, mark: Mark, stream: Stream) -> None:
        self.uid, self.mark, self._stream = uid, mark, stream
        self._entries = self._ahead(iter(stream))
        self._rest, self._at = b"", 0
        self.short = False
        """Whether the stream ended before the mark."""

    def take(self, most_b: int) -> tuple[bytes, bool]:
        """Return the next bytes, and whether nothing is left of the stream."""
        found: list[bytes] = []
        left = most_b
        while left > 0:
            if not self._rest:
                entry = next(self._entries, None)
                if entry is None:
                    return b"".join(found), True
                self._at, self._rest = entry
            piece, self._rest = self._rest[:left], self._rest[left:]
            found.append(piece)
            left -= len(piece)
            on = self.mark.inside(len(piece))
            self.mark = on if self._rest else self.mark.past(len(piece), self._at)
        return b"".join(found), False

    def close(self) -> None:
        """Leave the rest unread."""
        self._stream.release()

    def _ahead(self, frames: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
        """Yield the entries that the mark has not passed."""
        behind, part = self.mark.count, self.mark.part
        if behind < 0:
            yield 0, _PUT_AWAY[part:]
            behind = part = 0
        for frame in frames:
            if behind:
                behind -= 1
                continue
            at, data = _entry(frame)
            yield at, data[part:]
            part = 0
        self.short = behind > 0 or part > 0


@dataclass(slots=True)
class _Place:
    """How far one log was read: the last mark, the one before it, and when it last went on."""

    mark: Mark
    before: Mark
    moved_s: float


class Logs:
    """Reads logs; what it keeps of each is a few numbers, and it can do without them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._places: dict[str, _Place] = {}
        self._reading: _Reading | None = None
        self._lock = threading.Lock()

    def read(self, uid: str, start: int, most_b: int) -> tuple[bytes, bool]:
        """Return up to *most_b* bytes from *start* on, and whether that is all there is now."""
        with self._lock:
            reading = self._at(uid, start)
            if reading is None:
                return b"", True
            before = reading.mark
            data, done = self._taken(reading, most_b)
            if reading.short:
                reading = self._opened(uid, Mark.anew(start))
                data, done = self._taken(reading, most_b)
            self._keep(uid, before, reading.mark)
            if done:
                self._leave()
            return data, done

    def forget(self, uid: str) -> None:
        """Keep nothing more of this log."""
        with self._lock:
            self._places.pop(uid, None)
            if self._reading is not None and self._reading.uid == uid:
                self._leave()

    def _at(self, uid: str, start: int) -> _Reading | None:
        """Return a reading at *start*, None when the container is gone.

        Where the log is shorter, it begins with words about that.
        """
        reading = self._reading
        if reading is not None and reading.uid == uid and reading.mark.offset == start:
            return reading
        self._leave()
        place = self._places.get(uid)
        known = (place.mark, place.before) if place else ()
        mark = next((mark for mark in known if mark.offset == start), Mark())
        try:
            reading = self._opened(uid, mark)
            missing = start - mark.offset
            while missing > 0:
                skipped, done = self._taken(reading, min(missing, 1 << 20))
                missing -= len(skipped)
                if done and missing:
                    return self._opened(uid, Mark.anew(start))
        except EngineError as e:
            if e.status == GONE:
                return None
            raise
        return reading

    def _opened(self, uid: str, mark: Mark) -> _Reading:
        self._leave()
        self._reading = _Reading(uid, mark, self._engine.logs(uid, mark.since))
        return self._reading

    def _taken(self, reading: _Reading, most_b: int) -> tuple[bytes, bool]:
        """Take from a reading; one that broke off is not gone on with: it would look ended."""
        try:
            return reading.take(most_b)
        except EngineError:
            self._leave()
            raise

    def _keep(self, uid: str, before: Mark, mark: Mark) -> None:
        now = time.monotonic()
        place = self._places.get(uid)
        if place is None or mark.offset != before.offset:
            self._places[uid] = _Place(mark, before, now)
        elif place.mark.offset == mark.offset and now - place.moved_s > _SETTLED_S:
            place.mark = place.before = mark.settled()

    def _leave(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None


def _entry(frame: bytes) -> tuple[int, bytes]:
    """Split an entry into its time, in microseconds, and its bytes."""
    match = _STAMP.match(frame)
    if match is None:
        return 0, frame
    moment = datetime.fromisoformat(match[1].decode())
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond, frame[match.end() :]
