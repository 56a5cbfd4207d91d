"""Where a log goes on, out of lines that have times and no offsets."""

from __future__ import annotations

from launchyard.adapters.kubernetes.marks import Mark, Reader

STAMP = "2026-11-21T10:00:{:02d}.000000000Z "
FIRST = 1795255200
"""The second of the first stamp."""


def stream(*lines: tuple[int, str]) -> bytes:
    """Return lines with their times, as the API gives them."""
    return "".join(STAMP.format(second) + text for second, text in lines).encode()


ALL = ((0, "a\n"), (5, "b\n"), (6, "c\n"), (6, "d\n"), (7, "e\n"))


def test_times_are_no_part_of_a_log() -> None:
    """However the stream is cut into pieces, the bytes are those that were written."""
    text = stream(*ALL)
    for size in (1, 7, 40, 1000):
        reader = Reader(Mark())
        pieces = [reader.feed(text[at : at + size]) for at in range(0, len(text), size)]
        assert b"".join(pieces) == b"a\nb\nc\nd\ne\n"
        assert reader.at == reader.mark.offset == 10


def test_a_new_stream_goes_on_where_the_last_one_was() -> None:
    """It asks for the last seconds again, and passes over as many lines of each as were read."""
    for read in range(1, len(ALL) + 1):
        first = Reader(Mark())
        text = first.feed(stream(*ALL[:read]))
        mark = first.mark
        assert mark.since == f"2026-11-21T10:00:{min(mark.lines) - FIRST:02d}Z"
        again = Reader(mark)
        rest = again.feed(stream(*(line for line in ALL if FIRST + line[0] >= min(mark.lines))))
        assert text + rest == b"a\nb\nc\nd\ne\n"
        assert again.at == 10


def test_lines_out_of_order_are_not_lost() -> None:
    """Two outputs are written by two threads: a line may bear an earlier time than the last."""
    first = Reader(Mark())
    first.feed(stream((5, "b\n"), (6, "c\n")))
    again = Reader(first.mark)
    assert again.feed(stream((5, "b\n"), (6, "c\n"), (5, "late\n"))) == b"late\n"


def test_what_the_node_has_put_away_takes_nothing_with_it() -> None:
    """After a rotation the lines that were read are not there: what is there is new."""
    first = Reader(Mark())
    first.feed(stream(*ALL))
    again = Reader(first.mark)
    assert again.feed(stream((7, "e\n"), (8, "f\n"))) == b"f\n"
    gone = Reader(first.mark)
    assert gone.feed(stream((8, "f\n"), (9, "g\n"))) == b"f\ng\n"


def test_a_line_that_is_still_written_is_given_at_once() -> None:
    """Its beginning is there to be read; the place to go on from is before it."""
    reader = Reader(Mark())
    assert reader.feed(stream((1, "a\n"), (2, "half"))) == b"a\nhalf"
    assert (reader.at, reader.mark.offset) == (6, 2)
    assert reader.feed(b" of it\n") == b" of it\n"
    assert reader.mark.offset == 13


GONE = b"rpc error: code = NotFound desc = an error occurred when try to find container: not found"


def test_a_nodes_own_words_are_no_part_of_a_log() -> None:
    """It writes them behind the last line, with no time and no end, whatever that line was."""
    for text in (stream((1, "a\n"), (2, "b\n")), stream((1, "a\n")), b""):
        for size in (1, 7, 1000):
            reader, whole = Reader(Mark()), text + GONE
            feed = [reader.feed(whole[at : at + size]) for at in range(0, len(whole), size)]
            assert b"".join(feed) == b"a\nb\n"[: 2 * text.count(b"\n")]
            assert (reader.finish(), reader.words) == (b"", GONE)
            assert reader.at == reader.mark.offset == 2 * text.count(b"\n")


def test_a_log_without_times_is_passed_on_as_it_is() -> None:
    """Not every node gives them, and its last line may have no end."""
    reader = Reader(Mark())
    long = b"w " * 5000
    assert reader.feed(b"an epoch\n" + long) == b"an epoch\n" + long
    assert reader.feed(b"\nlast words") + reader.finish() == b"\nlast words"
    assert (reader.at, reader.words) == (9 + len(long) + 11, b"")


def test_a_time_that_is_cut_short_is_no_words() -> None:
    """A stream that breaks may end anywhere."""
    reader = Reader(Mark())
    assert reader.feed(stream((1, "a\n")) + b"2026-11-21T10:0") == b"a\n"
    assert (reader.finish(), reader.words) == (b"", b"")


def test_a_zone_of_the_nodes_own_is_understood() -> None:
    """Times may be written with the offset of the node's zone."""
    reader = Reader(Mark())
    reader.feed(b"2026-11-21T12:00:00.5+02:00 a\n")
    assert reader.mark.lines == {FIRST: 1}
