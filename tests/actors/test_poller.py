"""When the Poller claims: one claim in flight, and what it brought is on its way first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from launchyard.actors.alarms import Alarms
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.poller import (
    Came,
    LaneLetter,
    Poller,
    PollerLetter,
    Slots,
)
from launchyard.actors.session import Session
from launchyard.adapters.prometheus.metrics import PrometheusMetrics
from launchyard.domain.exchange import ClaimAnswer, ClaimRequest
from launchyard.plugins.testkit.store_world import MovableClock
from tests.actors.kit import LIMIT_S, until
from tests.actors.server import ScriptedServer


class Line:
    """A Poller of one queue, whose letters, claims and time are in our hands."""

    def __init__(self) -> None:
        self.clock = MovableClock()
        alarms = Alarms(self.clock.boottime)
        alarms.start()
        server, metrics = ScriptedServer(), PrometheusMetrics()
        self.session = Session(server, self.clock, metrics, alarms, fatal=lambda _: None)
        self.mailbox = Mailbox[PollerLetter]()
        self.lanes = [Mailbox[LaneLetter]() for _ in range(2)]
        server.enqueue("i", "true")
        self.grant = server.items["i"].grant
        self.ref = Poller.start(self.mailbox, self.session, self.lanes, ("q",))
        self.mailbox.bind(self.ref)

    def close(self) -> None:
        """End it."""
        self.ref.stop()
        self.session.alarms.close()

    def sent(self) -> list[LaneLetter]:
        """Return what the lanes were told since the last look."""
        return [letter for lane in self.lanes for letter in lane.take_all()]

    def next_claim(self) -> ClaimRequest:
        """Wait for a claim."""
        found: list[LaneLetter] = []

        def look() -> bool:
            found.extend(self.sent())
            return bool(found)

        until(look, "a claim")
        (letter,) = found
        assert isinstance(letter, ClaimRequest)
        return letter

    def bring(self, claim: ClaimRequest, *items: str) -> None:
        """Answer a claim."""
        grants = tuple(replace(self.grant, item=item) for item in items)
        self.mailbox.put(Came(claim, ClaimAnswer(items=grants)))

    def settle(self) -> None:
        """Return once all letters are worked off."""
        self.ref.ask("whatever", timeout=LIMIT_S)

    def nothing(self) -> bool:
        """Tell whether no claim follows from all that was said, as long as no time passes."""
        self.settle()
        return not self.sent()


@pytest.fixture
def line() -> Iterator[Line]:
    """Return a Poller that has claimed nothing."""
    made = Line()
    yield made
    made.close()


def test_what_a_claim_brought_goes_first(line: Line) -> None:
    """The next claim is made when the supervisor says how many slots are left by then."""
    line.mailbox.put(Slots(4))
    first = line.next_claim()
    assert first.free == 4
    line.bring(first, "a", "b")
    line.mailbox.put(Slots(2, seen=first.claim_id))
    line.settle()
    line.clock.pass_s(0.01)
    assert line.next_claim().free == 2


def test_slots_counted_before_a_claim_are_not_taken_for_news(line: Line) -> None:
    """A count that leaves out what has just come would claim more than there is room for."""
    line.mailbox.put(Slots(3))
    first = line.next_claim()
    line.bring(first, "a")
    line.mailbox.put(Slots(3, seen="the one before"))
    line.settle()
    line.clock.pass_s(0.01)
    assert line.nothing()
    line.mailbox.put(Slots(2, seen=first.claim_id))
    assert line.next_claim().free == 2


def test_a_supervisor_that_says_nothing_holds_up_no_claim(line: Line) -> None:
    """It may have died of the items: after a moment the Poller goes on by its own count."""
    line.mailbox.put(Slots(4))
    first = line.next_claim()
    line.bring(first, "a")
    assert line.nothing()
    line.clock.pass_s(0.1)
    assert line.next_claim().free == 3


def test_slots_that_free_up_together_are_claimed_for_together(line: Line) -> None:
    """Short jobs end one by one; claims that bring something keep their pace."""
    line.mailbox.put(Slots(3))
    first = line.next_claim()
    line.bring(first, "a", "b", "c")
    for free in (1, 2, 3):
        line.mailbox.put(Slots(free, seen=first.claim_id))
        assert line.nothing()
    line.clock.pass_s(0.01)
    assert line.next_claim().free == 3


def test_a_claim_is_replaced_when_the_last_slot_is_taken(line: Line) -> None:
    """What was adopted took it: the next claim waits for commands alone."""
    line.mailbox.put(Slots(1))
    assert line.next_claim().free == 1
    line.mailbox.put(Slots(0))
    assert line.nothing()
    line.clock.pass_s(1)
    assert line.next_claim().free == 0
    line.mailbox.put(Slots(2))
    assert line.next_claim().free == 2
