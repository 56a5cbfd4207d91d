"""Running one step of a build: its output told as it comes, and an end in time."""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Final

from launchyard.adapters.local.venv.scrub import scrub
from launchyard.domain.reason import Reason
from launchyard.ports.builder import BuildError

_TICK_S: Final = 0.1
_CHUNK_B: Final = 64 * 1024
_MOST_CHUNKS: Final = 16
_TAIL: Final = 64 * 1024
_LINE_END: Final = re.compile(rb"(?<=[\r\n])")


@dataclass(frozen=True, slots=True)
class Until:
    """When a build is to stop: at a moment of the monotonic clock, or when *cancelled* says so."""

    deadline_s: float
    cancelled: Callable[[], bool]

    def check(self) -> None:
        """Raise `BuildError` when it is time."""
        if self.cancelled():
            raise BuildError("the build was cancelled", reason=Reason.CANCELLED)
        if time.monotonic() >= self.deadline_s:
            message = "the build took longer than it may; allow it more time, or ask for less"
            raise BuildError(message, reason=Reason.BUILD_TIMEOUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A program, its whole environment, and what its processes keep locked while they live."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    cwd: str
    lock: int
    began: Callable[[int], None]


class Output:
    """Passes on what a step says line by line, without credentials, and keeps the last of it."""

    def __init__(self, log: Callable[[bytes], None]) -> None:
        self._log = log
        self._rest = b""
        self.tail = ""

    def feed(self, data: bytes) -> None:
        """Take some bytes; a line is passed on when it is whole, so that nothing is cut in two."""
        *lines, self._rest = _LINE_END.split(self._rest + data)
        self._tell(b"".join(lines))
        if len(self._rest) > _CHUNK_B:
            self.flush()

    def flush(self) -> None:
        """Pass on what is left."""
        rest, self._rest = self._rest, b""
        self._tell(rest)

    def _tell(self, data: bytes) -> None:
        if data:
            text = scrub(data.decode(errors="replace"))
            self.tail = (self.tail + text)[-_TAIL:]
            self._log(text.encode())


def run(step: Step, output: Output, until: Until) -> int:
    """Run *step* in a session of its own and return its code; nothing of its group stays.

    Raises:
        BuildError: it was cancelled, or out of time.
        OSError: the program could not be started.
    """
    until.check()
    with ExitStack() as stack:
        process = subprocess.Popen(
            step.argv,
            cwd=step.cwd,
            env=dict(step.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(step.lock,),
        )
        stack.callback(_end, process)
        step.began(process.pid)
        _listen(process, output, until)
    output.flush()
    return process.returncode


def _listen(process: subprocess.Popen[bytes], output: Output, until: Until) -> None:
    """Pass output on until the program has ended, whoever still holds its pipe."""
    assert process.stdout is not None  # noqa: S101 - asked for above
    out, end = process.stdout.fileno(), os.pidfd_open(process.pid)
    os.set_blocking(out, False)
    with ExitStack() as stack:
        stack.callback(os.close, end)
        selector = stack.enter_context(selectors.DefaultSelector())
        selector.register(out, selectors.EVENT_READ)
        selector.register(end, selectors.EVENT_READ)
        while end not in (ready := {key.fd for key, _ in selector.select(_TICK_S)}):
            until.check()
            if out in ready and not _drain(out, output):
                selector.unregister(out)
        _drain(out, output)


def _drain(fd: int, output: Output) -> bool:
    """Take what is there, though not without end; say whether more may come."""
    with suppress(BlockingIOError):
        for _ in range(_MOST_CHUNKS):
            data = os.read(fd, _CHUNK_B)
            if not data:
                return False
            output.feed(data)
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the group, before its leader is reaped and the id is free again."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
