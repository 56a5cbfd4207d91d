"""Containers as processes of this machine, and what they write."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from tests.rig.kubernetes.objects import Obj, now

_UNITS: Final = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


class ConfigError(Exception):
    """A container cannot be made as its pod wants it."""


@dataclass
class Output:
    """What a container wrote, line by line with times, and how it stands."""

    lines: list[tuple[str, bytes]] = field(default_factory=list)
    status: Obj = field(default_factory=dict)
    began: bool = False
    over: bool = False


@dataclass
class Run:
    """A pod that is being run."""

    uid: str
    space: str
    name: str
    changed: threading.Condition
    outputs: dict[str, Output] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)


def size_b(text: str) -> int:
    """Return a quantity of memory in bytes."""
    return int(text[:-2]) * _UNITS[text[-2:]] if text[-2:] in _UNITS else int(text or 0)


def limit_to(most_b: int) -> None:
    """Limit this process's memory."""
    # What an interpreter needs to begin is not what the limit is for.
    resource.setrlimit(resource.RLIMIT_AS, (most_b + (16 << 20), most_b + (16 << 20)))


def follow(run: Run, output: Output, process: subprocess.Popen[bytes]) -> bytes:
    """Keep what a process writes; return its last line."""
    assert process.stdout is not None
    last = b""
    with process.stdout as pipe:
        for line in pipe:
            last = line
            stamp = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
            with run.changed:
                output.lines.append((stamp, line))
                run.changed.notify_all()
    return last


def signal_all(run: Run, number: signal.Signals) -> None:
    """Send a signal to every process of a pod."""
    for process in list(run.processes):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)


def end(run: Run, grace_s: float) -> None:
    """End a pod's processes, in order if there is time for it."""
    if grace_s > 0:
        signal_all(run, signal.SIGTERM)
        until = time.monotonic() + grace_s
        for process in list(run.processes):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(until - time.monotonic(), 0))
    signal_all(run, signal.SIGKILL)


def told(run: Run, output: Output, query: dict[str, str]) -> Iterator[bytes]:
    """Yield the lines that a query of a log asks for."""
    since = query.get("sinceTime", "").removesuffix("Z")[:19]
    stamps, at = query.get("timestamps") == "true", 0
    if query.get("tailLines"):
        at = max(len(output.lines) - int(query["tailLines"]), 0)
    while True:
        with run.changed:
            lines, over = output.lines[at:], output.over
            if not lines and not over and query.get("follow") == "true":
                run.changed.wait(1.0)
                continue
        at += len(lines)
        for stamp, line in lines:
            if stamp[:19] >= since:
                yield f"{stamp} ".encode() + line if stamps else line
        if query.get("follow") != "true" or (over and not lines):
            return


def condition(kind: str, status: str, reason: str, message: str) -> Obj:
    """Return a condition of a pod."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": now(),
    }


def status_of(name: str, state: Obj) -> Obj:
    """Return how a container stands, as its pod tells it."""
    image = {"image": "", "imageID": ""}
    return {"name": name, "ready": "running" in state, "restartCount": 0, "state": state, **image}
