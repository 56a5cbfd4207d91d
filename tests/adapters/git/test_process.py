"""Commands that end with all they started."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path

import pytest

from launchyard.adapters.git.process import (
    Command,
    Meter,
    Result,
    StoppedError,
    TooBigError,
    Until,
    run,
)
from tests.programs import LIMIT_S


def shell(script: str, cwd: Path, timeout_s: float = LIMIT_S) -> Result:
    """Run a shell script."""
    until = Until(deadline_s=time.monotonic() + timeout_s, cancelled=lambda: False)
    env = {"PATH": os.environ["PATH"]}
    return run(Command(argv=["/bin/sh", "-c", script], cwd=str(cwd), env=env), until)


def ended(pid: int) -> bool:
    """Wait until *pid* is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], LIMIT_S)[0])
    finally:
        os.close(handle)


def test_what_a_command_says_is_returned(tmp_path: Path) -> None:
    """Both outputs whole, also beyond a pipe's size, and the code."""
    result = shell("head -c 300000 /dev/zero; echo bad >&2; exit 3", tmp_path)
    assert (result.code, len(result.out), result.err) == (3, 300_000, "bad\n")


def test_a_child_left_behind_is_ended(tmp_path: Path) -> None:
    """A background process that holds the pipes delays nothing and does not stay."""
    result = shell("sleep 60 & echo $!", tmp_path)
    assert ended(int(result.out))


def test_a_group_ends_with_its_time(tmp_path: Path) -> None:
    """Children of a command that is out of time end with it."""
    with pytest.raises(StoppedError) as e:
        shell("sleep 60 & echo $! > pid; wait", tmp_path, timeout_s=3)
    assert not e.value.cancelled
    assert ended(int((tmp_path / "pid").read_text()))


def test_endless_output_is_cut(tmp_path: Path) -> None:
    """A server that talks without end cannot fill the memory."""
    with pytest.raises(StoppedError, match="without end"):
        shell("cat /dev/zero", tmp_path)


def test_nothing_is_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is what was given, so a key of the agent's does not reach git."""
    monkeypatch.setenv("LAUNCHYARD_TEST_KEY", "secret")
    assert "LAUNCHYARD_TEST_KEY" not in shell("env", tmp_path).out.decode()


def test_what_grows_too_large_is_ended_while_it_grows(tmp_path: Path) -> None:
    """A command that would write for ever is ended by what it has written."""
    script = f"cd {tmp_path}; while :; do echo xxxxxxxxxxxxxxxx >>big; done"
    command = Command(argv=["/bin/sh", "-c", script], cwd=str(tmp_path), env={})
    until = Until(
        deadline_s=time.monotonic() + LIMIT_S,
        cancelled=lambda: False,
        meter=Meter(str(tmp_path), 1000),
    )
    with pytest.raises(TooBigError):
        run(command, until)
