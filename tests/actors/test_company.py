"""What can wait goes with what cannot, and never later than its time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from launchyard.actors.company import Company
from launchyard.actors.messages import FromHost, Pong, Ref, Removed, SeenNow, Submitted
from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Handle, Observation

REF = Ref("i", 1)
HANDLE = Handle(scope="here", name="n", uid="u")
TAKEN = Submitted(REF, HANDLE)
RUNS = SeenNow(REF, HANDLE, Observation(state=AttemptState.RUNNING))
ENDED = SeenNow(REF, HANDLE, Observation(state=AttemptState.FAILED, reason=Reason.EXIT_CODE))
GONE = Removed(REF)


class Line:
    """Keeps what is sent, and the alarms that were set."""

    def __init__(self) -> None:
        self.sent: list[tuple[FromHost, ...]] = []
        self.alarms: list[Callable[[], None]] = []
        self.company = Company(self.send, self.later)

    def send(self, *messages: FromHost) -> None:
        """Take one letter."""
        self.sent.append(messages)

    def later(self, name: str, wait_s: float, call: Callable[[], None]) -> None:
        """Take an alarm."""
        assert (name, wait_s <= 0.02) == ("company", True)
        self.alarms.append(call)


def test_what_can_wait_goes_with_what_cannot() -> None:
    """In the order in which it was said, and the alarm then has nothing to do."""
    line = Line()
    for message in (TAKEN, RUNS, GONE):
        line.company.say(message)
    assert not line.sent
    line.company.say(ENDED)
    assert line.sent == [(TAKEN, RUNS, GONE, ENDED)]
    [alarm] = line.alarms
    alarm()
    assert len(line.sent) == 1


def test_what_waits_is_sent_in_time() -> None:
    """Each time with an alarm of its own."""
    line = Line()
    for message in (TAKEN, RUNS):
        line.company.say(message)
        line.alarms.pop()()
    assert line.sent == [(TAKEN,), (RUNS,)]
    assert not line.alarms


@pytest.mark.parametrize("said", [(ENDED,), (Pong(1),), (TAKEN, ENDED)])
def test_what_somebody_waits_for_is_sent_at_once(said: tuple[FromHost, ...]) -> None:
    """An end, an answer, and what was said together with one."""
    line = Line()
    line.company.say(*said)
    assert line.sent == [said]
    assert not line.alarms
