"""Following a job: live on a terminal, in lines elsewhere, as NDJSON; and Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from tests.adapters.cli.kit import LIMIT_S, PROGRAM, Driver, Home

STEPS = "step 1\nstep 2\n"


def _run_job(driver: Driver) -> str:
    """Work on one job through every stage, with a log from two sources."""
    item = driver.claim()
    driver.tell(AttemptState.PREPARING)
    driver.tell(AttemptState.BUILDING)
    driver.log("installing\n", source="build")
    driver.tell(AttemptState.SUBMITTING)
    driver.tell(AttemptState.RUNNING)
    driver.log(STEPS)
    return item


def test_lines_where_there_is_no_terminal(home: Home, driver: Driver) -> None:
    """Log on standard output, one line per transition on standard error, exit code 0."""
    process = home.begin("launch", "--name", "n", "--follow", "--", "true")
    _run_job(driver)
    driver.end()
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, err
    assert out.replace("installing\n", "") == "step 1\nstep 2\n"
    assert "installing\n" in out
    assert [word for word in ("queued", "succeeded") if f" {word}\n" in err] == [
        "queued",
        "succeeded",
    ]
    assert "\x1b" not in out + err


def test_ndjson_for_programs(home: Home, driver: Driver) -> None:
    """Each line is one object: launched, states, log, end."""
    process = home.begin("launch", "--follow", "--json", "--", "true")
    item = _run_job(driver)
    driver.end()
    out, err = process.communicate(timeout=LIMIT_S)
    home_lines = [json.loads(line) for line in out.splitlines()]
    assert home_lines[0]["event"] == "launched"
    assert home_lines[0]["item"]["id"] == item
    assert {line["event"] for line in home_lines} == {"launched", "state", "log", "end"}
    text = "".join(line["text"] for line in home_lines if line.get("source") == "job")
    assert text == "step 1\nstep 2\n"
    assert home_lines[-1]["event"] == "end"
    assert home_lines[-1]["state"] == "succeeded"
    assert process.returncode == 0, err


@pytest.mark.parametrize(
    ("end", "code", "told"),
    [
        ((AttemptState.FAILED, Reason.EXIT_CODE), 10, "s: exit code 3\n"),
        ((AttemptState.FAILED, Reason.OUT_OF_MEMORY), 10, "s: out_of_memory (exit code 3)\n"),
        ((AttemptState.TIMED_OUT, Reason.RUN_TIMEOUT), 10, "s: run_timeout (exit code 3)\n"),
        ((AttemptState.LOST, Reason.HANDLE_UNKNOWN), 12, "s: handle_unknown (exit code 3)\n"),
    ],
)
def test_the_exit_code_tells_the_end(
    home: Home, driver: Driver, end: tuple[AttemptState, Reason], code: int, told: str
) -> None:
    """And the reason is told in words."""
    process = home.begin("launch", "--follow", "--", "true")
    _run_job(driver)
    driver.end(end[0], reason=end[1], detail="the detail", exit_code=3)
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == code, err
    assert told in err
    assert "the detail" in err


def test_a_cancelled_job_is_exit_code_11(home: Home) -> None:
    """Also when it never ran."""
    process = home.begin("launch", "--follow", "--json", "--", "true")
    assert process.stdout is not None
    item = json.loads(process.stdout.readline())["item"]["id"]
    home.run("cancel", item)
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == 11


def test_ctrl_c_detaches(home: Home, driver: Driver) -> None:
    """The job goes on, and the way back is told; exit code 130. What is there is told at once."""
    process = home.begin("launch", "--follow", "--", "true")
    item = _run_job(driver)
    assert process.stdout is not None
    while "step 2" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130, err
    assert f"launchyard logs -f {item[-8:]}" in err
    (event,) = home.run("logs", item, "--source", "job", "--json").lines
    assert event == {"event": "log", "source": "job", "start": 0, "to": 14, "text": STEPS}
    process = home.begin("logs", "-f", item, "--source", "job")
    assert process.stdout is not None
    while "step 2" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130, err
    assert f"launchyard logs -f {item[-8:]} --source job" in err
    assert home.run("show", item, "--json").json["attempt_state"] == "running"
    back = home.begin("logs", "-f", item)
    driver.log("step 3\n", start=14)
    driver.end()
    out, _ = back.communicate(timeout=LIMIT_S)
    assert "step 2\nstep 3\n" in out
    assert back.returncode == 0


def test_a_log_is_printed_whole_afterwards(home: Home, driver: Driver) -> None:
    """As bytes, or one source of it."""
    process = home.begin("launch", "--", "true")
    item = _run_job(driver)
    process.communicate(timeout=LIMIT_S)
    driver.end()
    assert "step 1\nstep 2\n" in home.run("logs", item).out
    assert home.run("logs", item, "--source", "build").out == "installing\n"
    assert home.run("logs", item, "--json").lines[0]["event"] == "log"


def test_following_what_has_ended_tells_the_end(home: Home, driver: Driver) -> None:
    """A script that comes too late gets the same exit code; without -f the code is of the call."""
    process = home.begin("launch", "--", "false")
    item = _run_job(driver)
    process.communicate(timeout=LIMIT_S)
    driver.end(AttemptState.FAILED, reason=Reason.EXIT_CODE, detail="the detail", exit_code=3)
    late = home.run("logs", "-f", item)
    assert (late.code, late.out) == (10, home.run("logs", item).out)
    assert "s: exit code 3\n" in late.err
    assert home.run("logs", "-f", item, "--source", "build").code == 10
    assert home.run("logs", "-f", item, "--json").lines[-1]["event"] == "end"
    assert home.run("logs", item).code == 0


class Terminal:
    """A pseudo-terminal that reads along."""

    def __init__(self, home: Home, *words: str, **env: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*PROGRAM, *words],
            env=home.variables({"TERM": "xterm", "COLUMNS": "80"} | env),
            cwd=home.folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.seen = ""

    def until(self, found: Callable[[str], object], what: str) -> str:
        """Read until *found* is true of all that was seen."""
        stop = time.monotonic() + LIMIT_S
        while not found(self.seen):
            assert time.monotonic() < stop, f"{what}: {self.seen!r}"
            if select.select([self._ours], [], [], 0.5)[0]:
                try:
                    piece = os.read(self._ours, 65536)
                except OSError:
                    break
                self.seen += piece.decode(errors="replace")
        return self.seen

    def close(self) -> int:
        """Read the rest; return the exit code."""
        self.until(lambda _: self.process.poll() is not None, "the end")
        self.until(lambda _: not select.select([self._ours], [], [], 0.1)[0], "the rest")
        os.close(self._ours)
        return self.process.wait(LIMIT_S)


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)


def test_a_live_list_on_a_terminal(home: Home, driver: Driver) -> None:
    """Stages are redrawn in place with their times; log lines scroll by above them."""
    terminal = Terminal(home, "launch", "--name", "shown", "--follow", "--", "true")
    terminal.until(lambda seen: "queued" in seen, "the first stage")
    _run_job(driver)
    terminal.until(lambda seen: "step 2" in seen and "running" in seen, "the log")
    before = len(terminal.seen)
    terminal.until(lambda seen: seen[before:].count("running") >= 3, "time that passes")
    driver.end()
    assert terminal.close() == 0
    assert re.search(r"\x1b\[\d+A", terminal.seen), "nothing was redrawn"
    text = _plain(terminal.seen)
    assert "build │ installing" in text
    last = text[text.rindex("✔ queued") :]
    for stage in ("queued", "claimed", "running"):
        assert re.search(rf"✔ {stage} +\d", last), last
    assert "✔ succeeded" in last
    assert "shown succeeded after" in last


def test_no_colours_when_they_are_not_wanted(home: Home, driver: Driver) -> None:
    """NO_COLOR keeps the list and drops the colours."""
    terminal = Terminal(home, "launch", "--follow", "--", "true", NO_COLOR="1")
    terminal.until(lambda seen: "queued" in seen, "the first stage")
    _run_job(driver)
    terminal.until(lambda seen: "step 2" in seen, "the log")
    driver.end()
    assert terminal.close() == 0
    assert "\x1b[32m" not in terminal.seen
    assert re.search(r"\x1b\[\d+A", terminal.seen)


@pytest.mark.parametrize("variable", [{"TERM": "dumb"}, {"CI": "true"}])
def test_a_terminal_that_cannot_redraw_gets_lines(
    home: Home, driver: Driver, variable: dict[str, str]
) -> None:
    """TERM=dumb and CI are taken at their word."""
    terminal = Terminal(home, "launch", "--follow", "--", "true", **variable)
    _run_job(driver)
    driver.end()
    assert terminal.close() == 0
    assert "\x1b[" not in terminal.seen
    assert "succeeded" in terminal.seen
