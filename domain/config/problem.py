"""What is wrong in a document, where, and the edit that would repair it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from launchyard.domain.documents import Json, Path, dotted

HIDDEN: Final = "(hidden)"
_CREDENTIAL: Final = re.compile(r"key|token|secret|passw|credential", re.IGNORECASE)
_USER_DATA: Final = re.compile(r"(?<=://)[^/@\s]+@")
_LONGEST: Final = 80


class Severity(StrEnum):
    """Whether a problem stops the agent from starting."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """An edit that invents nothing: replace *old* by *new* on *line*, which counts from 1."""

    line: int
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to mend, told so that the reader needs nothing else to mend it.

    `source` is the file's name, `env:NAME` or `flag:--name`; `line` counts from 1 and is set for
    files only. `value` is fit for printing: secrets are hidden before a problem is made.
    """

    path: Path
    message: str
    source: str = ""
    line: int | None = None
    value: str = ""
    allowed: str = ""
    hint: str = ""
    severity: Severity = Severity.ERROR
    repair: Repair | None = None

    @property
    def where(self) -> str:
        """Return `file:line` where there is one, else what stands for it."""
        if self.line is None:
            return self.source
        return f"{self.source}:{self.line}" if self.source else f"line {self.line}"

    @property
    def text(self) -> str:
        """Return the problem as people read it: one line of what, then allowed and hint."""
        parts = (self.where, dotted(self.path), self.message)
        lines = [f"{self.severity}: " + ": ".join(part for part in parts if part)]
        if self.allowed:
            lines.append(f"  allowed: {self.allowed}")
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A plain document with the line of every value, as a reader hands it over.

    `problems` are slips which the reader could read past; whoever checks the document adds its
    own, so that people see all of them at once.
    """

    value: Json
    lines: Mapping[Path, int] = field(default_factory=dict)
    name: str = "configuration"
    problems: tuple[Problem, ...] = ()

    def line(self, path: Path) -> int | None:
        """Return the line of *path*, or of the nearest value around it that has one."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None


class DocumentError(Exception):
    """A text that is no usable document; `problems` holds every reason, in order of lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.text for problem in self.problems))


def shown(value: Json, *, key: str = "", secret: bool = False) -> str:
    """Return *value* for a message: short, without user data in URLs, hidden when it is secret."""
    if secret or _CREDENTIAL.search(key):
        return HIDDEN
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = _USER_DATA.sub(f"{HIDDEN}@", text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def repaired(text: str, problems: Iterable[Problem]) -> str:
    """Return *text* with the repair of every problem carried out that has one."""
    lines = text.split("\n")
    for repair in (problem.repair for problem in problems):
        if repair is not None and repair.line <= len(lines):
            here = lines[repair.line - 1]
            lines[repair.line - 1] = here.replace(repair.old, repair.new, 1)
    return "\n".join(lines)
