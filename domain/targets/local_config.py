"""The configuration of a `local-process` queue, read into settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from launchyard.domain.config.problem import Problem
from launchyard.domain.config.schema import Field, Kind, RefusedError
from launchyard.domain.config.suggest import did_you_mean
from launchyard.domain.config.values import parse
from launchyard.domain.documents import Json, Path
from launchyard.domain.remotes import RemoteRefusedError, check_subdir
from launchyard.domain.spec.parse import read_env
from launchyard.domain.spec.reading import Reader

TYPE: Final = "local-process"
PATH: Final = ("resource_args", TYPE)
PROTECTED: Final = ("log_quota", "nice", "timeout")
"""Paths that a launch may not override unless its queue says so: the owner's limits."""

FIELDS: Final = (
    Field(key="env", kind=Kind.DOCUMENT, doc="Variables of every job; a launch's own win."),
    Field(
        key="shell",
        kind=Kind.BOOLEAN,
        doc="Run the command through `/bin/sh -c`; arguments follow as they are.",
        default=False,
    ),
    Field(
        key="timeout",
        kind=Kind.SECONDS,
        doc="Longest run of a job; a launch may ask for less.",
        minimum=1,
    ),
    Field(
        key="cancel_grace",
        kind=Kind.SECONDS,
        doc="Time between SIGTERM and SIGKILL when a job is cancelled.",
        minimum=0,
    ),
    Field(
        key="nice",
        kind=Kind.INTEGER,
        doc="How far jobs step back from other processes.",
        default=0,
        minimum=0,
        maximum=19,
    ),
    Field(
        key="log_quota",
        kind=Kind.BYTES,
        doc="How much of a job's log is kept.",
        minimum=0,
    ),
    Field(
        key="python",
        kind=Kind.TEXT,
        doc="Interpreter of the job's virtual environment: a version, a name or a path.",
    ),
    Field(
        key="requirements",
        kind=Kind.TEXT,
        doc="Requirements file in the source; without it, found by its usual names.",
    ),
)
_BY_KEY: Final = {entry.key: entry for entry in FIELDS}
_ELSEWHERE: Final = {
    "cwd": "a job runs in its own folder; use `overrides.working_dir` for one in the source",
    "image": "this target runs no images; send the launch to a docker or kubernetes queue",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """What a queue says about its jobs; None where it says nothing."""

    env: Mapping[str, str] = field(default_factory=dict)
    shell: bool = False
    run_s: float | None = None
    grace_s: float | None = None
    nice: int = 0
    log_quota_b: int | None = None
    python: str = ""
    requirements: str = ""


def read_settings(config: Json) -> tuple[LocalSettings, tuple[Problem, ...]]:
    """Return the settings in *config*, and all that is wrong with it.

    Settings are to be used only where nothing is wrong.
    """
    problems: list[Problem] = []
    if config is None:
        config = {}
    if not isinstance(config, dict):
        message = "a queue's configuration must be an object"
        return LocalSettings(), (Problem(path=PATH, message=message),)
    read = {key: _value(key, raw, problems) for key, raw in config.items() if raw is not None}
    known = {key: value for key, value in read.items() if value is not None}
    return _settings(known, problems), tuple(problems)


def _settings(values: Mapping[str, Json], problems: list[Problem]) -> LocalSettings:
    run, grace, quota = (values.get(key) for key in ("timeout", "cancel_grace", "log_quota"))
    nice = values.get("nice")
    return LocalSettings(
        env=read_env(Reader({"env": values.get("env")}, PATH, problems)),
        shell=values.get("shell") is True,
        run_s=run if isinstance(run, float) else None,
        grace_s=grace if isinstance(grace, float) else None,
        nice=nice if isinstance(nice, int) else 0,
        log_quota_b=quota if isinstance(quota, int) else None,
        python=str(values.get("python", "")),
        requirements=_requirements(str(values.get("requirements", "")), problems),
    )


def _value(key: str, raw: Json, problems: list[Problem]) -> Json:
    """Return one value normalised, or null after noting what is wrong with it."""
    entry = _BY_KEY.get(key)
    if entry is None:
        problems.append(_unknown(key))
        return None
    try:
        return parse(entry, raw)[0]
    except RefusedError as error:
        path: Path = (*PATH, key, *error.within)
        problems.append(
            Problem(path=path, message=error.message, allowed=error.allowed, hint=error.hint)
        )
        return None


def _unknown(key: str) -> Problem:
    why = _ELSEWHERE.get(key)
    if why is not None:
        return Problem(path=(*PATH, key), message=f"`{key}` is not for this target", hint=why)
    known = ", ".join(_BY_KEY)
    return Problem(
        path=(*PATH, key),
        message=f"{TYPE} has no setting `{key}`",
        allowed=known,
        hint=did_you_mean(key, _BY_KEY),
    )


def _requirements(text: str, problems: list[Problem]) -> str:
    try:
        return check_subdir(text)
    except RemoteRefusedError as error:
        problems.append(Problem(path=(*PATH, "requirements"), message=str(error)))
        return ""
