"""Processes of this machine, each told from later ones with its number by its start time."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from launchyard.domain.naming import Owner

_PIECE_B: Final = 16 * 1024
_MOST_B: Final = 4 * 1024 * 1024
_MARKS: Final = ("LAUNCHYARD_INSTALLATION", "LAUNCHYARD_ITEM", "LAUNCHYARD_ATTEMPT")
_GROUP, _SESSION, _START = 2, 3, 19  # counted from the state letter, which follows the name


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this boot: its number, and its start in the kernel's ticks since boot."""

    pid: int
    start: int


@dataclass(frozen=True, slots=True)
class Stat:
    """What `/proc/<pid>/stat` says that matters here."""

    process: Process
    state: str
    group: int
    session: int


def read_short(path: str) -> str:
    """Return the text of a small file.

    Raises:
        OSError: it cannot be read.
    """
    return _read(path).decode(errors="replace")


def _read(path: str) -> bytes:
    """Return what a file holds, up to 4 MiB, at less cost than a file object's.

    We read ten per job, and two for each process of the machine in a walk. Room for all that may
    come would be got from the kernel and given back every time, so it comes in pieces.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        piece = text = os.read(fd, _PIECE_B)
        while len(piece) == _PIECE_B and len(text) < _MOST_B:
            piece = os.read(fd, _PIECE_B)
            text += piece
        return text
    finally:
        os.close(fd)


def read_stat(text: str) -> Stat | None:
    """Read a line of `/proc/<pid>/stat`; the name in it may hold anything."""
    head, paren, tail = text.rpartition(")")
    fields = tail.split()
    with suppress(ValueError, IndexError):
        if paren:
            process = Process(int(head.partition(" ")[0]), int(fields[_START]))
            return Stat(process, fields[0], int(fields[_GROUP]), int(fields[_SESSION]))
    return None


def stat(pid: int) -> Stat | None:
    """Return how process *pid* stands, or None when there is none."""
    with suppress(OSError):
        return read_stat(read_short(f"/proc/{pid}/stat"))
    return None


def hold(process: Process) -> int | None:
    """Return a pidfd of this very process, or None when it is gone.

    The start time is compared after opening: only then can the number not change hands.

    Raises:
        OSError: no more descriptors.
    """
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    found = stat(process.pid)
    if found is None or found.process != process or has_ended(fd):
        os.close(fd)
        return None
    return fd


@contextmanager
def held(process: Process) -> Iterator[int | None]:
    """Hold *process* for a while, see `hold`."""
    fd = hold(process)
    try:
        yield fd
    finally:
        if fd is not None:
            os.close(fd)


def has_ended(fd: int) -> bool:
    """Tell whether the process of the pidfd *fd* is over, though perhaps not yet reaped."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def reap(process: Process) -> None:
    """Free the number of an ended child of ours; others are their own parents' business."""
    with suppress(OSError):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG)


def send(process: Process, number: signal.Signals) -> None:
    """Signal this very process, if it is still there."""
    with suppress(ProcessLookupError, PermissionError), held(process) as fd:
        if fd is not None:
            signal.pidfd_send_signal(fd, number)


def send_group(leader: Process, number: signal.Signals) -> bool:
    """Signal the group of *leader*, or it alone while it leads none; tell whether it was there."""
    with suppress(ProcessLookupError, PermissionError), held(leader) as fd:
        if fd is None:
            return False
        try:
            os.killpg(leader.pid, number)
        except ProcessLookupError:
            signal.pidfd_send_signal(fd, number)
        return True
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How an attempt's processes are known: by their variables, or by a session that began so."""

    owner: Owner
    leader: Process | None = None

    def variables(self) -> tuple[bytes, ...]:
        """Return the variables that each of its processes has, unless it dropped them."""
        return tuple(f"{name}={value}".encode() for name, value in marks_of(self.owner).items())


def marks_of(owner: Owner) -> Mapping[str, str]:
    """Return the variables that mark *owner*'s processes; no other attempt anywhere has them."""
    values = (owner.installation, owner.item, str(owner.attempt))
    return dict(zip(_MARKS, values, strict=True))


def find_marked(marks: Mapping[str, Mark]) -> dict[str, list[Stat]]:
    """Return the living processes of each mark, in one walk over all processes of the machine."""
    found: dict[str, list[Stat]] = {name: [] for name in marks}
    wanted = {mark.variables(): name for name, mark in marks.items()}
    sessions = {mark.leader.pid: name for name, mark in marks.items() if mark.leader}
    oldest = min((mark.leader.start if mark.leader else 0 for mark in marks.values()), default=0)
    for here in _living(oldest):
        name = wanted.get(_variables(here.process.pid))
        if name is None:
            name = _of_session(here, sessions, marks)
        if name is not None:
            found[name].append(here)
    return found


def _of_session(here: Stat, sessions: Mapping[int, str], marks: Mapping[str, Mark]) -> str | None:
    """Return whose session a process is in; a number that changed hands is nobody's."""
    name = sessions.get(here.session)
    leader = marks[name].leader if name is not None else None
    if name is None or leader is None or here.process.start < leader.start:
        return None
    now = stat(leader.pid)
    return name if now is None or now.process == leader else None


def _living(oldest: int) -> Iterable[Stat]:
    """Return the processes that began at *oldest* or later: none of a job's is older than it."""
    own = os.getpid()
    for entry in os.listdir("/proc"):  # noqa: PTH208 - the names are all we want
        if entry.isdigit() and int(entry) != own:
            found = stat(int(entry))
            if found is not None and found.state not in "ZX" and found.process.start >= oldest:
                yield found


def _variables(pid: int) -> tuple[bytes, ...]:
    """Return the marking variables of a process as they stand there, or empty ones."""
    with suppress(OSError):
        text = b"\0" + _read(f"/proc/{pid}/environ")
        return tuple(_variable(text, name.encode() + b"=") for name in _MARKS)
    return ()


def _variable(text: bytes, name: bytes) -> bytes:
    at = text.find(b"\0" + name)
    return text[at + 1 : text.find(b"\0", at + 1)] if at >= 0 else b""
