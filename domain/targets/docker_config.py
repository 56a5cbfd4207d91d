"""The configuration of a `local-container` queue, read into settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from launchyard.domain.config.problem import Problem
from launchyard.domain.config.schema import Field, Kind, RefusedError
from launchyard.domain.config.suggest import did_you_mean
from launchyard.domain.config.values import parse
from launchyard.domain.documents import Json, Path
from launchyard.domain.targets.docker_flags import BY_SPELLING, ELSEWHERE, FLAGS
from launchyard.domain.targets.docker_networks import spread

TYPE: Final = "local-container"
PATH: Final = ("resource_args", TYPE)
_OURS: Final = "launchyard-"

FIELDS: Final = (
    Field(
        key="timeout",
        kind=Kind.SECONDS,
        doc="Longest run of a job; a launch may ask for less.",
        minimum=1,
    ),
    Field(
        key="cancel_grace",
        kind=Kind.SECONDS,
        doc="Time between the stop signal and SIGKILL when a job is cancelled.",
        minimum=0,
    ),
    Field(key="log_quota", kind=Kind.BYTES, doc="How much of a job's log is kept.", minimum=0),
)
"""Our own settings, beside the arguments of `docker run`."""

_OWN: Final = {entry.key: entry for entry in FIELDS}
PROTECTED: Final = (
    "log_quota",
    "timeout",
    *(spelling for flag in FLAGS if flag.guarded for spelling in flag.spellings),
)
"""Paths that a launch may not override unless its queue says so."""

GUARDED: Final = tuple(flag.name for flag in FLAGS if flag.guarded)
"""The arguments that `grants` of an agent's configuration can open, by docker's long names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerSettings:
    """What a queue says about its jobs: arguments by docker's long names, and our own settings."""

    flags: Mapping[str, Json] = field(default_factory=dict)
    run_s: float | None = None
    grace_s: float | None = None
    log_quota_b: int | None = None

    def words(self, name: str) -> tuple[str, ...]:
        """Return the words of a flag that is a list."""
        value = self.flags.get(name)
        return tuple(str(word) for word in value) if isinstance(value, list) else ()

    def pairs(self, name: str) -> dict[str, str]:
        """Return the keys and values of a flag that has them."""
        value = self.flags.get(name)
        return {k: str(v) for k, v in value.items()} if isinstance(value, dict) else {}

    def text(self, name: str) -> str:
        """Return the one word of a flag, or nothing."""
        return str(self.flags.get(name) or "")


def read_settings(config: Json) -> tuple[DockerSettings, tuple[Problem, ...]]:
    """Return the settings in *config*, and all that is wrong with it.

    Settings are to be used only where nothing is wrong.
    """
    if config is None:
        config = {}
    if not isinstance(config, dict):
        message = "a queue's configuration must be an object"
        return DockerSettings(), (Problem(path=PATH, message=message),)
    problems: list[Problem] = []
    flags: dict[str, Json] = {}
    own: dict[str, Json] = {}
    for key, raw in config.items():
        known = BY_SPELLING.get(key)
        # `builder` is for W&B's builders; it never was docker's.
        if raw is None or key == "builder":
            continue
        if key in _OWN:
            _keep(own, key, key, partial(_own, key, raw), problems)
        elif known is None:
            problems.append(_unknown(key))
        elif known.name in flags:
            message = f"is `{known.name}` once more"
            problems.append(Problem(path=(*PATH, key), message=message, hint="keep one of the two"))
        else:
            _keep(flags, known.name, key, partial(known.read, raw), problems)
    flags, twice = spread(flags)
    for name in twice:
        message = f"says `{name}`, which is an argument here as well"
        problems.append(Problem(path=(*PATH, "network"), message=message, hint="keep one of them"))
    return _settings(flags, own), (*problems, *_unfit(flags))


def unowned(config: Json, grants: Collection[str]) -> Iterator[Problem]:
    """Yield each guarded argument of a configuration of which nobody knows who wrote it.

    *grants* are those that the agent's operator opened to all launches.
    """
    for key, raw in config.items() if isinstance(config, dict) else ():
        flag = BY_SPELLING.get(key)
        if raw is None or flag is None or not flag.guarded or flag.name in grants:
            continue
        yield Problem(
            path=(*PATH, key),
            message=(
                f"`{flag.name}` gives a container power over the agent's machine or takes a fence"
                " away, and of an item of a W&B server nobody can tell whether its queue asked"
            ),
            hint=(
                "leave it out; or the agent's operator opens it to all launches that reach this"
                f" agent: `targets: {{{TYPE}: {{grants: [{flag.name}]}}}}`"
            ),
        )


def _own(key: str, raw: Json) -> Json:
    return parse(_OWN[key], raw)[0]


def _keep(
    into: dict[str, Json], name: str, key: str, read: Callable[[], Json], problems: list[Problem]
) -> None:
    """Put what *read* gives under *name*, or note what is wrong with the value of *key*."""
    try:
        into[name] = read()
    except RefusedError as error:
        path: Path = (*PATH, key, *error.within)
        problems.append(
            Problem(path=path, message=error.message, allowed=error.allowed, hint=error.hint)
        )


def _settings(flags: Mapping[str, Json], own: Mapping[str, Json]) -> DockerSettings:
    run, grace, quota = (own.get(key) for key in ("timeout", "cancel_grace", "log_quota"))
    stop = flags.get("stop-timeout")
    if grace is None and isinstance(stop, int):
        grace = float(stop)
    return DockerSettings(
        flags=flags,
        run_s=run if isinstance(run, float) else None,
        grace_s=grace if isinstance(grace, float) else None,
        log_quota_b=quota if isinstance(quota, int) else None,
    )


def _unknown(key: str) -> Problem:
    bare = key.lstrip("-").replace("_", "-")
    why = ELSEWHERE.get(bare)
    if why is not None:
        return Problem(path=(*PATH, key), message=f"`{key}` is not for this target", hint=why)
    known = (*(flag.name for flag in FLAGS), *_OWN)
    return Problem(
        path=(*PATH, key),
        message=f"`{key}` is no argument of docker run that {TYPE} has",
        hint=did_you_mean(bare, known) or f"known ones: {', '.join(known)}",
    )


def _unfit(flags: Mapping[str, Json]) -> Iterator[Problem]:
    """Yield what the engine would refuse, or what would break what we keep in labels."""
    label = flags.get("label")
    if isinstance(label, dict) and any(key.startswith(_OURS) for key in label):
        message = f"labels that begin with `{_OURS}` say whose a container is"
        yield Problem(path=(*PATH, "label"), message=message, hint="choose another name")
    if not str(flags.get("workdir", "/")).startswith("/"):
        message = "must be a whole path in the image"
        yield Problem(path=(*PATH, "workdir"), message=message)
    if flags.get("no-healthcheck") and any(name.startswith("health-") for name in flags):
        message = "contradicts the arguments about health"
        yield Problem(path=(*PATH, "no-healthcheck"), message=message, hint="keep one of them")
