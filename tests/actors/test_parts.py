"""Mailboxes, crews, alarms, links and the lease book, each for itself."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from queue import SimpleQueue

import pytest

from launchyard.actors.alarms import Alarms
from launchyard.actors.keeper import period_s
from launchyard.actors.link import Ears, ProcessLink
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.messages import FromHost, Ping, Pong
from launchyard.actors.role import Crew, Role
from launchyard.actors.session import Backoff, LeaseBook
from launchyard.adapters.system.clock import SystemClock
from launchyard.domain.exchange import LeaseRef
from launchyard.domain.lease import Token
from launchyard.ports.target import HostSpec
from tests.actors.kit import until

CLOCK = SystemClock()
LIMIT_S = 120.0


class Echo(Role[str]):
    """Passes on what it gets; breaks on demand."""

    def __init__(self, mailbox: Mailbox[str], seen: SimpleQueue[list[str]]) -> None:
        super().__init__(mailbox)
        self._seen = seen

    def work(self, letters: Sequence[str]) -> None:
        if "break" in letters:
            raise ValueError("as asked")
        self._seen.put(list(letters))


def test_letters_that_wait_are_taken_in_one_go() -> None:
    """However many there are, the actor is told once."""
    mailbox, seen = Mailbox[str](), SimpleQueue[list[str]]()
    for letter in "abc":
        mailbox.put(letter)
    ref = Echo.start(mailbox, seen)
    mailbox.bind(ref)
    assert seen.get(timeout=LIMIT_S) == ["a", "b", "c"]
    ref.stop()


def test_an_actor_that_dies_is_replaced_on_its_mailbox() -> None:
    """What comes while nobody is there waits for the next one."""
    mailbox, seen, crew = Mailbox[str](), SimpleQueue[list[str]](), Crew("main", CLOCK.boottime)
    crew.hire("echo", mailbox, lambda: Echo.start(mailbox, seen))
    mailbox.put("break")
    until(lambda: not crew.lives("echo"), "the death")
    mailbox.put("later")
    assert seen.get(timeout=LIMIT_S) == ["later"]
    assert crew.views()[0].restarts == 1
    crew.stop(LIMIT_S)


def test_alarms_go_off_in_order_and_can_be_moved_and_cleared() -> None:
    """The last time that was set for a name counts."""
    began: list[float] = []  # the clock stands still until then: all are set at one moment
    clock = lambda: CLOCK.boottime() - began[0] if began else 0.0  # noqa: E731
    alarms, seen = Alarms(clock), SimpleQueue[str]()
    alarms.after("late", 0.2, lambda: seen.put("late"))
    alarms.after("soon", 0.01, lambda: seen.put("soon"))
    alarms.after("moved", 0.01, lambda: seen.put("wrong"))
    alarms.after("moved", 0.1, lambda: seen.put("moved"))
    alarms.after("never", 0.05, lambda: seen.put("never"))
    alarms.clear("never")
    began.append(CLOCK.boottime())
    alarms.start()
    assert [seen.get(timeout=LIMIT_S) for _ in range(3)] == ["soon", "moved", "late"]
    alarms.close()


def test_alarms_that_are_moved_often_take_no_room() -> None:
    """The heap is tidied."""
    alarms = Alarms(CLOCK.boottime)
    for _ in range(10_000):
        alarms.after("x", 1000, lambda: None)
    assert len(alarms._heap) < 200
    alarms.close()


class Heard:
    """What a link told."""

    def __init__(self) -> None:
        self.said: SimpleQueue[FromHost] = SimpleQueue()
        self.ended: SimpleQueue[str] = SimpleQueue()
        self.ears = Ears(self._hear, self.ended.put)

    def _hear(self, messages: tuple[FromHost, ...]) -> None:
        for message in messages:
            self.said.put(message)


@pytest.fixture
def heard() -> Heard:
    """Return fresh ears."""
    return Heard()


def link_to(entry: str, heard: Heard, folder: str) -> ProcessLink:
    """Start a worker process."""
    spec = HostSpec(name="x", entry=entry, spec=folder)
    link = ProcessLink(spec, (), heard.ears, first=True)
    link.listen()
    return link


def test_a_worker_process_answers_and_ends_with_its_link(tmp_path: object, heard: Heard) -> None:
    """It has a session of its own and is deaf to the terminal's signals."""
    link = link_to("tests.actors.hosts:build_host", heard, str(tmp_path))
    link.send((Ping(1),))
    assert heard.said.get(timeout=LIMIT_S) == Pong(1)
    assert os.getsid(link.pid) == link.pid
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(link.pid, number)
    link.send((Ping(2),))
    assert heard.said.get(timeout=LIMIT_S) == Pong(2)
    link.close()
    with pytest.raises(ProcessLookupError):
        os.kill(link.pid, 0)
    assert heard.ended.empty()


def test_the_end_of_a_worker_process_is_told_once(tmp_path: object, heard: Heard) -> None:
    """With how it ended; sending to it afterwards is harmless."""
    link = link_to("tests.actors.hosts:build_host", heard, str(tmp_path))
    link.kill()
    assert heard.ended.get(timeout=LIMIT_S) == "killed by signal 9"
    link.send((Ping(1),))
    link.close()
    assert heard.ended.empty()


def lease(counter: int) -> LeaseRef:
    """Return a lease."""
    return LeaseRef(item="a", attempt=1, token=Token(0, counter))


def test_the_lease_book_lists_the_latest_token_of_each_item() -> None:
    """And a deadline that only grows."""
    book = LeaseBook()
    book.keep(lease(1))
    book.keep(lease(2))
    assert book.listed() == (lease(2),)
    book.renew(5.0)
    book.renew(3.0)
    assert book.deadline == 5.0
    book.drop("a")
    assert book.listed() == ()


def test_waiting_for_a_lease_ends_with_its_renewal() -> None:
    """Nobody looks again and again meanwhile."""
    book, came = LeaseBook(), threading.Event()
    assert not book.wait_valid(CLOCK, 0.01)

    def wait() -> None:
        if book.wait_valid(CLOCK, LIMIT_S):
            came.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    book.renew(CLOCK.boottime() + 100)
    assert came.wait(LIMIT_S)
    waiter.join()


@pytest.mark.parametrize(
    ("ttl_s", "every_s"), [(45.0, 10.0), (8.0, 1.0), (6.0, 0.5), (300.0, 10.0)]
)
def test_short_leases_are_renewed_more_often(ttl_s: float, every_s: float) -> None:
    """Three times before the holder's deadline, and every ten seconds at least."""
    assert period_s(ttl_s) == every_s


def test_waits_double_up_to_their_limit() -> None:
    """With jitter of a half at most."""
    wait = Backoff(1.0, 4.0)
    assert 0.5 <= wait.next_s() <= 1.0
    assert 1.0 <= wait.next_s() <= 2.0
    assert 2.0 <= wait.next_s() <= 4.0
    assert 2.0 <= wait.next_s() <= 4.0
    wait.reset()
    assert wait.next_s() <= 1.0
