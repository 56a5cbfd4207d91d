"""Numbers that are looked up when Prometheus asks, in the reader's thread."""

from __future__ import annotations

import math
from collections import Counter

from launchyard.adapters.http.services import Services
from launchyard.ports.families import (
    AGENTS,
    QUEUE_ACTIVE,
    QUEUE_DELAYED,
    QUEUE_LIMIT,
    QUEUE_OLDEST_AGE,
    QUEUE_PAUSED,
    QUEUE_WAITING,
)
from launchyard.ports.records import AgentView, Queue
from launchyard.ports.store import Store


def refresh(store: Store, services: Services) -> None:
    """Bring the gauges of queues and agents up to date."""
    now_ms = services.clock.now_ms()
    for queue in store.queues():
        _queue(store, services, queue, now_ms)
    found = Counter(_status(agent) for agent in store.agents())
    for status in ("online", "draining", "paused", "offline"):
        services.metrics.gauge(AGENTS, found[status], {"status": status})


def _queue(store: Store, services: Services, queue: Queue, now_ms: int) -> None:
    labels = {"entity": queue.entity, "queue": queue.name}
    counts = store.counts(queue.entity, queue.name)
    oldest = counts.oldest_waiting_ms
    age_s = 0.0 if oldest is None else max(now_ms - oldest, 0) / 1000
    gauge = services.metrics.gauge
    gauge(QUEUE_WAITING, counts.waiting, labels)
    gauge(QUEUE_DELAYED, counts.delayed, labels)
    gauge(QUEUE_ACTIVE, counts.active, labels)
    gauge(QUEUE_OLDEST_AGE, age_s, labels)
    gauge(QUEUE_PAUSED, queue.paused, labels)
    gauge(QUEUE_LIMIT, math.inf if queue.limit is None else queue.limit, labels)


def _status(agent: AgentView) -> str:
    if not agent.online:
        return "offline"
    if agent.draining:
        return "draining"
    return "paused" if agent.paused else "online"
