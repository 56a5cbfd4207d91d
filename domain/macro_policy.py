"""Which names of the agent's environment macros may read, and in whose text.

The last entry of `macro_env` that fits a name decides: a name opens it, for every origin and even
if it looks like a credential; `!NAME` or `!PATTERN` closes; a plain pattern opens again what an
entry before it closed, but reaches neither credentials nor overrides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

CREDENTIALS: Final = (
    "*KEY*",
    "*TOKEN*",
    "*SECRET*",
    "*PASSWORD*",
    "*CREDENTIAL*",
    "AWS_*",
    "AZURE_*",
    "GOOGLE_*",
    "WANDB_*",
)
_USER_DATA: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#]*@", re.IGNORECASE)


class Origin(StrEnum):
    """Who wrote a text; the value travels in stored documents."""

    QUEUE = "queue"
    MERGED = "merged"
    SUBMITTER = "submitter"


class Why(StrEnum):
    """Why a name was left in the text."""

    UNKNOWN = "unknown"
    CREDENTIAL = "credential"
    NOT_LISTED = "not_listed"
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True)
class MacroPolicy:
    """Which names resolve where, by the agent's `macro_env` list."""

    macro_env: tuple[str, ...] = ()

    def opens(self, name: str) -> bool:
        """Tell whether *name* is spelled out, so that it resolves in text of every origin."""
        return self._last(name) == name

    def objection(self, name: str, value: str | None, origin: Origin) -> Why | None:
        """Say why environment variable *name* must not resolve in text of *origin*, if so."""
        entry = self._last(name)
        if entry == name:
            return None
        if origin is Origin.SUBMITTER:
            return Why.OVERRIDE
        if entry.startswith("!"):
            return Why.NOT_LISTED
        return Why.CREDENTIAL if looks_secret(name, value) else None

    def _last(self, name: str) -> str:
        fits = (e for e in reversed(self.macro_env) if fnmatchcase(name, e.removeprefix("!")))
        return next(fits, "")


def looks_secret(name: str, value: str | None) -> bool:
    """Tell whether a variable looks like a credential, by its name or a URL with user data."""
    if any(fnmatchcase(name.upper(), pattern) for pattern in CREDENTIALS):
        return True
    return value is not None and has_user_data(value)


def has_user_data(text: str) -> bool:
    """Tell whether a URL in *text* holds a user or a password."""
    return _USER_DATA.search(text) is not None
