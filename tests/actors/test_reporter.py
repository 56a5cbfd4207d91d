"""When the Reporter sends: ends at once, news of what goes on in the company of more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from launchyard.actors.alarms import Alarms
from launchyard.actors.facts import SupervisorFact
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.reporter import Outgoing, Reporter, ReporterLetter
from launchyard.actors.session import Session
from launchyard.adapters.prometheus.metrics import PrometheusMetrics
from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import Answer, Caller, Fact, LeaseRef, Report, Verdict
from launchyard.domain.lease import Token
from launchyard.plugins.testkit.store_world import MovableClock
from tests.actors.kit import LIMIT_S
from tests.actors.server import ScriptedServer


class Hearing(ScriptedServer):
    """Keeps what it was told, batch by batch, and takes all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[list[AttemptState | None]] = []

    def report(self, caller: Caller, batch: Sequence[Report]) -> Sequence[Answer]:
        with self._call("report", caller):
            self.heard.append([report.fact.state for report in batch])
            return [Answer(verdict=Verdict.TAKEN, seq=report.seq) for report in batch]


class Line:
    """A Reporter whose letters and time are in our hands."""

    def __init__(self) -> None:
        self.clock, self.server = MovableClock(), Hearing()
        alarms = Alarms(self.clock.boottime)
        alarms.start()
        caller, metrics = Caller(agent="a", epoch=0), PrometheusMetrics()
        self.session = Session(
            self.server, self.clock, metrics, alarms, lambda _: None, caller=caller
        )
        self.mailbox = Mailbox[ReporterLetter]()
        tell = Mailbox[SupervisorFact]()
        self.ref = Reporter.start(self.mailbox, self.session, tell)
        self.mailbox.bind(self.ref)

    def say(self, item: str, seq: int, state: AttemptState) -> None:
        """Have a fact sent, and return once the Reporter has looked at it."""
        lease = LeaseRef(item=item, attempt=1, token=Token(0, 1))
        fact = Fact(at_ms=1, state=state)
        self.mailbox.put(Outgoing((Report(lease=lease, seq=seq, fact=fact),)))
        self.ref.ask("whatever", timeout=LIMIT_S)

    def close(self) -> None:
        """End it."""
        self.ref.stop()
        self.session.alarms.close()


@pytest.fixture
def line() -> Iterator[Line]:
    """Return a Reporter that has nothing to tell."""
    made = Line()
    yield made
    made.close()


def test_the_end_of_a_short_job_takes_all_with_it(line: Line) -> None:
    """One request says that it runs and how it ended; an end waits for nothing."""
    line.say("i", 1, AttemptState.PENDING)
    line.say("i", 2, AttemptState.RUNNING)
    assert line.server.heard == []
    line.say("i", 3, AttemptState.SUCCEEDED)
    assert line.server.heard == [
        [AttemptState.PENDING, AttemptState.RUNNING, AttemptState.SUCCEEDED]
    ]


def test_news_waits_for_a_moment_only(line: Line) -> None:
    """What runs on is told with all that came meanwhile, also of other jobs."""
    line.say("i", 1, AttemptState.RUNNING)
    line.say("j", 1, AttemptState.PENDING)
    assert line.server.heard == []
    line.clock.pass_s(0.01)
    line.server.wait(lambda: line.server.heard, "the news")
    assert line.server.heard == [[AttemptState.RUNNING, AttemptState.PENDING]]
    line.ref.ask("whatever", timeout=LIMIT_S)
    line.say("j", 2, AttemptState.RUNNING)
    assert len(line.server.heard) == 1
    line.clock.pass_s(0.01)
    line.server.wait(lambda: len(line.server.heard) == 2, "more news")


def test_an_end_does_not_wait_for_the_news_of_others(line: Line) -> None:
    """It takes them along, and the moment that they waited for passes without a request."""
    line.say("i", 1, AttemptState.RUNNING)
    line.say("j", 1, AttemptState.FAILED)
    assert line.server.heard == [[AttemptState.RUNNING, AttemptState.FAILED]]
    line.clock.pass_s(0.01)
    line.say("k", 1, AttemptState.RUNNING)
    assert len(line.server.heard) == 1


def test_in_a_crowd_ends_are_told_together(line: Line) -> None:
    """Not later than a moment after the call before, and each for itself once it is quiet."""
    for item in "abcdef":
        line.say(item, 1, AttemptState.SUCCEEDED)
    assert [len(batch) for batch in line.server.heard] == [1, 1, 1]
    line.clock.pass_s(0.03)
    line.say("g", 1, AttemptState.FAILED)
    assert len(line.server.heard) == 3
    line.clock.pass_s(0.01)
    line.server.wait(lambda: len(line.server.heard) == 4, "the crowd")
    assert len(line.server.heard[3]) == 4
    line.ref.ask("whatever", timeout=LIMIT_S)
    line.clock.pass_s(0.04)
    line.say("h", 1, AttemptState.SUCCEEDED)
    assert len(line.server.heard) == 5


def test_jobs_that_follow_one_another_are_no_crowd(line: Line) -> None:
    """The fastest that one slot can be filled again: each end is told at once."""
    for n in range(8):
        line.say(f"i{n}", 1, AttemptState.SUCCEEDED)
        assert len(line.server.heard) == n + 1
        line.clock.pass_s(0.0134)
