"""What the numbers about jobs are made of, and the lines of the log."""

from __future__ import annotations

import logging

from launchyard.domain.attempt import AttemptState
from launchyard.domain.attempts import Attempt
from launchyard.domain.reason import Reason
from launchyard.ports import events, families
from launchyard.ports.metrics import Metrics

_log = logging.getLogger(__name__)


def count(metrics: Metrics, before: Attempt, now: Attempt) -> None:
    """Count and log what became of an attempt between *before* and *now*."""
    grant = now.grant
    where = {"queue": grant.queue, "target": grant.resource}
    if now.running_ms and not before.running_ms:
        metrics.count(families.JOBS_STARTED, where)
        built = {"built": "no" if now.product is None else "yes"}
        waited_s = max(0, now.running_ms - grant.enqueued_at_ms) / 1000
        metrics.observe(families.JOB_START_LATENCY, waited_s, {**where, **built})
    if now.state is not before.state:
        _tell(now)
        spent_s = max(0, now.since_ms - before.since_ms) / 1000
        stage = {"target": grant.resource, "stage": before.state.value}
        metrics.observe(families.JOB_STAGE_DURATION, spent_s, stage)
    if now.ended and not before.ended:
        if before.state is AttemptState.CANCELLING:
            took_s = max(0, now.since_ms - before.since_ms) / 1000
            metrics.observe(families.CANCEL_DURATION, took_s, {"target": grant.resource})
        outcome, reason = now.state.value, (now.reason or Reason.COMPLETED).value
        metrics.count(families.JOBS_FINISHED, {**where, "outcome": outcome, "reason": reason})
        if now.running_ms:
            ran_s = max(0, now.since_ms - now.running_ms) / 1000
            metrics.observe(families.JOB_RUN_DURATION, ran_s, {**where, "outcome": outcome})


def _tell(now: Attempt) -> None:
    """Write a line of an attempt's new state."""
    event = events.JOB_ENDED if now.ended else events.JOB_MOVED
    event.log(
        _log,
        item=now.item,
        attempt=now.attempt,
        queue=now.grant.queue,
        target=now.grant.resource,
        state=now.state.value,
        reason=now.reason.value if now.reason is not None else "",
    )
