"""The main process's end of a worker process: start it, speak with it, notice its end."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

from launchyard.actors.crashpoints import VARIABLE, reach
from launchyard.actors.messages import FromHost, ToHost
from launchyard.ports.target import HostSpec

_SEND_S: Final = 5
_BUFFER_B: Final = 1 << 20
_EXIT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Ears:
    """Who hears of a link: both are called in the link's own thread."""

    said: Callable[[tuple[FromHost, ...]], None]
    ended: Callable[[str], None]


class ProcessLink:
    """One worker process, from its start to its end; a new start is a new link.

    The process has its own session and holds the descriptors *keep* (the state folder's lock).
    """

    def __init__(self, spec: HostSpec, keep: Sequence[int], ears: Ears, *, first: bool) -> None:
        ours, theirs = socket.socketpair()
        limit = struct.pack("ll", _SEND_S, 0)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_B)
        self._lock = threading.Lock()
        self._ears = ears
        self._connection: Connection = Connection(ours.detach())
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "launchyard.actors.child", str(theirs.fileno())],
                pass_fds=(theirs.fileno(), *keep),
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                env=_environment(first=first),
            )
        self._closed = False
        self._reader = threading.Thread(target=self._read, name=f"link-{spec.name}", daemon=True)
        self._raw_send(spec)

    @property
    def pid(self) -> int:
        """The worker process's id."""
        return self._process.pid

    def listen(self) -> None:
        """Begin to pass on what the process says."""
        self._reader.start()

    def send(self, messages: tuple[ToHost, ...]) -> None:
        """Send *messages* as one; a process that does not take them is ended.

        Nothing is raised: whoever listens hears of the end, and says everything anew.
        """
        reach("to_host.before_send")
        self._raw_send(messages)
        reach("to_host.after_send")

    def kill(self) -> None:
        """End the process now; the end is told as any other."""
        with contextlib.suppress(OSError):
            self._process.kill()

    def close(self) -> None:
        """Let the process end, and wait for it; its end is not told."""
        self._closed = True
        # Closing a descriptor does not wake its reader; shutting the socket down does.
        with (
            self._lock,
            contextlib.suppress(OSError),
            socket.socket(fileno=os.dup(self._connection.fileno())) as end,
        ):
            end.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._reader.is_alive() and self._reader is not threading.current_thread():
            self._reader.join(_EXIT_S)

    def _raw_send(self, message: object) -> None:
        try:
            with self._lock:
                self._connection.send(message)
        except (OSError, ValueError):
            self.kill()

    def _read(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._ears.said(self._connection.recv())
        if not self._closed:
            self.kill()
        code = self._process.wait()
        with self._lock:
            self._connection.close()
        if not self._closed:
            self._ears.ended(_how(code))


def _environment(*, first: bool) -> Mapping[str, str]:
    """Return the process's variables; one that replaces another is not to crash on purpose."""
    return {k: v for k, v in os.environ.items() if first or k != VARIABLE}


def _how(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
