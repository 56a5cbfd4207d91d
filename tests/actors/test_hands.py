"""What a run host does when its target does not take a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from typing import Any

import pytest

from launchyard.actors.hands import Canceller, HandLetter, Sweeper
from launchyard.actors.ledger import Ledger
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.messages import Cancel, Ref, Remove, Removed
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Handle, RunnerError

LIMIT_S = 120.0
REF, HANDLE = Ref("item", 1), Handle(scope="host:here", name="ly-item-a1", uid="1")
WISH = Cancel(REF, HANDLE, 1.0, Reason.CANCELLED)


@dataclass
class Away:
    """A runner whose target refuses the first *misses* calls."""

    misses: int
    error: Exception = field(
        default_factory=lambda: RunnerError("away", reason=Reason.TARGET_UNREACHABLE, retry=True)
    )
    calls: SimpleQueue[tuple[str, Handle]] = field(default_factory=SimpleQueue)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nobody asked for {name}")

    def cancel(self, handle: Handle, grace_s: float, reason: Reason) -> None:
        self._call(f"{reason.value} {grace_s}", handle)

    def remove(self, handle: Handle) -> None:
        self._call("remove", handle)

    def _call(self, what: str, handle: Handle) -> None:
        self.calls.put((what, handle))
        self.misses -= 1
        if self.misses >= 0:
            raise self.error


@dataclass
class Desk:
    """A host whose pauses end when the test says so."""

    ledger: Ledger = field(default_factory=Ledger)
    pauses: SimpleQueue[tuple[str, float, Callable[[], None]]] = field(default_factory=SimpleQueue)
    said: SimpleQueue[Any] = field(default_factory=SimpleQueue)

    def say(self, *messages: Any) -> None:
        for message in messages:
            self.said.put(message)

    def drop(self, ref: Ref) -> None:
        self.ledger.forget(ref)

    def later(self, name: str, wait_s: float, call: Callable[[], None]) -> None:
        self.pauses.put((name, wait_s, call))

    def pause(self) -> tuple[float, Callable[[], None]]:
        """Wait for the next pause; return its length and what ends it."""
        _, wait_s, call = self.pauses.get(timeout=LIMIT_S)
        return wait_s, call


@pytest.fixture
def desk() -> Desk:
    """Return a host that runs one thing."""
    desk = Desk()
    desk.ledger.keep(REF, HANDLE)
    return desk


@pytest.fixture
def mailbox() -> Iterator[Mailbox[HandLetter]]:
    """Return a mailbox; whoever was bound to it ends with the test."""
    box = Mailbox[HandLetter]()
    yield box
    if box._ref is not None:
        box._ref.stop()


def test_a_cancel_is_repeated_until_the_target_takes_it(
    desk: Desk, mailbox: Mailbox[HandLetter]
) -> None:
    """With longer and longer pauses; nobody has to say it again."""
    runner = Away(misses=7)
    mailbox.bind(Canceller.start(mailbox, desk, runner))
    mailbox.put(WISH)
    pauses = []
    for _ in range(7):
        assert runner.calls.get(timeout=LIMIT_S) == ("cancelled 1.0", HANDLE)
        wait_s, end = desk.pause()
        pauses.append(wait_s)
        end()
    assert runner.calls.get(timeout=LIMIT_S) == ("cancelled 1.0", HANDLE)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    mailbox.put(replace(WISH, grace_s=9.0))  # the next thing it does: nothing came in between
    assert runner.calls.get(timeout=LIMIT_S) == ("cancelled 9.0", HANDLE)
    assert desk.pauses.empty()


def test_a_cancel_of_what_is_forgotten_is_not_repeated(
    desk: Desk, mailbox: Mailbox[HandLetter]
) -> None:
    """Its thing is over, or another's: it must not be touched any more."""
    runner, other = Away(misses=1), replace(WISH, ref=Ref("other", 1))
    mailbox.bind(Canceller.start(mailbox, desk, runner))
    mailbox.put(WISH)
    runner.calls.get(timeout=LIMIT_S)
    _, end = desk.pause()
    desk.drop(REF)
    end()
    mailbox.put(replace(other, grace_s=2.0))
    assert runner.calls.get(timeout=LIMIT_S) == ("cancelled 2.0", HANDLE)


def test_a_later_wish_takes_the_place_of_one_that_waits(
    desk: Desk, mailbox: Mailbox[HandLetter]
) -> None:
    """A user's cancel after a time limit's: the target hears the last word only."""
    runner = Away(misses=1)
    mailbox.bind(Canceller.start(mailbox, desk, runner))
    mailbox.put(replace(WISH, reason=Reason.RUN_TIMEOUT))
    assert runner.calls.get(timeout=LIMIT_S) == ("run_timeout 1.0", HANDLE)
    _, end = desk.pause()
    mailbox.put(WISH)
    assert runner.calls.get(timeout=LIMIT_S) == ("cancelled 1.0", HANDLE)
    end()
    mailbox.put(replace(WISH, grace_s=9.0))
    assert runner.calls.get(timeout=LIMIT_S) == ("cancelled 9.0", HANDLE)


def test_a_removal_is_repeated_some_times(desk: Desk, mailbox: Mailbox[HandLetter]) -> None:
    """Then it is told as done, so that the next attempt of its item is not held up for ever."""
    runner = Away(misses=9)
    mailbox.bind(Sweeper.start(mailbox, desk, runner))
    mailbox.put(Remove(REF, HANDLE))
    for _ in range(4):
        assert desk.said.empty()
        desk.pause()[1]()
    assert desk.said.get(timeout=LIMIT_S) == Removed(REF)
    assert runner.calls.qsize() == 5
    assert desk.pauses.empty()


def test_a_removal_that_is_refused_is_not_repeated(
    desk: Desk, mailbox: Mailbox[HandLetter]
) -> None:
    """The same call would be refused again; what is there stays there."""
    runner = Away(misses=9, error=RunnerError("no", reason=Reason.SUBMIT_FAILED))
    mailbox.bind(Sweeper.start(mailbox, desk, runner))
    mailbox.put(Remove(REF, HANDLE))
    assert desk.said.get(timeout=LIMIT_S) == Removed(REF)
    assert runner.calls.qsize() == 1
