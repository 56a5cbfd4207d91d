"""How the console of a stock client's run becomes a log, which only grows.

Clients keep the last lines of a console open, as a terminal does, and send a line anew at its old
place when it has changed: how progress bars look, and what a cut in the middle of a line comes to.
So the log ends in the middle of its last line until another follows: what that line gains is put
behind it, and where it became another text, this follows a carriage return. A line further up that
changes is written once more, at the end.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_OPEN: Final = 64
"""More of the last lines than any client changes; those of W&B change 32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """What is known of the lines that came: their number, and marks of the last ones.

    `unfinished` is the number of the line in which the log ends, or -1 where it ends with a line.
    """

    lines: int = 0
    unfinished: int = -1
    marks: tuple[str, ...] = ()


def put(known: Console, offset: int, lines: Sequence[str]) -> tuple[str, Console]:
    """Return what the log gains by *lines* from number *offset* on, and what is known then.

    Lines that came before as they are, and those that no client changes any more, add nothing.
    """
    writer = _Writer(known)
    text = "".join([writer.put(number, line) for number, line in enumerate(lines, offset)])
    return text, writer.known


def end(known: Console) -> tuple[str, Console]:
    """Return what the log gains when no more lines come, and what is known then."""
    closed = Console(lines=known.lines, marks=known.marks)
    return ("\n" if known.unfinished >= 0 else ""), closed


class _Writer:
    """Puts one line after the other."""

    def __init__(self, known: Console) -> None:
        self._lines, self._unfinished = known.lines, known.unfinished
        self._marks = deque(known.marks, _OPEN)

    @property
    def known(self) -> Console:
        return Console(lines=self._lines, unfinished=self._unfinished, marks=tuple(self._marks))

    def put(self, number: int, line: str) -> str:
        if number >= self._lines:
            if number > self._lines:
                self._marks.clear()
            self._lines = number + 1
            self._marks.append(_mark(line))
            return self._begin(number, line)
        at = number - self._lines + len(self._marks)
        mark = _mark(line)
        if at < 0 or self._marks[at] == mark:
            return ""
        before, self._marks[at] = self._marks[at], mark
        if number != self._unfinished:
            return self._begin(number, line)
        length = int(before.partition(":")[0])
        return line[length:] if _mark(line[:length]) == before else f"\r{line}"

    def _begin(self, number: int, line: str) -> str:
        before, self._unfinished = self._unfinished, number
        return f"\n{line}" if before >= 0 else line


def _mark(line: str) -> str:
    """Return by what a line is known again: its length, and a piece of its digest."""
    digest = hashlib.sha256(line.encode(errors="surrogatepass")).hexdigest()
    return f"{len(line)}:{digest[:12]}"
