"""Where the command line keeps things, by the XDG rules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of what programs remember: databases, journals, demo, crashes."""
    return _base(environment, "XDG_STATE_HOME", ".local/state")


def config_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of what people set: contexts."""
    return _base(environment, "XDG_CONFIG_HOME", ".config")


def _base(environment: Mapping[str, str], variable: str, usual: str) -> Path:
    # A relative path in these variables counts as not set, says the specification.
    given = environment.get(variable, "")
    base = Path(given) if given.startswith("/") else Path.home() / usual
    return base / "launchyard"
