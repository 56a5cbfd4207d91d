"""The `targets.exec` block, read into what the target needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from launchyard.adapters.exec.call import Executables
from launchyard.adapters.exec.runner import ExecConfig
from launchyard.adapters.exec.watch import Pace
from launchyard.domain.documents import Json
from launchyard.domain.environment import SYSTEM_PATH

ROLES: Final = ("plan", "submit", "status", "cancel", "logs")
NEEDED: Final = ROLES[:4]
_PASSED: Final = ("PATH", "HOME", "LANG", "TMPDIR")


def scope_of(settings: Mapping[str, Json]) -> str:
    """Return where the things of these executables can be reached.

    Raises:
        ValueError: the block does not say.
    """
    scope = settings.get("scope")
    if not isinstance(scope, str) or not scope:
        raise ValueError("`targets.exec.scope` is missing: name where jobs run, as `site-a`")
    return f"exec:{scope}"


def config_of(
    settings: Mapping[str, Json], folder: str, environment: Mapping[str, str]
) -> ExecConfig:
    """Return the runner's configuration; *environment* is the agent's own.

    Raises:
        ValueError: an executable is not named, or is none.
    """
    files = {role: str(settings[role]) for role in ROLES if settings.get(role)}
    for role in NEEDED:
        if role not in files:
            raise ValueError(f"`targets.exec.{role}` is missing: name the executable")
    for role, file in files.items():
        if not Path(file).is_absolute() or not Path(file).is_file():
            raise ValueError(f"`targets.exec.{role}`: there is no file {file}; give its whole path")
    named = settings.get("environment")
    passed = [str(name) for name in named] if isinstance(named, list) else []
    known = {name: environment[name] for name in (*_PASSED, *passed) if name in environment}
    longest = settings.get("interval")
    pace = Pace(most_s=float(longest)) if isinstance(longest, int | float) else Pace()
    return ExecConfig(
        executables=Executables(
            files=files, environment={"PATH": SYSTEM_PATH, **known}, folder=folder
        ),
        scope=scope_of(settings),
        pace=Pace(first_s=min(pace.first_s, pace.most_s), most_s=pace.most_s),
    )
