"""Lines that a client changes after it sent them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchyard.domain.console import Console, end, put

Piece = tuple[int, list[str]]


def log_of(pieces: Sequence[Piece]) -> str:
    """Return the log of a run that sent *pieces* and ended."""
    known, log = Console(), ""
    for offset, lines in pieces:
        text, known = put(known, offset, lines)
        log += text
    return log + end(known)[0]


@pytest.mark.parametrize(
    ("pieces", "log"),
    [
        ([], ""),
        ([(0, ["a", "b"]), (2, ["c"])], "a\nb\nc\n"),
        ([(0, ["a", "b"]), (0, ["a", "b"]), (1, ["b", "c"])], "a\nb\nc\n"),
        ([(0, ["load"]), (0, ["loading", "b"])], "loading\nb\n"),
        ([(0, [""]), (0, ["a"])], "a\n"),
        ([(0, ["a", ""]), (2, ["c"])], "a\n\nc\n"),
        ([(0, ["a", " 0%|"]), (1, ["10%|#"]), (1, ["99%|##"])], "a\n 0%|\r10%|#\r99%|##\n"),
        ([(0, ["long"]), (0, ["lo"])], "long\rlo\n"),
        ([(0, [" 0%", "b"]), (0, ["50%"]), (0, ["99%"]), (2, ["c"])], " 0%\nb\n50%\r99%\nc\n"),
        ([(3, ["d"]), (1, ["b"]), (5, ["f"]), (3, ["D"])], "d\nf\n"),
    ],
)
def test_a_log_tells_of_every_state_that_came(pieces: Sequence[Piece], log: str) -> None:
    """In place where it is the last line, and else once more; what is told again adds nothing."""
    assert log_of(pieces) == log


def test_lines_that_come_after_an_end_begin_a_line() -> None:
    """A run that is resumed goes on below, and a line that it still changes is told once more."""
    text, known = put(Console(), 0, ["a"])
    closing, known = end(known)
    more, known = put(known, 0, ["A"])
    assert text + closing + more + end(known)[0] == "a\nA\n"
    assert end(end(known)[1])[0] == ""


def test_old_lines_are_closed() -> None:
    """A repeat of a long piece adds nothing, and what is known stays small."""
    lines = [f"line {n}" for n in range(1000)]
    text, known = put(Console(), 0, lines)
    assert text.count("\n") == len(lines) - 1
    assert len(known.marks) < 100
    assert put(known, 0, lines) == ("", known)


@given(st.lists(st.tuples(st.integers(0, 70), st.lists(st.text("ab", max_size=3), max_size=70))))
def test_repeats_add_nothing(pieces: list[Piece]) -> None:
    """Whatever came, the same piece again leaves the log as it is."""
    known = Console()
    for offset, lines in pieces:
        _, known = put(known, offset, lines)
        assert put(known, offset, lines) == ("", known)
