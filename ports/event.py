"""One sort of line in an agent's log: its name for programs, its sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol


class Level(IntEnum):
    """How serious an event is, in the numbers of `logging`."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


class Log(Protocol):
    """What an event needs of a logger; those of `logging` have it."""

    def isEnabledFor(self, level: int, /) -> bool:  # noqa: N802 - the name that they have
        """Tell whether lines of this level are written."""
        ...

    def log(
        self,
        level: int,
        msg: str,
        /,
        *,
        exc_info: bool = False,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        """Write a line."""
        ...


@dataclass(frozen=True, slots=True)
class Event:
    """One sort of line; `text` names its fields in braces, `doc` says what to make of it."""

    name: str
    level: Level
    text: str
    doc: str

    def log(self, log: Log, **fields: object) -> None:
        """Write one line of this sort to *log*, with all the fields of the text."""
        if log.isEnabledFor(self.level):
            told = {key: str(f) if not isinstance(f, int) else f for key, f in fields.items()}
            log.log(self.level, self.text.format_map(told), extra=_extra(self.name, told))

    def caught(self, log: Log, **fields: object) -> None:
        """Write such a line with the trace of the exception that is being handled."""
        log.log(
            self.level,
            self.text.format_map(fields),
            extra=_extra(self.name, fields),
            exc_info=True,
        )


def _extra(name: str, fields: Mapping[str, object]) -> dict[str, object]:
    return {"fields": {"event": name, **fields}}
