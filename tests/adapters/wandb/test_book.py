"""The book of items on a disk that is full."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from launchyard.adapters.wandb.book import FILE, Book, Held
from launchyard.ports.launch_server import ServerError


def held(item: str) -> Held:
    """Return an item of the book."""
    return Held(
        item=item,
        queue="q1",
        entity="ent",
        project="proj",
        run_id=f"run-{item}",
        resource="local-process",
        spec={},
        config={},
        popped_ms=1,
    )


@contextmanager
def largest(size_b: int) -> Iterator[None]:
    """Let no file of this process grow beyond *size_b*: a write is short there, and then fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_b, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room_b", [0, 10])
def test_what_does_not_fit_counts_for_nothing_and_spoils_nothing(
    tmp_path: Path, room_b: int
) -> None:
    """A part of a line would be glued to the next one, and both be lost at the next start."""
    book = Book(str(tmp_path))
    book.put(held("first"))
    size_b = (tmp_path / FILE).stat().st_size
    with largest(size_b + room_b), pytest.raises(ServerError, match="cannot be written") as full:
        book.put(held("second"))
    assert full.value.retry
    assert book.get("second") is None
    assert (tmp_path / FILE).stat().st_size == size_b
    book.put(held("third"))
    book.close()
    again = Book(str(tmp_path))
    assert [one.item for one in again.all()] == ["first", "third"]
    again.close()


def test_a_start_without_room_keeps_the_book_as_it_was(tmp_path: Path) -> None:
    """It is written anew beside the old one, which goes only when all of it is there."""
    book = Book(str(tmp_path))
    book.put(held("first"), held("second"))
    book.close()
    before = (tmp_path / FILE).read_bytes()
    with largest(len(before) // 2), pytest.raises(OSError, match="No space left"):
        Book(str(tmp_path))
    assert (tmp_path / FILE).read_bytes() == before
