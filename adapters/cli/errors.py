"""Errors as people see them: what, why, and the remedy, in three short lines."""

from __future__ import annotations

import os
import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.ends import OF_FAILURE
from launchyard.adapters.cli.folders import state_folder
from launchyard.domain.config.problem import DocumentError
from launchyard.ports.archive import ArchiveError
from launchyard.ports.launch_server import ServerError
from launchyard.ports.operator import OperatorError
from launchyard.ports.programs import ProgramError


class CommandError(Exception):
    """A command cannot do what it was asked: the message says what, then why and the remedy."""

    def __init__(self, message: str, why: str = "", remedy: str = "", *, code: int) -> None:
        super().__init__(message)
        self.why = why
        self.remedy = remedy
        self.code = code


@dataclass(frozen=True, slots=True)
class Told:
    """An error in words, with the exit code that goes with it."""

    what: str
    why: str = ""
    remedy: str = ""
    code: int = Code.ERROR

    def show(self) -> None:
        """Print it on standard error."""
        click.echo(click.style("error: ", fg="red", bold=True) + self.what, err=True)
        for name, text in (("why", self.why), ("try", self.remedy)):
            if text:
                label = click.style(f"  {name}: ", bold=True)
                click.echo(label + text.replace("\n", "\n       "), err=True)


def told(error: Exception) -> Told | None:
    """Return *error* in words; None when it is not one that we expect."""
    match error:
        case CommandError():
            words = Told(str(error), error.why, error.remedy, error.code)
        case OperatorError():
            words = _refused(error)
        case ServerError():
            words = Told(str(error), "", error.remedy, Code.ERROR)
        case ProgramError():
            words = Told(str(error), error.where, error.remedy, error.code)
        case DocumentError():
            texts = "\n".join(problem.text for problem in error.problems)
            words = Told("this document cannot be used", texts, "", Code.CONFIG)
        case ArchiveError():
            words = Told("the folder cannot be packed", str(error))
        case OSError() if error.filename:
            words = Told(f"cannot use {error.filename}", (error.strerror or "").lower())
        case _:
            return None
    return words


def _refused(error: OperatorError) -> Told:
    """Tell a refusal; where a document was wrong, its problems are the reason."""
    refusal, what = error.refusal, str(error)
    lines = [_problem_line(*problem) for problem in refusal.problems]
    for path, message, _ in refusal.problems[:1]:
        what = what.removesuffix(f": {path}: {message}") or what
    why = "\n".join(lines) if lines else refusal.where
    why = refusal.where if why == what else why
    return Told(what, why, error.remedy, OF_FAILURE[refusal.failure])


def _problem_line(path: str, message: str, hint: str) -> str:
    line = f"{path}: {message}" if path else message
    return f"{line} ({hint})" if hint else line


def unexpected(error: Exception, environment: Mapping[str, str]) -> Told:
    """Keep the traceback of a bug in a file and say where; show it to those who ask for it."""
    text = "".join(traceback.format_exception(error))
    if environment.get("LAUNCHYARD_DEBUG") == "1":
        click.echo(text, err=True)
    name = f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    for folder in (state_folder(environment) / "crashes", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = folder / name
            file.touch(mode=0o600)
            file.write_text(text)
        except OSError:
            continue
        return Told(
            f"launchyard has a bug: {type(error).__name__}",
            f"what it was doing is in {file}",
            "report it with that file; LAUNCHYARD_DEBUG=1 shows it here",
        )
    return Told(f"launchyard has a bug: {type(error).__name__}", "", "set LAUNCHYARD_DEBUG=1")
