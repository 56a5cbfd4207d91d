"""How jobs are brought to their end, and what is left of them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Handle, Launch, Observation, RunnerError
from tests.adapters.local.kit import WAIT_S, Yard, eventually, held_shell, lives, wrapper_of

S = AttemptState


def test_a_job_outlives_its_wrapper(yard: Yard) -> None:
    """Without its wrapper it counts as running until it is gone; then the end is unknown."""
    handle = yard.run("echo up; sleep 600 & wait")
    yard.hears(handle, "up")
    watch = yard.runner.watch()
    watch.add(handle)
    assert [seen.observation.state for seen in watch.wait(WAIT_S)] == [S.RUNNING]
    os.kill(wrapper_of(handle), signal.SIGKILL)
    assert not watch.wait(0.2)
    assert yard.again().observe(handle).state is S.RUNNING
    job = int((yard.records(handle) / "job").read_text().split()[0])
    os.killpg(job, signal.SIGKILL)
    told: list[Observation] = []
    while not told:  # its processes end one after the other, and each is looked at
        told = [seen.observation for seen in watch.wait(WAIT_S)]
    watch.close()
    assert [(one.state, one.reason) for one in told] == [(S.FAILED, Reason.KILLED_WITHOUT_RECORD)]


def test_a_job_without_its_wrapper_can_be_cancelled(yard: Yard) -> None:
    """Its processes are found by their session and their marks."""
    handle = yard.run("setsid sleep 601 & echo $!; exec sleep 600")
    stray = int(yard.hears(handle, "\n"))
    os.kill(wrapper_of(handle), signal.SIGKILL)
    yard.runner.cancel(handle, 5.0, Reason.CANCELLED)
    assert yard.end(handle).state is S.CANCELLED
    eventually(lambda: not lives(stray))


def test_a_deaf_job_is_killed(yard: Yard) -> None:
    """SIGTERM first; when the grace has passed, SIGKILL."""
    handle = yard.run("trap 'echo asked' TERM; echo up; while :; do sleep 600; done")
    yard.hears(handle, "up")
    before = time.monotonic()
    yard.runner.cancel(handle, 3.0, Reason.CANCELLED)
    end = yard.end(handle)
    assert end.state is S.CANCELLED
    assert time.monotonic() - before >= 2.9
    assert "asked" in yard.said(handle)


def test_a_job_is_asked_once(yard: Yard) -> None:
    """Many programs take a second SIGTERM for impatience."""
    gate = yard.folder / "gate"
    counts = "n=0; trap 'n=$((n+1)); echo asked $n' TERM"
    handle = yard.run(f"{counts}; echo up; until [ -e {gate} ]; do sleep 0.05; done")
    yard.hears(handle, "up")
    yard.runner.cancel(handle, WAIT_S, Reason.CANCELLED)
    yard.hears(handle, "asked 1")
    yard.runner.cancel(handle, WAIT_S, Reason.CANCELLED)
    gate.touch()
    yard.end(handle)
    assert "asked 2" not in yard.said(handle)


def test_a_job_that_cleans_up_is_cancelled_all_the_same(yard: Yard) -> None:
    """It may end as it likes once it was asked; its code is told."""
    handle = yard.run("trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done")
    yard.hears(handle, "up")
    yard.runner.cancel(handle, WAIT_S, Reason.CANCELLED)
    end = yard.end(handle)
    assert (end.state, end.reason, end.exit_code) == (S.CANCELLED, Reason.CANCELLED, 0)


def test_a_stopped_job_can_be_cancelled(yard: Yard) -> None:
    """It is woken to hear the signal."""
    handle = yard.run("echo up; kill -STOP $$; sleep 600")
    yard.hears(handle, "up")
    yard.runner.cancel(handle, WAIT_S, Reason.CANCELLED)
    assert yard.end(handle).state is S.CANCELLED


def test_a_cancel_before_the_start_prevents_it(tmp_path: Path) -> None:
    """The wrapper finds the wish before it starts the job."""
    shell, gate = held_shell(tmp_path)
    yard = Yard(tmp_path, shell=str(shell))
    handle = yard.run("echo up")
    yard.again().cancel(handle, 5.0, Reason.CANCELLED)
    gate.write_text("go\n")
    end = yard.end(handle)
    assert (end.state, end.exit_code) == (S.CANCELLED, None)
    assert yard.said(handle) == ""


def test_a_start_that_comes_too_late_does_nothing(tmp_path: Path) -> None:
    """The wrapper looks at the clock last; who has the lease then may start the job."""
    shell, gate = held_shell(tmp_path)
    yard = Yard(tmp_path, shell=str(shell))
    launch = yard.launch("echo up")
    handle, soon = _just_in_time(yard, launch)
    eventually(lambda: time.clock_gettime(time.CLOCK_BOOTTIME) > soon + 0.02)
    gate.write_text("go\n")
    end = yard.end(handle)
    assert (end.state, end.reason) == (S.FAILED, Reason.DEADLINE_PASSED)
    second = yard.again().submit(launch)
    assert second != handle
    assert yard.end(second).state is S.SUCCEEDED
    assert yard.said(second) == "up\n"


def _just_in_time(yard: Yard, launch: Launch) -> tuple[Handle, float]:
    """Submit with little time left, more of it where the machine was too slow; tell the end."""
    for left_s in (0.3, 2.0):
        soon = time.clock_gettime(time.CLOCK_BOOTTIME) + left_s
        with contextlib.suppress(RunnerError):
            return yard.submit(replace(launch, deadline=soon)), soon
    soon = time.clock_gettime(time.CLOCK_BOOTTIME) + 20.0
    return yard.submit(replace(launch, deadline=soon)), soon


def test_what_a_job_leaves_running_is_ended(yard: Yard) -> None:
    """Also what has left its session, by the marks in its environment."""
    handle = yard.run("sleep 600 & echo $!; setsid sleep 601 & echo $!")
    assert yard.end(handle).state is S.SUCCEEDED
    left = [int(line) for line in yard.said(handle).split()]
    assert len(left) == 2
    for pid in left:
        eventually(lambda pid=pid: not lives(pid))  # type: ignore[misc]
