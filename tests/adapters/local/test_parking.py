"""What is prepared begins with its submit, and only with it."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Launch, Preparer, RunnerError
from tests.adapters.local.kit import Yard, eventually, lives, wrapper_of

S = AttemptState
_DIES = """
import os, pickle, sys
from launchyard.adapters.local.runner import LocalConfig, LocalRunner
LocalRunner(LocalConfig(root=sys.argv[1])).prepare(pickle.load(sys.stdin.buffer))
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """Give a yard that keeps what is prepared for as long as a test may take."""
    yard = Yard(tmp_path, parked_s=600.0)
    yield yard
    yard.close()


@pytest.fixture
def brief(tmp_path: Path) -> Iterator[Yard]:
    """Give a yard that keeps what is prepared for a moment only."""
    yard = Yard(tmp_path, parked_s=0.2)
    yield yard
    yard.close()


def parked(yard: Yard, launch: Launch) -> int:
    """Prepare *launch* and return its wrapper's number, 0 when that is gone by now."""
    yard.runner.prepare(launch)
    found = yard.runner._parking._parked.get(launch.name)
    return found.started.wrapper.pid if found else 0


def test_what_is_prepared_begins_with_its_submit(yard: Yard) -> None:
    """Until then nobody finds anything started; then the wrapper that was there goes on."""
    assert isinstance(yard.runner, Preparer)
    launch = yard.launch("echo up; read -r line || echo no input")
    pid = parked(yard, replace(launch, deadline=0.0))
    assert lives(pid)
    assert yard.runner.find(launch.owner, launch.name) is None
    assert not yard.runner.list_owned(launch.owner.installation, launch.owner.agent)
    handle = yard.submit(launch)
    assert wrapper_of(handle) == pid
    assert yard.end(handle).state is S.SUCCEEDED
    assert yard.said(handle) == "up\nno input\n"
    assert yard.submit(launch) == handle


def test_what_nobody_submits_is_taken_back(brief: Yard) -> None:
    """It leaves neither a process nor a folder, and its name is free."""
    launch = brief.launch("echo up")
    pid = parked(brief, launch)
    eventually(lambda: launch.name not in brief.runner._parking)
    assert not (pid and lives(pid))
    assert not list((brief.root / "runs").iterdir())
    assert not Path(launch.plan.folder).exists()
    handle = brief.submit(launch)
    assert brief.end(handle).state is S.SUCCEEDED


def test_a_source_stays_when_what_was_prepared_goes(brief: Yard) -> None:
    """It was fetched for the attempt, whose submit may still come."""
    launch = brief.launch("cat data")
    work = Path(launch.plan.work)
    work.mkdir(parents=True)
    (work / "data").write_text("here\n")
    parked(brief, launch)
    eventually(lambda: launch.name not in brief.runner._parking)
    handle = brief.submit(launch)
    brief.end(handle)
    assert brief.said(handle) == "here\n"


def test_what_was_prepared_for_another_launch_is_dropped(yard: Yard) -> None:
    """What runs is what was submitted."""
    launch = yard.launch("echo new")
    old = replace(launch, plan=yard.launch("echo old").plan)
    pid = parked(yard, old)
    handle = yard.submit(launch)
    assert yard.end(handle).state is S.SUCCEEDED
    assert yard.said(handle) == "new\n"
    assert not lives(pid)


def test_a_prepared_start_that_died_is_made_anew(yard: Yard) -> None:
    """Whoever killed the wrapper had it do nothing."""
    launch = yard.launch("echo up")
    os.kill(pid := parked(yard, launch), signal.SIGKILL)
    eventually(lambda: not lives(pid))
    handle = yard.submit(launch)
    assert wrapper_of(handle) != pid
    assert yard.end(handle).state is S.SUCCEEDED
    assert yard.said(handle) == "up\n"


def test_a_late_submit_of_what_is_prepared_starts_nothing(yard: Yard) -> None:
    """The lease may be another's by now; nothing of the start stays."""
    launch = yard.launch("echo up")
    pid = parked(yard, launch)
    with pytest.raises(RunnerError) as caught:
        yard.runner.submit(replace(launch, deadline=1.0))
    assert caught.value.reason is Reason.DEADLINE_PASSED
    assert not lives(pid)
    assert not list((yard.root / "runs").iterdir())


def test_nothing_begins_when_its_process_dies(yard: Yard) -> None:
    """The pipe closes, and the wrapper ends; the next process starts the job once."""
    launch = yard.launch("echo up")
    words = [sys.executable, "-c", _DIES, str(yard.root)]
    done = subprocess.run(words, input=pickle.dumps(launch), check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL

    def cleared() -> bool:
        yard.again()
        return not list((yard.root / "runs").iterdir())

    eventually(cleared)
    assert not Path(launch.plan.folder).exists()
    assert yard.again().find(launch.owner, launch.name) is None
    handle = yard.submit(launch)
    assert yard.end(handle).state is S.SUCCEEDED
    assert yard.said(handle) == "up\n"


def test_a_submit_may_overtake_or_meet_its_preparation(yard: Yard) -> None:
    """Whichever thread comes first, each job runs once and none waits for another's lock."""
    launches = [yard.launch("echo up") for _ in range(30)]
    with ThreadPoolExecutor(4) as pool:
        early = [pool.submit(yard.runner.prepare, one) for one in launches[:15]]
        handles = list(pool.map(yard.submit, launches))
        early += [pool.submit(yard.runner.prepare, one) for one in launches[15:]]
    assert [one.result() for one in early] == [None] * 30
    for handle in handles:
        assert yard.end(handle).state is S.SUCCEEDED
        assert yard.said(handle) == "up\n"
