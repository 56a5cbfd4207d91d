"""The builder of the local-process target: virtual environments by their contents.

    <root>/venvs/<key>        an environment; in use once `launchyard-complete` is in it
    <root>/venvs/<key>.lock   held while one is made, with who makes it

Environments cannot be moved, so one is made in its final place and declared complete at the end.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from launchyard.adapters.local.venv.failures import install_failed
from launchyard.adapters.local.venv.installer import Installer, indexes, installer
from launchyard.adapters.local.venv.interpreter import Interpreter, Interpreters
from launchyard.adapters.local.venv.lock import VenvLock, locked
from launchyard.adapters.local.venv.process import Output, Step, Until, run
from launchyard.adapters.local.venv.wanted import Wanted, wanted
from launchyard.domain.images import EnvironmentContents, environment_key
from launchyard.domain.reason import Reason
from launchyard.ports.builder import BuildError, BuildRequest, Built

COMPLETE: Final = "launchyard-complete"
_RECIPE: Final = "venv-1"
"""Raised when the same requirements would give another environment."""

Log = Callable[[bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class VenvConfig:
    """Where environments are kept, and with what they are made.

    *python* is the interpreter where a launch wants none in particular: a name or path, or empty
    for the one that runs us. *installer* is `uv` or `pip`, or empty for uv where it is there.
    *environment* is the agent's, of which a build sees a list of names.
    """

    root: str
    python: str = ""
    installer: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


class VenvBuilder:
    """A `Builder` of virtual environments; `build` may be called from several threads."""

    def __init__(self, config: VenvConfig) -> None:
        self._config = config
        self._root = Path(config.root, "venvs").absolute()
        self._interpreters = Interpreters(config.python, config.environment)

    def build(self, request: BuildRequest, log: Log, cancelled: Callable[[], bool]) -> Built:
        until = Until(time.monotonic() + request.timeout_s, cancelled)
        until.check()
        try:
            return self._build(request, log, until)
        except OSError as error:
            raise _told(error) from error

    def _build(self, request: BuildRequest, log: Log, until: Until) -> Built:
        asked = wanted(request)
        if asked is None:
            return Built()
        interpreter = self._interpreters.find(request.python or self._config.python)
        key = _key(interpreter, asked, indexes(self._config.environment))
        folder = self._root / key
        if _complete(folder):
            return _built(key, folder, "hit", log)
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(Path(f"{folder}.lock"), until) as lock:
            if _complete(folder):
                return _built(key, folder, "joined" if lock.waited else "hit", log)
            lock.raise_failure()
            made = _Making(installer(self._config.installer, self._config.environment), folder)
            made.make(interpreter, asked, Output(log), until, lock)
            return _built(key, folder, "miss", log)


@dataclass(frozen=True, slots=True)
class _Making:
    """One environment being made in its place."""

    tool: Installer
    folder: Path

    def make(
        self, interpreter: Interpreter, asked: Wanted, output: Output, until: Until, lock: VenvLock
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self._make(interpreter, asked, output, until, lock)
        except BuildError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            lock.keep_failure(error)
            raise
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _make(
        self, interpreter: Interpreter, asked: Wanted, output: Output, until: Until, lock: VenvLock
    ) -> None:
        name = f"Python {interpreter.version} ({interpreter.path})"
        output.feed(f"making an environment of {name}\n".encode())
        folder = str(self.folder)
        if self._run(self.tool.make(interpreter, folder), output, until, lock) != 0:
            raise _not_made(interpreter, output.tail)
        lines = self.folder / "launchyard-requirements.txt"
        lines.write_text("\n".join(asked.lines) + "\n", encoding="utf-8")
        fill = self.tool.fill(folder, str(lines))
        if asked.lines and self._run(fill, output, until, lock) != 0:
            raise install_failed(output.tail, asked.shown)
        lines.unlink()  # it may hold credentials
        (self.folder / COMPLETE).touch()

    def _run(self, argv: tuple[str, ...], output: Output, until: Until, lock: VenvLock) -> int:
        step = Step(
            argv=argv,
            env=self.tool.environment(),
            cwd=str(self.folder.parent),
            lock=lock.fd,
            began=lock.keep_group,
        )
        return run(step, output, until)


def _key(interpreter: Interpreter, asked: Wanted, places: tuple[str, ...]) -> str:
    python = (interpreter.implementation, interpreter.version, interpreter.home)
    return environment_key(
        EnvironmentContents(
            python=" ".join(python),
            platform=f"{interpreter.platform} {_RECIPE}",
            requirements=asked.shown,
            files=asked.files,
            indexes=places,
        )
    )


def _complete(folder: Path) -> bool:
    """Tell whether an environment is there, and note its use, by which housekeeping goes."""
    try:
        os.utime(folder / COMPLETE)
    except FileNotFoundError:
        return False
    return True


def _built(key: str, folder: Path, cache: str, log: Log) -> Built:
    if cache != "miss":
        log(b"the environment is there already and is reused\n")
    return Built(key=key, path=str(folder), cache=cache)


def _not_made(interpreter: Interpreter, said: str) -> BuildError:
    error = install_failed(said, ())
    if error.reason is Reason.DISK_FULL:
        return error
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "")
    message = f"`{interpreter.path}` cannot make a virtual environment: {last.strip()}"
    hint = "install its venv module (Debian: python3-venv), or uv"
    return BuildError(f"{message}; {hint}", reason=Reason.BUILD_FAILED)


def _told(error: OSError) -> BuildError:
    where = f" ({error.filename})" if error.filename else ""
    message = f"the environment cannot be built: {error.strerror or error}{where}"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        message += "; make room on the disk of the agent's state folder"
        return BuildError(message, reason=Reason.DISK_FULL, retry=True)
    return BuildError(message, reason=Reason.BUILD_FAILED)
