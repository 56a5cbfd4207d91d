"""What the local runner promises beyond the contract of all runners."""

from __future__ import annotations

import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from launchyard.adapters.system.scheduling import yield_to_others
from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Handle, RunnerError
from tests.adapters.local.kit import WAIT_S, Yard, eventually, wrapper_of

S = AttemptState


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
            *("PATH", "LAUNCHYARD_OUTPUT"),
            *("LAUNCHYARD_INSTALLATION", "LAUNCHYARD_ITEM", "LAUNCHYARD_ATTEMPT"),
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


@pytest.mark.parametrize("began", [os.SCHED_OTHER, os.SCHED_BATCH])
def test_a_job_is_scheduled_as_we_were_at_first(tmp_path: Path, began: int) -> None:
    """By the policy that this process was given, not by the one that it took since."""

    def policy() -> int:
        os.sched_setscheduler(0, began, os.sched_param(0))  # of this thread alone
        yard = Yard(tmp_path)
        yield_to_others()
        assert os.sched_getscheduler(0) == os.SCHED_BATCH
        handle = yard.run("read -r line </proc/self/stat; echo $line")
        yard.end(handle)
        return int(yard.said(handle).rpartition(")")[2].split()[38])

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(policy).result(WAIT_S) == began


def test_outputs_are_files(yard: Yard, tmp_path: Path) -> None:
    """Regular files that are wanted are listed, in order, up to a number; no link is followed."""
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
    named = yard.run(script, outputs=("d/*",))
    assert yard.end(named).state is S.SUCCEEDED
    assert list(yard.again().outputs(named)) == ["d/b"]


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
        seen = watch.wait(WAIT_S)
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
