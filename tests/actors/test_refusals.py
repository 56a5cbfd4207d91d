"""What an agent tells of itself besides its leases, and how soon."""

from __future__ import annotations

from launchyard.actors.refusals import COUNTS_S, StandingBook
from launchyard.domain.exchange import AgentStanding, Refusal

OPEN = Refusal(reason="circuit_open", detail="5 failures in a row")
FULL = Refusal(reason="host_guard", detail="disk")


def _book() -> tuple[StandingBook, list[float]]:
    book, told = StandingBook(), list[float]()
    book.on_change = told.append
    return book, told


def test_a_refusal_is_told_at_once_and_once() -> None:
    """Repeating a refusal changes nothing; taking back one that is not there neither."""
    book, told = _book()
    book.refuse("docker", OPEN)
    book.refuse("docker", OPEN)
    book.accept("docker", "host_guard")
    assert (told, book.now().refusing) == ([0.0], {"docker": OPEN})
    book.accept("docker", "circuit_open")
    assert (told, book.now()) == ([0.0, 0.0], AgentStanding())


def test_refusals_of_one_target_do_not_take_each_other_back() -> None:
    """Two that refuse the same target for different reasons know nothing of each other."""
    book, _ = _book()
    book.refuse("docker", OPEN)
    book.refuse("docker", FULL)
    book.accept("docker", "circuit_open")
    assert book.now().refusing == {"docker": FULL}


def test_counts_are_told_soon_but_not_each() -> None:
    """However often counts change, one heartbeat is asked for until it has taken them."""
    book, told = _book()
    book.wait(builds=3, launches=0)
    book.wait(builds=2, launches=1)
    book.suspend(4)
    assert told == [COUNTS_S]
    assert book.now() == AgentStanding(suspended=4, waiting_builds=2, waiting_launches=1)
    book.wait(builds=2, launches=1)
    assert told == [COUNTS_S]
    book.wait(builds=0, launches=0)
    assert told == [COUNTS_S, COUNTS_S]


def test_a_limit_that_was_changed_is_told() -> None:
    """Once, and not before it was: until then the hello's holds."""
    book, told = _book()
    assert book.now().max_jobs is None
    for most in (3, 3):
        book.allow(most)
        assert (told, book.now().max_jobs) == ([COUNTS_S], most)
