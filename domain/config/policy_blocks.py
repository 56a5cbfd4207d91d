"""The blocks of the agent's configuration that set rules and name listeners."""

from __future__ import annotations

from typing import Final

from launchyard.domain.attempt import AttemptState
from launchyard.domain.circuit import CircuitRules
from launchyard.domain.config.schema import Block, Field, Kind

PLUGINS: Final = Block(
    key="plugins",
    doc="Which installed plugins are loaded.",
    fields=(
        Field(
            key="allow",
            kind=Kind.TEXTS,
            doc="Load these alone; an empty list loads all.",
            default=[],
        ),
        Field(key="deny", kind=Kind.TEXTS, doc="Never load these.", default=[]),
        Field(
            key="require",
            kind=Kind.TEXTS,
            doc="Do not start without these: reviewers that must not be missing.",
            default=[],
        ),
        Field(
            key="settings",
            kind=Kind.DOCUMENT,
            doc="What `review_launch`, `can_accept` and `job_event` are told, by plugin.",
        ),
    ),
)
HOST_GUARD: Final = Block(
    key="host_guard",
    doc="What this machine must have free before work for it is taken: for local targets.",
    fields=(
        Field(
            key="min_disk",
            kind=Kind.BYTES,
            doc="Free space on the disk of the state folder.",
            minimum=0,
        ),
        Field(
            key="min_memory",
            kind=Kind.BYTES,
            doc="Memory that is available, inside the limit of our own container.",
            minimum=0,
        ),
        Field(
            key="min_gpus",
            kind=Kind.INTEGER,
            doc="GPUs that nobody uses, as `nvidia-smi` tells.",
            default=0,
            minimum=0,
        ),
        Field(
            key="targets",
            kind=Kind.TEXTS,
            doc="Targets that it holds for; an empty list means all that run on this machine.",
            default=[],
        ),
        Field(
            key="interval",
            kind=Kind.SECONDS,
            doc="How often the machine is looked at, besides after each claim.",
            default=10.0,
            minimum=1,
        ),
    ),
)
WEBHOOK: Final = Block(
    key="webhook",
    doc="Where each step of a job is posted to, signed.",
    fields=(
        Field(
            key="url",
            kind=Kind.TEXT,
            doc="Address; without it nothing is posted.",
            pattern=r"https?://[^/@\s]+(/\S*)?",
            says="http://host/path or https://host/path, without a user",
        ),
        Field(
            key="secret",
            kind=Kind.TEXT,
            doc="Key of the signatures, 16 characters or more; better set by its variable.",
            pattern=r".{16,}",
            says="16 characters or more",
            secret=True,
        ),
        Field(
            key="states",
            kind=Kind.TEXTS,
            doc="Tell of these states alone; an empty list tells of all.",
            default=[],
            pattern="|".join(state.value for state in AttemptState),
            says="states of attempts: " + ", ".join(state.value for state in AttemptState),
        ),
        Field(
            key="allow",
            kind=Kind.TEXTS,
            doc="Networks that may be reached although they are not public, as 10.1.0.0/16.",
            default=[],
            pattern=r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?",
            says="addresses or networks, as 10.1.0.0/16",
        ),
        Field(
            key="timeout",
            kind=Kind.SECONDS,
            doc="Longest wait for an answer.",
            default=5.0,
            minimum=0.1,
        ),
        Field(
            key="tries",
            kind=Kind.INTEGER,
            doc="How often one event is tried.",
            default=6,
            minimum=1,
            maximum=20,
        ),
    ),
)
CIRCUIT: Final = Block(
    key="circuit",
    doc="When the agent keeps off a target that fails: see docs/operations.md.",
    fields=(
        Field(
            key="failures",
            kind=Kind.INTEGER,
            doc="Faults of a target in a row after which nothing is taken for it; 0: never.",
            default=CircuitRules().failures,
            minimum=0,
            maximum=100,
        ),
        Field(
            key="wait",
            kind=Kind.SECONDS,
            doc="Time until one job may show whether it works again; doubled while it does not.",
            default=30.0,
            minimum=0.1,
        ),
        Field(
            key="longest_wait",
            kind=Kind.SECONDS,
            doc="What the doubled times end at.",
            default=600.0,
            minimum=0.1,
        ),
    ),
)
