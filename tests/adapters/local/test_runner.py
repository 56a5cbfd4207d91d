"""What the local runner promises beyond the contract of all runners."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Handle, RunnerError
from tests.adapters.local.kit import Yard, eventually, held_shell, lives

S = AttemptState


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """Give a runner whose jobs end with the test."""
    yard = Yard(tmp_path)
    yield yard
    yard.close()


def wrapper_of(handle: Handle) -> int:
    """Return the number of the wrapper's process."""
    return int(handle.uid.split(":")[1])


def test_a_job_has_its_own_session(yard: Yard) -> None:
    """It is in neither ours nor its wrapper's, so that no signal to those reaches it."""
    handle = yard.run("read -r line </proc/self/stat; echo $line")
    yard.end(handle)
    fields = yard.said(handle).rpartition(")")[2].split()
    session = int(fields[3])
    assert session not in {os.getsid(0), wrapper_of(handle)}
    assert session == int(fields[2])


def test_a_job_inherits_nothing(tmp_path: Path) -> None:
    """Neither descriptors of this process, nor variables of the wrapper or the agent."""
    leak = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(leak, True)
    yard = Yard(tmp_path)
    try:
        os.environ["LAUNCHYARD_TEST_LEAK"] = "1"
        handle = yard.run("", argv=("/bin/sh", "-c", "ls /proc/self/fd; env; ulimit -n"))
        yard.end(handle)
        said = yard.said(handle).split("\n")
        names = {line.partition("=")[0] for line in said if "=" in line}
        assert [line for line in said if line.isdigit()][:4] == ["0", "1", "2", "3"]  # 3: ls's own
        assert names - {"PWD"} == {
            *("PATH", "LAUNCHYARD_OUTPUT", "LAUNCHYARD_ITEM", "LAUNCHYARD_ATTEMPT")
        }
    finally:
        del os.environ["LAUNCHYARD_TEST_LEAK"]
        os.close(leak)
        yard.close()


def test_a_job_hears_interrupts(yard: Yard) -> None:
    """No signal is ignored for it, whatever the run host ignores."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        handle = yard.run("", argv=("/bin/sh", "-c", "grep SigIgn /proc/self/status"))
    finally:
        signal.signal(signal.SIGTERM, before)
    yard.end(handle)
    ignored = int(yard.said(handle).split()[1], 16)
    assert ignored & 0x7FFFFFFF == 0  # beyond are the C library's own


def test_a_secret_is_written_nowhere(yard: Yard) -> None:
    """It is in the job's environment, and on no command line and in no file."""
    secret = "s3cr3ts3cr3t"  # noqa: S105 - an invented one
    launch = replace(yard.launch("echo ${#TOKEN}; exec sleep 600"), secrets={"TOKEN": secret})
    handle = yard.submit(launch)
    assert yard.hears(handle, "\n") == "12\n"
    found = subprocess.run(["grep", "-r", secret, str(yard.folder)], check=False).returncode
    assert found == 1
    line = Path(f"/proc/{wrapper_of(handle)}/cmdline").read_bytes()
    assert secret.encode() not in line
    assert secret not in repr(launch)


def test_many_threads_submit_once(yard: Yard) -> None:
    """All get the same handle, and one job runs."""
    launch = yard.launch("echo once")
    runners = [yard.again() for _ in range(6)]
    with ThreadPoolExecutor(len(runners)) as pool:
        handles = set(pool.map(lambda runner: runner.submit(launch), runners))
    assert len(handles) == 1
    yard.end(*handles)
    assert yard.said(*handles) == "once\n"


def test_a_start_that_died_is_finished(yard: Yard) -> None:
    """A folder in which nothing was started, or only half, is started in."""
    launch = yard.launch("echo up")
    died = yard.again(shell="/bin/true")  # noqa: S604 - a path, no flag
    first = died.submit(launch)
    assert yard.end(first).reason is Reason.KILLED_WITHOUT_RECORD
    (yard.records(first) / "started").touch()
    assert yard.runner.find(launch.owner, launch.name) is None
    second = yard.submit(launch)
    assert second != first
    assert yard.end(second).state is S.SUCCEEDED
    assert yard.said(second) == "up\n"


def test_a_job_outlives_its_wrapper(yard: Yard) -> None:
    """Without its wrapper it counts as running until it is gone; then the end is unknown."""
    handle = yard.run("echo up; sleep 600 & wait")
    yard.hears(handle, "up")
    watch = yard.runner.watch()
    watch.add(handle)
    assert [seen.observation.state for seen in watch.wait(5)] == [S.RUNNING]
    os.kill(wrapper_of(handle), signal.SIGKILL)
    assert not watch.wait(0.2)
    assert yard.again().observe(handle).state is S.RUNNING
    job = int((yard.records(handle) / "job").read_text().split()[0])
    os.killpg(job, signal.SIGKILL)
    told = [seen.observation for seen in watch.wait(10)]
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
    yard.runner.cancel(handle, 0.6, Reason.CANCELLED)
    end = yard.end(handle)
    assert end.state is S.CANCELLED
    assert time.monotonic() - before >= 0.5
    assert "asked" in yard.said(handle)


def test_a_job_is_asked_once(yard: Yard) -> None:
    """Many programs take a second SIGTERM for impatience."""
    script = "n=0; trap 'n=$((n+1)); echo asked $n' TERM; echo up; while :; do sleep 0.05; done"
    handle = yard.run(script)
    yard.hears(handle, "up")
    yard.runner.cancel(handle, 0.7, Reason.CANCELLED)
    yard.runner.cancel(handle, 0.7, Reason.CANCELLED)
    yard.end(handle)
    assert "asked 1" in yard.said(handle)
    assert "asked 2" not in yard.said(handle)


def test_a_job_that_cleans_up_is_cancelled_all_the_same(yard: Yard) -> None:
    """It may end as it likes once it was asked; its code is told."""
    handle = yard.run("trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done")
    yard.hears(handle, "up")
    yard.runner.cancel(handle, 10.0, Reason.CANCELLED)
    end = yard.end(handle)
    assert (end.state, end.reason, end.exit_code) == (S.CANCELLED, Reason.CANCELLED, 0)


def test_a_stopped_job_can_be_cancelled(yard: Yard) -> None:
    """It is woken to hear the signal."""
    handle = yard.run("echo up; kill -STOP $$; sleep 600")
    yard.hears(handle, "up")
    yard.runner.cancel(handle, 20.0, Reason.CANCELLED)
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
    soon = time.clock_gettime(time.CLOCK_BOOTTIME) + 0.1
    handle = yard.submit(replace(launch, deadline=soon))
    eventually(lambda: time.clock_gettime(time.CLOCK_BOOTTIME) > soon + 0.02)
    gate.write_text("go\n")
    end = yard.end(handle)
    assert (end.state, end.reason) == (S.FAILED, Reason.DEADLINE_PASSED)
    second = yard.again().submit(launch)
    assert second != handle
    assert yard.end(second).state is S.SUCCEEDED
    assert yard.said(second) == "up\n"


def test_what_a_job_leaves_running_is_ended(yard: Yard) -> None:
    """Also what has left its session, by the marks in its environment."""
    handle = yard.run("sleep 600 & echo $!; setsid sleep 601 & echo $!")
    assert yard.end(handle).state is S.SUCCEEDED
    left = [int(line) for line in yard.said(handle).split()]
    assert len(left) == 2
    for pid in left:
        eventually(lambda pid=pid: not lives(pid))  # type: ignore[misc]


def test_a_missing_command_is_named(yard: Yard) -> None:
    """By the word that the submitter wrote."""
    for word in ("nosuchcommand", "./nosuchscript"):
        end = yard.end(yard.run("", argv=(word, "x")))
        assert (end.state, end.reason) == (S.FAILED, Reason.COMMAND_NOT_FOUND)
        assert word in end.detail


def test_a_code_of_127_is_a_code(yard: Yard) -> None:
    """A program that was found and says 127 itself is not missing."""
    end = yard.end(yard.run("exit 127"))
    assert (end.reason, end.exit_code) == (Reason.EXIT_CODE, 127)


@pytest.mark.parametrize("name", ["SEGV", "KILL", "TERM", "INT", "PIPE"])
def test_a_signal_is_named(yard: Yard, name: str) -> None:
    """An end by signal says which."""
    end = yard.end(yard.run(f"kill -{name} $$"))
    assert (end.state, end.reason) == (S.FAILED, Reason.KILLED_BY_SIGNAL)
    assert f"SIG{name}" in end.detail


def test_another_boot(yard: Yard) -> None:
    """What ran when the machine went down has failed by that; what had ended, ended so."""
    handle = yard.run("exit 3")
    end = yard.end(handle)
    _, _, process = handle.uid.partition(":")
    old = replace(handle, uid=f"another-boot:{process}")
    assert yard.runner.observe(old) == end
    (yard.records(handle) / "exit").unlink()
    seen = yard.runner.observe(old)
    assert (seen.state, seen.reason) == (S.FAILED, Reason.HOST_REBOOTED)
    yard.runner.remove(old)
    seen = yard.runner.observe(old)
    assert (seen.state, seen.reason) == (S.LOST, Reason.HOST_REBOOTED)


def test_another_machine(yard: Yard) -> None:
    """Of another machine's things nothing is said, least of all that they are lost."""
    handle = replace(yard.run("exit 0"), scope="host:another")
    with pytest.raises(RunnerError) as e:
        yard.runner.observe(handle)
    assert e.value.reason is Reason.TARGET_UNREACHABLE


@pytest.mark.parametrize("name", ["../x", "", ".", "..", "a/b", "a\0b", ".new-x"])
def test_a_name_is_no_path(yard: Yard, name: str) -> None:
    """A name from elsewhere cannot lead out of the folder of records."""
    handle = Handle(scope=yard.runner.scope(), name=name, uid="")
    with pytest.raises(RunnerError):
        yard.runner.remove(handle)


def test_a_missing_working_directory_is_told(yard: Yard) -> None:
    """Before anything is started."""
    launch = yard.launch("true")
    plan = replace(launch.plan, cwd=f"{launch.plan.work}/nowhere")
    with pytest.raises(RunnerError) as e:
        yard.runner.submit(replace(launch, plan=plan))
    assert e.value.reason is Reason.SPEC_INVALID
    assert "nowhere" in str(e.value)


def test_a_command_that_cannot_be_passed_is_told(yard: Yard) -> None:
    """In the port's words."""
    launch = yard.launch("true", argv=("echo", "x" * 3_000_000))
    with pytest.raises(RunnerError) as e:
        yard.runner.submit(launch)
    assert (e.value.reason, e.value.retry) == (Reason.SPEC_INVALID, False)


def test_a_job_steps_back(yard: Yard) -> None:
    """As far as the queue says."""
    handle = yard.run("nice", nice=7)
    yard.end(handle)
    assert int(yard.said(handle)) == 7 + os.nice(0)


def test_outputs_are_files(yard: Yard, tmp_path: Path) -> None:
    """Regular files are listed, in order, up to a number; links are not followed."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").touch()
    script = (
        'cd "$LAUNCHYARD_OUTPUT"; mkdir d; echo 1 >d/b; echo 2 >a; mkfifo f;'
        f" ln -s {secret}/key link; ln -s {secret} dir"
    )
    handle = yard.run(script)
    assert yard.end(handle).state is S.SUCCEEDED
    assert list(yard.runner.outputs(handle)) == ["a", "d/b"]
    assert yard.runner.output_root(handle).endswith("/outputs")
    assert list(yard.again(most_outputs=1).outputs(handle)) == ["a"]


def test_what_runs_is_not_removed(yard: Yard) -> None:
    """Its end has to be known first."""
    handle = yard.run("exec sleep 600")
    with pytest.raises(RunnerError):
        yard.runner.remove(handle)
    assert yard.runner.observe(handle).state is S.RUNNING


def test_all_is_removed(yard: Yard) -> None:
    """The records, and the job's folder with what the job closed in it."""
    handle = yard.run("mkdir closed; touch closed/x; chmod 0 closed")
    yard.end(handle)
    yard.runner.remove(handle)
    assert not list((yard.root / "runs").iterdir())
    assert not list((yard.folder / "jobs").iterdir())


def test_a_runaway_log_is_cut(tmp_path: Path) -> None:
    """Its disk space is given back while the job runs; what is below the quota stays."""
    yard = Yard(tmp_path, log_look_s=0.05)
    script = "head -c 3000000 /dev/zero | tr '\\0' x; echo full >&3; exec sleep 600"
    handle = yard.run(f"exec 3>../tmp/mark; {script}", log_quota_b=1000)
    log = yard.records(handle) / "log"
    mark = yard.folder / "jobs" / handle.name / "tmp" / "mark"
    eventually(lambda: mark.exists() and mark.read_text() == "full\n")
    yard.runner.observe(handle)
    eventually(lambda: log.stat().st_size <= 2 * 1000 + 1024 * 1024)
    assert yard.runner.read_log(handle, "main", 0, 1000).data == b"x" * 1000
    yard.close()


def test_many_are_watched_by_one(yard: Yard) -> None:
    """Each end is told exactly once."""
    watch = yard.runner.watch()
    handles = [yard.run(f"exit {i % 3}") for i in range(60)]
    for handle in handles:
        watch.add(handle)
    told: list[Handle] = []
    while len(told) < len(handles):
        seen = watch.wait(20)
        assert seen
        told += [one.handle for one in seen if one.observation.state in ENDS]
    assert not watch.wait(0.05)
    watch.close()
    assert sorted(told, key=repr) == sorted(handles, key=repr)


def test_no_zombies_stay(yard: Yard) -> None:
    """Ended wrappers are reaped when their end is noticed."""
    handle = yard.run("exit 0")
    yard.end(handle)
    assert not Path(f"/proc/{wrapper_of(handle)}").exists()
