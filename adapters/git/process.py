"""Running one command that must end on time, with its whole process group."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Final

_TICK_S: Final = 0.1
_LOOK_S: Final = 0.5
_CHUNK_B: Final = 64 * 1024
_MOST_OUTPUT_B: Final = 64 * 1024**2


class StoppedError(Exception):
    """The command was ended before its time; `cancelled` tells a wish from the deadline."""

    def __init__(self, message: str, *, cancelled: bool) -> None:
        super().__init__(message)
        self.cancelled = cancelled


class TooBigError(Exception):
    """The command was ended because it brought more than it may."""


class Meter:
    """Measures what lies below a folder, now and then, for measuring takes time, too."""

    def __init__(self, folder: str = "", most_b: int = 0) -> None:
        self._folder, self._most_b = folder, most_b
        self._next_s = 0.0

    def look(self, *, now: bool = False) -> None:
        """Raise `TooBigError` when it is too much; look if it is time to, or at once."""
        if not self._most_b or not (now or time.monotonic() >= self._next_s):
            return
        began = time.monotonic()
        size_b = _size_b(self._folder)
        spent_s = time.monotonic() - began
        self._next_s = began + max(_LOOK_S, 10 * spent_s)
        if size_b > self._most_b:
            raise TooBigError(str(size_b))


def _size_b(folder: str) -> int:
    """Add up what the files below *folder* hold; those that go meanwhile count nothing."""
    total = 0
    for inside, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(inside, name)).st_size  # noqa: PTH118 - many files
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """When to stop: at a moment of the monotonic clock, or as soon as *cancelled* says so.

    Or as soon as *meter* finds too much.
    """

    deadline_s: float
    cancelled: Callable[[], bool]
    meter: Meter = field(default_factory=Meter)

    def check(self) -> None:
        """Raise `StoppedError` when it is time, or `TooBigError`."""
        if self.cancelled():
            raise StoppedError("cancelled", cancelled=True)
        if time.monotonic() >= self.deadline_s:
            raise StoppedError("out of time", cancelled=False)
        self.meter.look()


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, where, and with which environment (nothing is inherited)."""

    argv: Sequence[str]
    cwd: str
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a command ended and what it said."""

    code: int
    out: bytes
    err: str


def run(command: Command, until: Until) -> Result:
    """Run *command* in a session of its own; when this returns or raises, nothing of it is left.

    Raises:
        StoppedError: it was out of time, cancelled, or wrote without end.
        TooBigError: it brought more than it may.
        OSError: the program could not be started.
    """
    until.check()
    with ExitStack() as stack:
        process = subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env=command.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        stack.callback(_end, process)
        out, err = _listen(process, until)
    until.meter.look(now=True)
    return Result(code=process.returncode, out=out, err=err.decode(errors="replace"))


def _listen(process: subprocess.Popen[bytes], until: Until) -> tuple[bytes, bytes]:
    """Collect both outputs until the command has ended, whoever still holds its pipes."""
    assert process.stdout is not None  # noqa: S101 - asked for above
    assert process.stderr is not None  # noqa: S101
    said = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    end = os.pidfd_open(process.pid)
    with ExitStack() as stack:
        stack.callback(os.close, end)
        selector = stack.enter_context(selectors.DefaultSelector())
        for fd in (*said, end):
            if fd in said:
                os.set_blocking(fd, False)
            selector.register(fd, selectors.EVENT_READ)
        while end not in (ready := {key.fd for key, _ in selector.select(_TICK_S)}):
            until.check()
            for fd in ready:
                if not _drain(fd, said[fd]):
                    selector.unregister(fd)
        for fd, text in said.items():
            _drain(fd, text)
    out, err = said.values()
    return bytes(out), bytes(err)


def _drain(fd: int, into: bytearray) -> bool:
    """Take what is there; say whether more may come."""
    with suppress(BlockingIOError):
        while data := os.read(fd, _CHUNK_B):
            into += data
            if len(into) > _MOST_OUTPUT_B:
                raise StoppedError("it writes without end", cancelled=False)
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the group, before its leader is reaped and the id is free again."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
