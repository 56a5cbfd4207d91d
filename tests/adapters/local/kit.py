"""A runner in a folder, and ways to wait for what it does."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from launchyard.adapters.local.runner import LocalConfig, LocalRunner
from launchyard.domain.attempt import ENDS
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Handle, Launch, Observation
from tests.adapters.local.plans import local_launch

WAIT_S = 120.0


class Yard:
    """A runner and its jobs; everything that was begun is ended by `close`."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.runner = LocalRunner(LocalConfig(root=str(self.root), **config))
        self.begun: list[Handle] = []

    def again(self, **config: Any) -> LocalRunner:
        """Return the runner of a new process."""
        return LocalRunner(LocalConfig(root=str(self.root), **config))

    def launch(self, script: str, **changes: Any) -> Launch:
        """Return the launch of a script."""
        return local_launch(self.folder / "jobs", script, **changes)

    def submit(self, launch: Launch) -> Handle:
        """Start *launch*."""
        handle = self.runner.submit(launch)
        self.begun.append(handle)
        return handle

    def run(self, script: str, **changes: Any) -> Handle:
        """Start a script."""
        return self.submit(self.launch(script, **changes))

    def end(self, handle: Handle) -> Observation:
        """Wait for the end."""
        watch = self.runner.watch()
        try:
            watch.add(handle)
            until_s = time.monotonic() + WAIT_S
            while time.monotonic() < until_s:
                for seen in watch.wait(until_s - time.monotonic()):
                    if seen.observation.state in ENDS:
                        return seen.observation
        finally:
            watch.close()
        raise AssertionError("no end was told")

    def said(self, handle: Handle) -> str:
        """Return the log so far."""
        return self.runner.read_log(handle, "main", 0, 1 << 20).data.decode()

    def hears(self, handle: Handle, wanted: str) -> str:
        """Wait until the log holds *wanted*, and return the log."""
        eventually(lambda: wanted in self.said(handle))
        return self.said(handle)

    def records(self, handle: Handle) -> Path:
        """Return the folder of the runner's records."""
        return self.root / "runs" / handle.name

    def close(self) -> None:
        """End what still runs."""
        for handle in self.begun:
            self.runner.cancel(handle, 0.0, Reason.CANCELLED)
            self.end(handle)


def eventually(true: Callable[[], bool]) -> None:
    """Wait until *true* says so."""
    pause = threading.Event()
    until_s = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < until_s, "it never came true"
        pause.wait(0.01)


def lives(pid: int) -> bool:
    """Tell whether process *pid* runs."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def held_shell(folder: Path) -> tuple[Path, Path]:
    """Return a shell that waits until somebody writes into a pipe, and that pipe."""
    shell, gate = folder / "held-sh", folder / "gate"
    os.mkfifo(gate)
    shell.write_text(f'#!/bin/sh\nread -r go <{gate}\nexec /bin/sh "$@"\n')
    shell.chmod(0o755)
    return shell, gate


def wrapper_of(handle: Handle) -> int:
    """Return the number of the wrapper's process."""
    return int(handle.uid.split(":")[1])
