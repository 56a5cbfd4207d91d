"""Bytes of a container's log by their offset, out of an API that knows lines and times alone.

The API gives the lines of a log with their times: all that the node still has, or those from a
second on. A `Mark` is a place between two lines; it counts what was read of the last seconds before
it, so that a new stream goes on there. That holds when the node has put older lines away, and when
a container began anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

_BEHIND_S: Final = 2
"""Two outputs are written by two threads: times may be out of order by a little."""

_SECOND_B: Final = 19
"""The length of a time's text up to its second."""

_WORDS_B: Final = 4096
_NODES_WORDS: Final = re.compile(
    rb"rpc error: code = |unable to retrieve container logs|Error: No such container"
    rb"|failed to (?:try resolving symlinks|open log file|get container status)"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place: `offset` bytes from the beginning, behind so many `lines` of each last second."""

    offset: int = 0
    lines: dict[int, int] = field(default_factory=dict)

    @property
    def since(self) -> str:
        """From when on the API is to give lines; nothing for all of them."""
        if not self.lines:
            return ""
        return datetime.fromtimestamp(min(self.lines), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Reader:
    """Turns a stream of lines with times, from a mark on, into the bytes that were written."""

    def __init__(self, mark: Mark) -> None:
        self._lines = dict(mark.lines)
        self._newest = max(self._lines, default=0)
        self._behind = dict(mark.lines)
        self._whole = self.at = mark.offset
        self._head = b""
        self._open = self._skips = False
        self._second = self._length = 0
        self._known: tuple[bytes, int] = (b"", 0)
        self.words = b""
        """Why the node ended the stream, if it said so."""

    @property
    def mark(self) -> Mark:
        """The place after the last whole line."""
        return Mark(self._whole, dict(self._lines))

    def feed(self, chunk: bytes) -> bytes:
        """Return what a piece of the stream brings; `at` is the offset behind it."""
        found: list[bytes] = []
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            self._take(piece + b"\n", found)
            self._end_line()
        if rest:
            self._take(rest, found)
        data = b"".join(found)
        self.at += len(data)
        return data

    def finish(self) -> bytes:
        """Return what is left at the stream's end, which is no whole line.

        A node that cannot go on, as when the container is taken away under its reader, writes why
        behind the last line: without a time, and without an end. Some nodes give no times at all.
        """
        rest, self._head = self._head, b""
        if b" " not in rest:
            return b""
        if self._newest or _NODES_WORDS.match(rest):
            self.words = rest
            return b""
        self.at += len(rest)
        return rest

    def _take(self, piece: bytes, found: list[bytes]) -> None:
        if not self._open:
            line = self._head + piece
            stamp, space, text = line.partition(b" ")
            if not piece.endswith(b"\n") and (not space or _may_be_words(stamp, line)):
                self._head = line
                return
            self._begin_line(stamp)
            # A line without a time is the node's own word.
            piece = text if self._known[1] and space else line
            self._head = b""
        if not self._skips:
            found.append(piece)
            self._length += len(piece)

    def _begin_line(self, stamp: bytes) -> None:
        self._open, self._length = True, 0
        if stamp[:_SECOND_B] != self._known[0]:
            self._known = (stamp[:_SECOND_B], _second_of(stamp))
        self._second = self._known[1] or self._newest
        self._skips = self._behind.get(self._second, 0) > 0
        if self._skips:
            self._behind[self._second] -= 1

    def _end_line(self) -> None:
        self._open = False
        if self._skips:
            return
        self._whole += self._length
        if self._second > self._newest:
            self._newest = self._second
            old = [second for second in self._lines if second < self._newest - _BEHIND_S]
            for second in old:
                del self._lines[second]
        self._lines[self._second] = self._lines.get(self._second, 0) + 1


def _may_be_words(stamp: bytes, line: bytes) -> bool:
    """Tell whether the beginning of a line may be what a node says of itself at a stream's end."""
    return len(line) <= _WORDS_B and not _second_of(stamp)


def _second_of(stamp: bytes) -> int:
    """Return a time's second, 0 for what is no time."""
    text = stamp.decode(errors="replace")
    zone = "+00:00" if text.endswith("Z") else text[-6:]
    try:
        return int(datetime.fromisoformat(text[:_SECOND_B] + zone).timestamp())
    except ValueError:
        return 0
