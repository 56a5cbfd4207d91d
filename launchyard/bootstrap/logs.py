"""Where the log of our processes goes, and how its lines look."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from launchyard.domain.redaction import redact

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_CONSOLE: Final = "%(asctime)s %(levelname)-7s %(process_name)s: %(message)s"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """How a process writes its log; an empty `file`, or `-`, is standard error."""

    level: str = "info"
    format: str = "console"
    file: str = ""
    process: str = "main"


def set_up(settings: LogSettings) -> None:
    """Make the root logger write as *settings* say, instead of what it did before.

    Raises:
        OSError: the file cannot be written.
    """
    handler: logging.Handler
    if settings.file in {"", "-"}:
        handler = logging.StreamHandler(sys.stderr)
    else:
        handler = logging.FileHandler(settings.file)
    handler.setFormatter(_Json(settings.process) if settings.format == "json" else _Lines(settings))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    set_level(settings.level)
    for noisy in ("urllib3", "requests", "alembic", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def set_level(level: str) -> None:
    """Change the least serious level that is written."""
    logging.getLogger().setLevel(_LEVELS.get(level, logging.INFO))


class _Lines(logging.Formatter):
    """Lines for people; an error's trace is for those who asked for debug."""

    def __init__(self, settings: LogSettings) -> None:
        super().__init__(_CONSOLE, "%Y-%m-%dT%H:%M:%S")
        self._process, self._traces = settings.process, settings.level == "debug"

    def format(self, record: logging.LogRecord) -> str:
        record.process_name = self._process
        if not self._traces and record.exc_info:
            kind, error, _ = record.exc_info
            told = f"{record.getMessage()} ({kind.__name__}: {error})" if kind else ""
            record = logging.makeLogRecord(
                {**record.__dict__, "msg": told, "args": (), "exc_info": None, "exc_text": None}
            )
        return redact(super().format(record))


class _Json(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "ts": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": self._process,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in _fields(record).items() if value not in {"", None}}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        # Value by value: what a net takes out of a whole line could break its form.
        return json.dumps({k: redact(v) if isinstance(v, str) else v for k, v in line.items()})


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    """Return what a record says besides its message: `extra={"fields": {...}}`."""
    found = getattr(record, "fields", None)
    return found if isinstance(found, Mapping) else {}
