"""One build per key at a time, on the whole machine, also while a crashed one is still dying."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from launchyard.adapters.local.process import Process, held, send_group, stat
from launchyard.adapters.local.venv.process import Until
from launchyard.domain.reason import Reason
from launchyard.ports.builder import BuildError

_TRY_S: Final = 0.05
_LOOK_S: Final = 1.0
_SHARED: Final = frozenset({Reason.DEPENDENCY_FAILED, Reason.BUILD_FAILED})


class VenvLock:
    """The lock of one key, which the build's processes hold with us, and a note about them in it.

    After `kill -9` of the builder they may go on for a while: so long the lock is taken, and who
    waits for it ends them.
    """

    def __init__(self, fd: int, place: Path) -> None:
        self.fd = fd
        self.waited = False
        self._failed = place.with_suffix(".failed")
        self._since_s = time.time()

    def take(self, until: Until) -> None:
        """Wait for the lock.

        Raises:
            BuildError: it was cancelled, or out of time.
        """
        looked_s = time.monotonic()
        while not self._try():
            self.waited = True
            until.check()
            if time.monotonic() - looked_s > _LOOK_S:
                looked_s = time.monotonic()
                self._end_orphans()
            time.sleep(_TRY_S)
        os.ftruncate(self.fd, 0)

    def keep_group(self, pid: int) -> None:
        """Write down who builds, and the group that *pid* leads for it."""
        ours, theirs = stat(os.getpid()), stat(pid)
        if ours and theirs:
            processes = (ours.process, theirs.process)
            text = json.dumps([[one.pid, one.start] for one in processes])
            os.ftruncate(self.fd, 0)
            os.pwrite(self.fd, text.encode(), 0)

    def keep_failure(self, error: BuildError) -> None:
        """Leave *error* for those who wait for this very build."""
        if error.reason in _SHARED and not error.retry:
            note = json.dumps([error.reason.value, str(error)])
            self._failed.write_text(note, encoding="utf-8")

    def raise_failure(self) -> None:
        """Raise the error of a build that we waited for; older ones are forgotten."""
        with suppress(OSError, ValueError):
            fresh = self.waited and self._failed.stat().st_mtime >= self._since_s
            reason, message = json.loads(self._failed.read_text(encoding="utf-8"))
            if fresh:
                raise BuildError(message, reason=Reason(reason))
            self._failed.unlink()

    def _try(self) -> bool:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _end_orphans(self) -> None:
        """End what a builder that is gone has left behind."""
        with suppress(ValueError, TypeError):
            builder, group = json.loads(os.pread(self.fd, 200, 0))
            with held(Process(*builder)) as fd:
                gone = fd is None
            if gone:
                send_group(Process(*group), signal.SIGKILL)


@contextmanager
def locked(place: Path, until: Until) -> Iterator[VenvLock]:
    """Hold the lock that the file *place* is."""
    fd = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        lock = VenvLock(fd, place)
        lock.take(until)
        yield lock
    finally:
        os.close(fd)
