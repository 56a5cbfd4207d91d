"""Every number that Launchyard tells about itself, declared once.

The exposition adds the prefix `launchyard_`, and `_total` to counters; `docs/metrics.md` is made
from this list. A label named `process` is filled in by the process that counts. Values of
`state`, `stage`, `outcome` and `reason` are the texts of `AttemptState` and `Reason`; no id of an
item, a run or a user is ever a label.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.reason import FailureClass, Reason
from launchyard.ports.metrics import Family, Kind

_WAITS: Final = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 900, 1800, 3600, 14400)
_RUNS: Final = (1, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14400, 28800, 86400, 259200)
_BUILDS: Final = (1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800)
_CALLS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_POLLS: Final = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30, 60)


def _counter(name: str, text: str, *labels: str) -> Family:
    return Family(name=name, kind=Kind.COUNTER, help=text, labels=labels)


def _gauge(name: str, text: str, *labels: str) -> Family:
    return Family(name=name, kind=Kind.GAUGE, help=text, labels=labels)


def _histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Family:
    return Family(name=name, kind=Kind.HISTOGRAM, help=text, labels=labels, buckets=buckets)


# What agent and server both tell
BUILD_INFO: Final = _gauge(
    "build_info", "Always 1; the labels say what runs here.", "component", "version", "python"
)
PROCESS_STATE: Final = _gauge(
    "process_state", "1 for the state that this component is in.", "component", "state"
)
MEMORY: Final = _gauge(
    "process_resident_memory_bytes", "Memory that a process of ours occupies.", "process"
)
CPU: Final = _counter("process_cpu_seconds", "Processor time that a process has used.", "process")

# Configuration and slots
RELOAD_OK: Final = _gauge(
    "config_last_reload_successful", "1 when the configuration was read well the last time."
)
RELOADED_AT: Final = _gauge(
    "config_last_reload_success_timestamp_seconds", "When the configuration was last read well."
)
SLOTS_LIMIT: Final = _gauge(
    "agent_slots_limit", "How many attempts may be in this phase; +Inf when any number.", "kind"
)
SLOTS_USED: Final = _gauge("agent_slots_used", "How many attempts are in this phase.", "kind")

# Claims and leases
CLAIMS: Final = _counter("claims", "Claim requests by what came of them.", "result")
ITEMS_CLAIMED: Final = _counter("items_claimed", "Items that claims brought.", "queue")
CLAIM_DURATION: Final = _histogram(
    "claim_duration_seconds", "How long claims took, with their wait for work.", _POLLS
)
LAST_POLL: Final = _gauge(
    "last_successful_poll_timestamp_seconds",
    "When a claim was last answered; before the first one, when the agent started.",
    "queue",
)
LEASES_HELD: Final = _gauge("leases_held", "Leases that this agent holds.", "queue")
LEASE_RENEWALS: Final = _counter(
    "lease_renewals", "Heartbeats by their answer: ok, retry (none came) or lost.", "result"
)
LEASE_MIN_TTL: Final = _gauge(
    "lease_min_ttl_seconds", "Time until the first of the held leases runs out."
)
FENCED_WRITES: Final = _counter(
    "fenced_writes", "Writes that the server refused because the token was old.", "operation"
)
OUTBOX_DEPTH: Final = _gauge("outbox_depth", "Reports that the server has not confirmed yet.")

# Jobs
JOBS_IN_STATE: Final = _gauge(
    "jobs_in_state", "Attempts by where they stand now.", "queue", "target", "state"
)
JOBS_STARTED: Final = _counter("jobs_started", "Attempts that came to run.", "queue", "target")
JOBS_FINISHED: Final = _counter(
    "jobs_finished", "Attempts that ended, and why.", "queue", "target", "outcome", "reason"
)
JOB_QUEUE_WAIT: Final = _histogram(
    "job_queue_wait_seconds", "From enqueue to claim.", _WAITS, "queue"
)
JOB_START_LATENCY: Final = _histogram(
    "job_start_latency_seconds", "From enqueue to running.", _WAITS, "queue", "target", "built"
)
JOB_STAGE_DURATION: Final = _histogram(
    "job_stage_duration_seconds", "Time spent in one state.", _WAITS, "target", "stage"
)
JOB_RUN_DURATION: Final = _histogram(
    "job_run_duration_seconds", "From running to the end.", _RUNS, "queue", "target", "outcome"
)

CANCEL_DURATION: Final = _histogram(
    "cancel_duration_seconds", "From the wish to cancel to the end.", _WAITS, "target"
)
JOBS_ADOPTED: Final = _counter(
    "jobs_adopted", "Attempts that ran since before this start, as found.", "target", "result"
)
ORPHANS_FOUND: Final = _counter(
    "orphans_found", "Things of ours on a target that no attempt knows.", "target", "action"
)

IMAGE_PRUNINGS: Final = _counter(
    "image_prunings",
    "Looks at images that no job used for as long as `prune` says, and what came of them.",
    "target",
    "outcome",
)
IMAGES_PRUNED_BYTES: Final = _counter(
    "images_pruned_bytes",
    "Size of the images that were removed; layers that others still use are counted, too.",
    "target",
)

# Builds and logs
BUILDS_IN_PROGRESS: Final = _gauge("builds_in_progress", "Builds that run now.", "builder")
BUILDS_FINISHED: Final = _counter(
    "builds_finished",
    "Builds that ended; joined ones used another's.",
    "builder",
    "outcome",
    "cache",
)
BUILD_DURATION: Final = _histogram(
    "build_duration_seconds", "How long builds took.", _BUILDS, "builder", "outcome"
)
LOG_BYTES_SHIPPED: Final = _counter(
    "log_bytes_shipped", "Bytes of job and build logs that the server took."
)
LOG_SHIP_ERRORS: Final = _counter("log_ship_errors", "Log chunks that had to be sent again.")

# Processes, actors and plugins
CHILDREN: Final = _gauge("supervisor_children", "Worker processes that live.", "role")
CHILD_RESTARTS: Final = _counter(
    "supervisor_child_restarts", "Worker processes started again, and why.", "role", "reason"
)
SNAPSHOT_AGE: Final = _gauge(
    "supervisor_snapshot_age_seconds", "Age of the numbers that a process gave last.", "process"
)
ACTOR_MAILBOX_DEPTH: Final = _gauge(
    "actor_mailbox_depth", "Messages that wait for an actor.", "process", "actor"
)
ACTOR_FAILURES: Final = _counter(
    "actor_failures", "Actors that an error ended; each was replaced.", "process", "actor"
)
PLUGIN_ERRORS: Final = _counter(
    "plugin_errors", "Plugins that failed, by the hook they failed in.", "plugin", "hook"
)
LAUNCH_REVIEWS: Final = _counter(
    "launch_reviews", "What reviewers said; one that failed refuses, too.", "plugin", "result"
)
PLUGIN_EVENTS: Final = _counter(
    "plugin_events", "Events for plugins that listen to jobs.", "plugin", "result"
)
WEBHOOK_DELIVERIES: Final = _counter(
    "webhook_deliveries", "Tries to deliver an event to the webhook.", "result"
)
TARGET_REFUSED: Final = _gauge(
    "agent_target_refused", "1 while nothing is claimed for this target.", "target"
)
CIRCUIT_STATE: Final = _gauge(
    "circuit_state", "The circuit of a target: 0 closed, 1 open, 2 half open.", "target"
)
CIRCUIT_TRIPS: Final = _counter(
    "circuit_trips", "How often too many faults in a row opened a circuit.", "target"
)

# Server
QUEUE_WAITING: Final = _gauge(
    "queue_waiting_items", "Items that wait to be claimed.", "entity", "queue"
)
QUEUE_ACTIVE: Final = _gauge(
    "queue_active_items", "Items between claim and end.", "entity", "queue"
)
QUEUE_OLDEST_AGE: Final = _gauge(
    "queue_oldest_waiting_age_seconds", "How long the oldest one waits.", "entity", "queue"
)
QUEUE_PAUSED: Final = _gauge("queue_paused", "1 while nothing may be claimed.", "entity", "queue")
QUEUE_LIMIT: Final = _gauge(
    "queue_concurrency_limit", "Most items active at a time; +Inf when any.", "entity", "queue"
)
QUEUE_ENQUEUED: Final = _counter(
    "queue_enqueued", "Submissions; existing ones repeated another.", "entity", "queue", "dedup"
)
QUEUE_DELAYED: Final = _gauge(
    "queue_delayed_items", "Items whose moment to be claimed has not come.", "entity", "queue"
)
RETRIES: Final = _counter(
    "retries", "Bad ends after which the item was put back.", "entity", "queue", "class"
)
DEAD_LETTERS: Final = _counter(
    "dead_letters", "Bad ends with no retry left.", "entity", "queue", "class"
)
LEASE_EXPIRATIONS: Final = _counter(
    "lease_expirations", "Leases that ran out, by what became of the item.", "result"
)
LEASE_GRACES: Final = _counter(
    "lease_graces", "Full terms for all leases, as the clock was set or the server stood.", "cause"
)
AGENTS: Final = _gauge("agents", "Agents known to this server.", "status")
HTTP_REQUESTS: Final = _counter(
    "http_requests", "Requests that were answered.", "route", "method", "code"
)
HTTP_DURATION: Final = _histogram(
    "http_request_duration_seconds", "Time to the answer's first byte.", _CALLS, "route", "method"
)
SSE_CLIENTS: Final = _gauge("sse_clients", "Clients that follow a live stream.", "stream")
LOG_BYTES_STORED: Final = _counter("log_bytes_stored", "Bytes of logs that agents brought.")
CLAIMS_WAITING: Final = _gauge("claims_waiting", "Claims of agents that wait for work now.")

COMMON_FAMILIES: Final = (BUILD_INFO, PROCESS_STATE, MEMORY, CPU)
AGENT_FAMILIES: Final[tuple[Family, ...]] = (
    *COMMON_FAMILIES,
    *(RELOAD_OK, RELOADED_AT, SLOTS_LIMIT, SLOTS_USED),
    *(CLAIMS, ITEMS_CLAIMED, CLAIM_DURATION, LAST_POLL),
    *(LEASES_HELD, LEASE_RENEWALS, LEASE_MIN_TTL, FENCED_WRITES, OUTBOX_DEPTH),
    *(JOBS_IN_STATE, JOBS_STARTED, JOBS_FINISHED, JOB_QUEUE_WAIT, JOB_START_LATENCY),
    *(JOB_STAGE_DURATION, JOB_RUN_DURATION, CANCEL_DURATION, JOBS_ADOPTED, ORPHANS_FOUND),
    *(IMAGE_PRUNINGS, IMAGES_PRUNED_BYTES),
    *(BUILDS_IN_PROGRESS, BUILDS_FINISHED, BUILD_DURATION, LOG_BYTES_SHIPPED, LOG_SHIP_ERRORS),
    *(CHILDREN, CHILD_RESTARTS, SNAPSHOT_AGE),
    *(ACTOR_MAILBOX_DEPTH, ACTOR_FAILURES, PLUGIN_ERRORS),
    *(LAUNCH_REVIEWS, PLUGIN_EVENTS, WEBHOOK_DELIVERIES, TARGET_REFUSED),
    *(CIRCUIT_STATE, CIRCUIT_TRIPS),
)
"""What an agent exposes."""

SERVER_FAMILIES: Final[tuple[Family, ...]] = (
    *COMMON_FAMILIES,
    *(QUEUE_WAITING, QUEUE_ACTIVE, QUEUE_OLDEST_AGE, QUEUE_PAUSED, QUEUE_LIMIT, QUEUE_ENQUEUED),
    *(QUEUE_DELAYED, RETRIES, DEAD_LETTERS),
    *(LEASE_EXPIRATIONS, LEASE_GRACES, AGENTS, CLAIMS_WAITING),
    *(HTTP_REQUESTS, HTTP_DURATION, SSE_CLIENTS, LOG_BYTES_STORED),
)
"""What a server exposes."""

_OUTCOMES: Final = tuple(state.value for state in AttemptState if state in ENDS)
_STATES: Final = tuple(state.value for state in AttemptState if state not in ENDS)
PROCESS_STATES: Final = ("starting", "running", "paused", "degraded", "draining", "stopping")

VALUES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    PROCESS_STATE.name: {"state": PROCESS_STATES},
    SLOTS_LIMIT.name: {"kind": ("run", "launch", "build")},
    SLOTS_USED.name: {"kind": ("run", "launch", "build")},
    CLAIMS.name: {"result": ("claimed", "empty", "error")},
    LEASE_RENEWALS.name: {"result": ("ok", "retry", "lost")},
    FENCED_WRITES.name: {"operation": ("launching", "report", "reclaim", "release")},
    JOBS_IN_STATE.name: {"state": _STATES},
    JOBS_FINISHED.name: {"outcome": _OUTCOMES, "reason": tuple(Reason)},
    JOB_START_LATENCY.name: {"built": ("yes", "no")},
    JOB_STAGE_DURATION.name: {"stage": _STATES},
    JOB_RUN_DURATION.name: {"outcome": _OUTCOMES},
    JOBS_ADOPTED.name: {"result": ("adopted", "finished_meanwhile", "missing")},
    ORPHANS_FOUND.name: {"action": ("ignored", "reaped", "failed")},
    IMAGE_PRUNINGS.name: {"outcome": ("removed", "in_use", "failed")},
    BUILDS_FINISHED.name: {
        "outcome": ("succeeded", "failed", "cancelled", "timed_out"),
        "cache": ("hit", "miss", "joined", "none"),
    },
    BUILD_DURATION.name: {"outcome": ("succeeded", "failed", "cancelled", "timed_out")},
    LAUNCH_REVIEWS.name: {"result": ("passed", "changed", "rejected", "failed")},
    PLUGIN_EVENTS.name: {"result": ("told", "failed", "dropped")},
    WEBHOOK_DELIVERIES.name: {"result": ("delivered", "retried", "refused", "dropped")},
    CHILD_RESTARTS.name: {"reason": ("exit", "hang")},
    QUEUE_ENQUEUED.name: {"dedup": ("new", "existing")},
    RETRIES.name: {"class": tuple(FailureClass)},
    DEAD_LETTERS.name: {"class": tuple(FailureClass)},
    LEASE_EXPIRATIONS.name: {"result": ("requeued", "offered", "lost")},
    LEASE_GRACES.name: {"cause": ("clock", "stall")},
    AGENTS.name: {"status": ("online", "draining", "paused", "offline")},
}
"""The values of labels that have a known list; any other value is shown as `other`."""
