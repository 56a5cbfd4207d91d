"""A bounded line of events on their way to a webhook, in a thread of its own."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from launchyard.adapters.webhook.post import PostError, Receiver, post
from launchyard.domain.review import JobEvent
from launchyard.domain.wire import to_json
from launchyard.ports import events
from launchyard.ports.families import WEBHOOK_DELIVERIES
from launchyard.ports.metrics import Metrics

_log = logging.getLogger(__name__)
_MOST: Final = 1000
_MOST_WAIT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderConfig:
    """Where to post to, of which states (none means all), and how often to try."""

    receiver: Receiver
    states: frozenset[str] = field(default_factory=frozenset)
    tries: int = 6
    first_wait_s: float = 1.0


class WebhookSender:
    """An `Outgoing` that posts one event after another, so that they arrive in their order.

    An event that cannot be posted holds the others up while it is tried again, and is then
    dropped; the line is bounded, so what waits is bounded, too.
    """

    def __init__(self, config: SenderConfig, metrics: Metrics) -> None:
        self._config, self._metrics = config, metrics
        self._waiting: deque[JobEvent] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    def put(self, event: JobEvent) -> None:
        states = self._config.states
        if states and event.state.value not in states:
            return
        with self._changed:
            if len(self._waiting) >= _MOST:
                self._waiting.popleft()
                self._count("dropped")
            self._waiting.append(event)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self, timeout_s: float) -> None:
        """End the waits between tries: what is left is tried once more, as far as time allows."""
        with self._changed:
            self._closing.set()
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def _run(self) -> None:
        while (event := self._next()) is not None:
            self._send(event)

    def _next(self) -> JobEvent | None:
        with self._changed:
            while not self._waiting:
                if self._closing.is_set():
                    return None
                self._changed.wait()
            return self._waiting.popleft()

    def _send(self, event: JobEvent) -> None:
        body = json.dumps(to_json(event), separators=(",", ":")).encode()
        wait_s = self._config.first_wait_s
        for left in reversed(range(self._config.tries)):
            try:
                post(self._config.receiver, event.id, body, int(time.time()))
            except PostError as e:
                if not e.retry or not left or self._closing.is_set():
                    self._count("dropped" if e.retry else "refused")
                    events.WEBHOOK_LOST.log(_log, id=event.id, error=e)
                    return
                self._count("retried")
            else:
                self._count("delivered")
                return
            self._closing.wait(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            wait_s = min(wait_s * 2, _MOST_WAIT_S)

    def _count(self, result: str) -> None:
        self._metrics.count(WEBHOOK_DELIVERIES, {"result": result})
