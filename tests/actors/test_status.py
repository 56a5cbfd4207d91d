"""What `/livez` goes by: an agent that does not move, and what is no such thing."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from launchyard.actors.desk import BUILD
from launchyard.actors.identity import Identity
from launchyard.actors.mailbox import Mailbox
from launchyard.actors.role import Crew, Role
from launchyard.actors.status import StatusDesk
from launchyard.ports.families import CHILD_RESTARTS, LAST_POLL
from tests.actors.kit import TARGET, Bench, shown, until
from tests.actors.server import ScriptedServer

LIMIT_S = 120.0


class Planner(Role[threading.Event]):
    """Waits for every event it is given, as a plugin's plan may; or excused, as for a journal."""

    def __init__(self, mailbox: Mailbox[threading.Event], *, excused: bool) -> None:
        super().__init__(mailbox)
        self._excused = excused

    def work(self, letters: Sequence[threading.Event]) -> None:
        for letter in letters:
            if self._excused:
                with self.mailbox.waiting():
                    self._wait(letter)
            else:
                self._wait(letter)

    def _wait(self, letter: threading.Event) -> None:
        self.mailbox.doing = "waits"
        assert letter.wait(LIMIT_S)


class Yard:
    """A crew on a clock of the test's, with the real status of it."""

    def __init__(self, folder: Path) -> None:
        self.at = 1000.0
        self.crew = Crew("main", lambda: self.at)
        kit = Bench(folder, ScriptedServer()).make()._kit
        me = Identity(name="me", entity="team", queues=("q",), version="0")
        self.status = StatusDesk(me, kit, self.crew)
        self.done = threading.Event()

    def hang(self, name: str, *, excused: bool = False) -> Mailbox[threading.Event]:
        """Let the actor called *name* begin with something that does not end."""
        mailbox = Mailbox[threading.Event]()
        self.crew.hire(name, mailbox, lambda: Planner.start(mailbox, excused=excused))
        mailbox.put(self.done)
        until(lambda: mailbox.doing == "waits", "its beginning")
        return mailbox


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """Return a crew; all that hangs is let go at the end."""
    one = Yard(tmp_path)
    yield one
    one.done.set()
    one.crew.stop(LIMIT_S)


def test_a_supervisor_that_hangs_in_a_plan_is_named_after_a_minute(yard: Yard) -> None:
    """Not before, and no more once it has gone on."""
    mailbox = yard.hang("supervisor")
    yard.at += 59
    assert yard.status.stuck() == ()
    yard.at += 1
    assert yard.status.stuck() == ("supervisor",)
    yard.done.set()
    until(lambda: mailbox.since is None, "its end")
    yard.at += 3600
    assert yard.status.stuck() == ()


def test_who_waits_for_others_is_not_stuck(yard: Yard) -> None:
    """A claim takes a minute anyway, and a journal without room is not healed by a new start."""
    yard.hang("claimer 0")
    yard.hang("supervisor", excused=True)
    yard.at += 3600
    assert yard.status.stuck() == ()


def test_an_actor_that_died_at_its_work_is_dead_and_not_hung(yard: Yard) -> None:
    """The next one on its mailbox begins with a clean slate."""
    mailbox = yard.hang("poller")
    mailbox.put("no event")  # type: ignore[arg-type]
    yard.done.set()
    until(lambda: yard.crew.views()[0].restarts or not yard.crew.lives("poller"), "its end")
    until(lambda: mailbox.since is None, "its end")
    yard.at += 3600
    yard.crew.check()
    yard.at += 3600
    yard.crew.check()
    until(lambda: yard.crew.lives("poller"), "the next one")
    assert yard.status.stuck() == ()


def test_the_state_that_is_told_is_always_one(tmp_path: Path) -> None:
    """From its start to its end, also with a trouble that it goes on with."""
    with Bench(tmp_path, ScriptedServer()).running() as running:
        agent = running.agent
        until(lambda: agent.view.state == "running", "its start")
        assert shown(agent) == ["running"]
        agent.session.board.put("disk", "full")
        assert shown(agent) == ["degraded"]
        agent.session.board.clear("disk")
        assert shown(agent) == ["running"]
        agent.signal(15)
        assert running.wait() == (0, "")
        assert shown(agent) == ["stopping"]


def test_what_alerts_look_at_is_there_before_anything_happens(tmp_path: Path) -> None:
    """An agent that no server answers, and the first restart of a worker process, are seen."""
    agent = Bench(tmp_path, ScriptedServer()).make()
    found = agent.session.metrics.snapshot()
    (polled,) = [one for one in found if one.family is LAST_POLL]
    assert polled.labels == {"queue": "q"}
    assert polled.value > 0
    restarts = {
        tuple(one.labels.values()): one.value for one in found if one.family is CHILD_RESTARTS
    }
    assert restarts == {(role, how): 0 for role in (TARGET, BUILD) for how in ("exit", "hang")}
