"""Retries, delays and dead letters, as people ask for them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from launchyard.adapters.cli.errors import CommandError
from launchyard.adapters.cli.timing import read_moment
from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from tests.adapters.cli.kit import LIMIT_S, Driver, Home

S = AttemptState
NOW = datetime(2026, 1, 31, 16, 0, tzinfo=UTC)
AT_ONCE = json.dumps({"backoff": {"first_s": 0, "cap_s": 0}})


def _fail(driver: Driver, text: str, code: int) -> None:
    """Let the next attempt say *text* and fail."""
    driver.claim()
    driver.tell(S.RUNNING)
    driver.log(text)
    driver.end(S.FAILED, reason=Reason.EXIT_CODE, exit_code=code)


def test_a_followed_job_is_followed_through_its_retries(home: Home, driver: Driver) -> None:
    """Both logs are shown; at the end the exit code is that of the last attempt."""
    words = ("--retry-on", "75", "--retries", "2", "--retry-policy", AT_ONCE, "--", "true")
    with home.begin("launch", "-f", *words) as following:
        _fail(driver, "first try\n", 75)
        item = driver.claim()
        driver.tell(S.RUNNING)
        driver.log("second try\n")
        driver.end()
        out, err = following.communicate(timeout=LIMIT_S)
    assert following.returncode == 0, err
    assert {"first try", "second try"} <= set(out.splitlines())
    assert "retry 1 of 2 for exit_code" in err
    shown = home.run("show", item)
    assert "attempt 1: failed exit_code (75)" in shown.out
    assert home.run("logs", item, "--attempt", "1").out == "first try\n"
    assert home.run("logs", item).out == "second try\n"


def test_dead_letters_from_the_list_to_the_replay(home: Home, driver: Driver) -> None:
    """Listed with why they failed; put back by class; tried again one by one; copied."""
    assert home.run("launch", "--name", "one", "--", "true").code == 0
    _fail(driver, "x\n", 9)
    listed = home.run("dead-letters", "list")
    assert "exit_code" in listed.out
    [letter] = home.run("dead-letters", "list", "--json").json
    assert (letter["dead"], letter["exit_code"], letter["name"]) == ("user", 9, "one")
    nothing = home.run("dead-letters", "replay", "--class", "platform")
    assert nothing.out == "0 items wait again\n"
    assert home.run("dead-letters", "replay").code == 2
    replayed = home.run("dead-letters", "replay", "--class", "user", "--json")
    assert replayed.json == {"items": [letter["id"]]}
    _fail(driver, "y\n", 9)
    again = home.run("retry", letter["id"])
    assert again.out.endswith("queued for attempt 3\n")
    refused = home.run("retry", letter["id"])
    assert (refused.code, "has not ended" in refused.err) == (6, True)
    copied = home.run("duplicate", letter["id"]).out.strip()
    shown = home.run("show", copied, "--json").json
    assert (shown["name"], shown["attempt"], shown["attempts"]) == ("one", 1, [])


def test_a_delayed_job_says_until_when(home: Home) -> None:
    """In `show` and `why`; a moment that cannot be read is a usage error with examples."""
    launched = home.run("launch", "--not-before", "2h", "--", "true")
    item = launched.out.strip()
    assert "not before" in home.run("show", item).out
    assert "waits until" in home.run("why", item).out
    wrong = home.run("launch", "--not-before", "soon", "--", "true")
    assert (wrong.code, "17:30" in wrong.err) == (2, True)
    assert home.run("cancel", item).code == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("2h30m", 9000), ("1d", 86400), ("1.5h", 5400)],
)
def test_a_duration_is_counted_by_the_server(text: str, seconds: float) -> None:
    """So that no clock but one matters."""
    assert read_moment(text, NOW) == (seconds, None)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("17:30", NOW.replace(hour=17, minute=30)),
        ("15:59", NOW.replace(hour=15, minute=59) + timedelta(days=1)),
        ("16:00", NOW + timedelta(days=1)),
        ("2026-02-03T04:05:06Z", datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)),
        ("2026-02-03 04:05+02:00", datetime(2026, 2, 3, 2, 5, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read(text: str, moment: datetime) -> None:
    """A time of day is the next one that comes; a zone counts."""
    assert read_moment(text, NOW) == (None, round(moment.timestamp() * 1000))


@pytest.mark.parametrize("text", ["", "soon", "5", "25:00", "2026-13-01", "-5m", "5m ago"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    """With what is one."""
    with pytest.raises(CommandError):
        read_moment(text, NOW)
