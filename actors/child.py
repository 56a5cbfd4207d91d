"""A worker process: `python -m launchyard.actors.child <fd>` with a link on that descriptor.

The first thing on the link is a `HostSpec`. The process ends at once when the link closes, so it
cannot outlive the agent; signals are the main process's business.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, Protocol, cast

from launchyard.actors.crashpoints import reach
from launchyard.actors.messages import FromHost, ToHost, Unable
from launchyard.ports.target import HostSpec


class Host(Protocol):
    """What a worker process does with its messages."""

    def handle(self, messages: Sequence[ToHost]) -> None:
        """Take *messages* without waiting for anything; called in the process's main thread."""
        ...


class Channel:
    """The child's end of a link; any thread may send."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, *messages: FromHost) -> None:
        """Send *messages* as one; a link that is gone ends this process."""
        reach("to_main.before_send")
        try:
            with self._lock:
                self._connection.send(messages)
        except OSError:
            os._exit(0)
        reach("to_main.after_send")

    def serve(self, handle: Callable[[Sequence[ToHost]], None]) -> None:
        """Hand over what comes until the link closes; then end this process."""
        while True:
            try:
                messages = self._connection.recv()
            except (EOFError, OSError):
                os._exit(0)
            handle(messages)


def main(fd: int) -> None:
    """Be the worker process that the link on *fd* asks for."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    connection: Connection = Connection(fd)
    try:
        spec = cast("HostSpec", connection.recv())
    except (EOFError, OSError):
        os._exit(0)
    channel = Channel(connection)
    try:
        host = _make(spec, channel)
    except Exception as e:  # noqa: BLE001 - whatever an adapter raises, people must hear of it
        channel.send(Unable(f"{type(e).__name__}: {e}"))
        os._exit(1)
    channel.serve(host.handle)


def _make(spec: HostSpec, channel: Channel) -> Host:
    module, _, function = spec.entry.partition(":")
    entry: Callable[[Any, Channel], Host] = getattr(importlib.import_module(module), function)
    return entry(spec.spec, channel)


if __name__ == "__main__":
    main(int(sys.argv[1]))
