"""The options of a launch that say when it begins and what is tried again."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import click

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.errors import CommandError
from launchyard.adapters.cli.session import Session
from launchyard.adapters.cli.texts import text_of
from launchyard.domain.documents import Json
from launchyard.ports.again import Timing

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_PIECE: Final = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_OF_DAY: Final = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
_NAMES: Final = ("not_before", "retries", "retry_on", "never_retry_on", "retry_policy")


def timing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; `timing_of` takes them out again."""
    code = click.IntRange(1, 255)
    options = (
        click.option("--not-before", metavar="WHEN", help="30m, 2h30m, 17:30, or a date and time."),
        click.option("--retries", type=click.IntRange(0, 1000), help="Retries if the job fails."),
        click.option(
            "--retry-on",
            multiple=True,
            type=code,
            metavar="CODE",
            help="Retry on this exit code; --retries then counts for it alone.",
        ),
        click.option(
            "--never-retry-on", multiple=True, type=code, metavar="CODE", help="Never on this one."
        ),
        click.option("--retry-policy", metavar="JSON|FILE", help="All of it; docs/retries.md."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def timing_of(session: Session, given: dict[str, Any]) -> Timing:
    """Take the options of `timing_options` out of *given* and return what they say.

    Raises:
        CommandError: a moment or a policy cannot be read.
    """
    asked = {name: given.pop(name, None) for name in _NAMES}
    retry = _policy(session, asked)
    if not asked["not_before"]:
        return Timing(retry=retry)
    delay_s, moment_ms = read_moment(asked["not_before"], datetime.now().astimezone())
    return Timing(retry=retry, delay_s=delay_s, not_before_ms=moment_ms)


def read_moment(text: str, now: datetime) -> tuple[float | None, int | None]:
    """Return a duration in seconds, or a moment in milliseconds since 1970; the other is None.

    A time without a zone is this machine's; a time of day is the next one that comes.
    """
    text = text.strip()
    if _DURATION.fullmatch(text):
        return sum(float(n) * _UNITS[unit] for n, unit in _PIECE.findall(text)), None
    try:
        if _OF_DAY.fullmatch(text):
            hour = datetime.strptime(text, "%H:%M:%S" if text.count(":") > 1 else "%H:%M")  # noqa: DTZ007 - only the time of day is used
            moment = datetime.combine(now.date(), hour.time(), now.tzinfo)
            moment += timedelta(days=moment <= now)
        else:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.astimezone()
        return None, round(moment.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise CommandError(
            f"{text!r} is no moment",
            "a duration is 90s, 30m, 2h30m or 1d, a time 17:30 or 2026-01-31T08:00",
            "`launchyard launch --not-before 30m …`",
            code=Code.USAGE,
        ) from None


def _policy(session: Session, asked: dict[str, Any]) -> Json:
    """Return the retry policy that the options give together; None where they say nothing."""
    policy = _document(session, asked["retry_policy"]) if asked["retry_policy"] else {}
    budgets, codes = dict(_part(policy, "budgets")), dict(_part(policy, "exit_codes"))
    if asked["retries"] is not None:
        budgets["exit_code" if asked["retry_on"] else "user"] = asked["retries"]
    if asked["retry_on"]:
        codes["retry"] = [*asked["retry_on"]]
    if asked["never_retry_on"]:
        codes["never"] = [*asked["never_retry_on"]]
    said: dict[str, Json] = {"budgets": budgets, "exit_codes": codes}
    policy |= {name: part for name, part in said.items() if part}
    return policy or None


def _document(session: Session, text: str) -> dict[str, Json]:
    literal = text.lstrip().startswith("{")
    name = "--retry-policy" if literal else text
    document = session.programs.read_document(text if literal else text_of(text), name)
    if not isinstance(document.value, dict):
        raise CommandError(f"{name} is no object", code=Code.CONFIG)
    inner = document.value.get("retry", document.value)
    return dict(inner) if isinstance(inner, dict) else {}


def _part(policy: dict[str, Json], name: str) -> dict[str, Json]:
    part = policy.get(name)
    return part if isinstance(part, dict) else {}
