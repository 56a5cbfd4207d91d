"""The port of events that leave: something that posts them, sooner or later."""

from __future__ import annotations

from typing import Protocol

from launchyard.domain.review import JobEvent


class Outgoing(Protocol):
    """A bounded line of events on their way out; thread-safe."""

    def put(self, event: JobEvent) -> None:
        """Take *event*; returns at once. Without room the oldest is dropped and counted."""
        ...

    def close(self, timeout_s: float) -> None:
        """Try for at most *timeout_s* to get out what is left."""
        ...
