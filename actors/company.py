"""What a run host tells: an end at once, and with it all that could wait a moment for company."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from launchyard.actors.messages import FromHost, Removed, SeenNow, Submitted
from launchyard.domain.attempt import ENDS

_WAIT_S: Final = 0.02


class Company:
    """Sends messages in the order in which they were said; for any thread.

    *later* calls back in so many seconds. In a crowd every message costs the main process a step,
    so what nobody waits for (something was taken, runs, is removed) comes with what follows.
    """

    def __init__(
        self,
        send: Callable[..., None],
        later: Callable[[str, float, Callable[[], None]], None],
    ) -> None:
        self._send, self._later = send, later
        self._lock = threading.Lock()
        self._waiting: list[FromHost] = []

    def say(self, *messages: FromHost) -> None:
        """Send *messages*, in a moment if they can wait."""
        with self._lock:
            first = not self._waiting
            self._waiting += messages
            if not all(map(_can_wait, messages)):
                self._send_all()
            elif first:
                self._later("company", _WAIT_S, self._in_time)

    def _in_time(self) -> None:
        with self._lock:
            if self._waiting:
                self._send_all()

    def _send_all(self) -> None:
        messages, self._waiting = self._waiting, []
        self._send(*messages)


def _can_wait(message: FromHost) -> bool:
    if isinstance(message, SeenNow):
        return message.observation.state not in ENDS
    return isinstance(message, Submitted | Removed)
