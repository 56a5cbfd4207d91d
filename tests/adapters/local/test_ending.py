"""What records mean, also records that no test can have the machine leave."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from launchyard.adapters.local import machine
from launchyard.adapters.local.ending import ending
from launchyard.adapters.local.errors import runner_errors
from launchyard.adapters.local.process import read_stat
from launchyard.adapters.local.records import Ownership, Records, Wish
from launchyard.domain.attempt import AttemptState
from launchyard.domain.naming import Owner
from launchyard.domain.reason import Reason
from launchyard.ports.runner import RunnerError

S = AttemptState


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """Give the records of an attempt that was begun when two had been killed for memory."""
    (tmp_path / "runs").mkdir()
    records = Records(str(tmp_path), "ly-x-a1")
    owner = Owner(installation="i", item="x", attempt=1)
    ownership = Ownership(owner=owner, labels={}, folder="", output="", log_quota_b=1, oom_kills=2)
    with records.made(ownership) as lock:
        assert lock is not None
    return records


def counter(folder: Path, kills: int) -> Path:
    """Write what the kernel would."""
    path = folder / "memory.events"
    path.write_text(f"low 0\noom {kills}\noom_kill {kills}\n")
    return path


@pytest.mark.parametrize(
    ("text", "state", "reason", "code"),
    [
        ("0\n", S.SUCCEEDED, Reason.COMPLETED, 0),
        ("1\n", S.FAILED, Reason.EXIT_CODE, 1),
        ("255\n", S.FAILED, Reason.EXIT_CODE, 255),
        ("143\n", S.FAILED, Reason.KILLED_BY_SIGNAL, 143),
        ("137\n", S.FAILED, Reason.KILLED_BY_SIGNAL, 137),
        ("deadline\n", S.FAILED, Reason.DEADLINE_PASSED, None),
        ("", S.FAILED, Reason.KILLED_WITHOUT_RECORD, None),
    ],
)
def test_records(
    records: Records, text: str, state: AttemptState, reason: Reason, code: int | None
) -> None:
    """Each text in the record of the end has one meaning."""
    (records.folder / "exit").write_text(text)
    end = ending(records, None, rebooted=False)
    assert (end.state, end.reason, end.exit_code) == (state, reason, code)


def test_an_empty_record_hints_at_the_disk(records: Records) -> None:
    """A full disk takes the file's name but not its text."""
    (records.folder / "exit").touch()
    assert "disk" in ending(records, None, rebooted=False).detail


def test_no_memory(records: Records, tmp_path: Path) -> None:
    """SIGKILL is for want of memory when the kernel's count has grown since the start."""
    (records.folder / "exit").write_text("137\n")
    same, more = (ending(records, counter(tmp_path, n), rebooted=False) for n in (2, 3))
    assert (same.reason, more.reason) == (Reason.KILLED_BY_SIGNAL, Reason.OUT_OF_MEMORY)


def test_the_first_wish_counts(records: Records) -> None:
    """Who was out of time is not cancelled as well."""
    records.ask(Wish(Reason.RUN_TIMEOUT, 1.0))
    records.ask(Wish(Reason.CANCELLED, 1.0))
    (records.folder / "exit").write_text("143 cancelled\n")
    assert ending(records, None, rebooted=False).state is S.TIMED_OUT


def test_a_wish_after_the_end_changes_nothing(records: Records) -> None:
    """Only what the wrapper knew of when the job ended counts."""
    (records.folder / "exit").write_text("0\n")
    records.ask(Wish(Reason.CANCELLED, 1.0))
    assert ending(records, None, rebooted=False).state is S.SUCCEEDED


def test_a_process_may_be_called_anything() -> None:
    """Its name stands in the middle of the line, and may hold blanks and brackets."""
    fields = " ".join(str(n) for n in range(4, 53))
    found = read_stat(f"77 (a) R 1 2) S {fields}\n")
    assert found is not None
    assert (found.process.pid, found.state, found.process.start) == (77, "S", 22)


def test_no_line_is_no_process() -> None:
    """A record that was cut short names nobody."""
    for text in ("", "12", "12 (sh", "12 (sh) S 1 2"):
        assert read_stat(text) is None


@pytest.mark.parametrize(
    ("number", "reason", "retry"),
    [
        (errno.ENOSPC, Reason.DISK_FULL, True),
        (errno.EAGAIN, Reason.SUBMIT_FAILED, True),
        (errno.EMFILE, Reason.SUBMIT_FAILED, True),
        (errno.E2BIG, Reason.SPEC_INVALID, False),
        (errno.EACCES, Reason.SUBMIT_FAILED, False),
    ],
)
def test_errors_are_told_in_the_ports_words(number: int, reason: Reason, *, retry: bool) -> None:
    """What the machine refuses says what to do, and whether to try again."""
    with pytest.raises(RunnerError) as e, runner_errors("it cannot be done"):
        raise OSError(number, "no")
    assert (e.value.reason, e.value.retry) == (reason, retry)
    assert "it cannot be done" in str(e.value)


def test_this_machine_has_one_id(tmp_path: Path) -> None:
    """The same at each call."""
    assert machine.machine_id(str(tmp_path)) == machine.machine_id(str(tmp_path))
