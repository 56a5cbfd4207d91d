"""Every key of the agent's configuration: W&B's own, spelt as W&B spells them, and ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from launchyard.domain.config.blocks import BUILDER, ENVIRONMENT, OPERATIONS, REGISTRY
from launchyard.domain.config.policy_blocks import CIRCUIT, HOST_GUARD, PLUGINS, WEBHOOK
from launchyard.domain.config.retention import RETENTION
from launchyard.domain.config.schema import Block, Field, Kind, KnownTypes
from launchyard.domain.config.uris import server_url

_ASKED = (
    Field(
        key="entity",
        kind=Kind.TEXT,
        doc="User or team whose queues the agent serves; without it, the owner of the key.",
        env=("WANDB_ENTITY",),
        flag="--entity",
    ),
    Field(
        key="queues",
        kind=Kind.TEXTS,
        doc="Queues to take items from; `--queue` replaces the whole list.",
        default=[],
        aliases=("queue",),
        flag="--queue",
    ),
    Field(
        key="server",
        kind=Kind.TEXT,
        doc="URL of the server; `wandb+` marks W&B's, `name+` a plugin's; `wandb` is your own W&B.",
        says="http://host:port, https://host, or wandb+https://host",
        shape=server_url,
        flag="--server",
    ),
    Field(
        key="name",
        kind=Kind.TEXT,
        doc="Name under which the agent is known across restarts; without it, the host's name.",
        pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}",
        says="up to 63 letters, digits, `.`, `_` and `-`, beginning with a letter or digit",
        flag="--name",
    ),
    Field(
        key="state_dir",
        kind=Kind.TEXT,
        doc="Folder of journal and job files; without it, below `$XDG_STATE_HOME`.",
        flag="--state-dir",
    ),
    Field(
        key="secure_mode",
        kind=Kind.BOOLEAN,
        doc="Refuse items that loosen the isolation of their containers.",
        default=False,
    ),
    Field(
        key="macro_env",
        kind=Kind.TEXTS,
        doc="Agent variables that macros may read: names or patterns; `!NAME` takes one out.",
        default=[],
        pattern=r"!?[A-Za-z0-9_*?\[\]-]+",
        says="names of variables; `*` and `?` stand for any text and any letter",
    ),
)
_LIMITS = (
    Field(
        key="max_jobs",
        kind=Kind.INTEGER,
        doc="Jobs at a time; -1 sets no limit, 0 takes none.",
        default=1,
        minimum=-1,
        env=("WANDB_LAUNCH_MAX_JOBS",),
        flag="--max-jobs",
    ),
    Field(
        key="max_schedulers",
        kind=Kind.INTEGER,
        doc="Sweep schedulers at a time; -1 sets no limit.",
        default=1,
        minimum=-1,
    ),
    Field(
        key="max_builds",
        kind=Kind.INTEGER,
        doc="Builds at a time.",
        default=2,
        minimum=1,
    ),
    Field(
        key="max_launches",
        kind=Kind.INTEGER,
        doc="Jobs that are being handed to their targets at a time.",
        default=16,
        minimum=1,
    ),
    Field(
        key="max_pending",
        kind=Kind.INTEGER,
        doc="Jobs that wait in the queues of their clusters at a time.",
        default=1000,
        minimum=0,
    ),
    Field(
        key="log_quota",
        kind=Kind.BYTES,
        doc="Log kept of one attempt, up to the server's `--log-quota`; the rest is cut off.",
        default=50 * 1024 * 1024,
        minimum=0,
    ),
    Field(
        key="source_limit",
        kind=Kind.BYTES,
        doc="Most that a git repository may bring, history and files together; 0 is no limit.",
        default=2 * 1024**3,
        minimum=0,
    ),
)
_TIMES = (
    Field(
        key="run_timeout",
        kind=Kind.SECONDS,
        doc="Longest run of a job; without it, no limit.",
        minimum=1,
    ),
    Field(
        key="build_timeout",
        kind=Kind.SECONDS,
        doc="Longest build of an image or environment.",
        default=3600.0,
        minimum=1,
    ),
    Field(
        key="stopped_run_timeout",
        kind=Kind.SECONDS,
        doc="Time that a run has to stop by itself after its page's stop button.",
        default=60.0,
        minimum=0,
    ),
    Field(
        key="cancel_grace",
        kind=Kind.SECONDS,
        doc="Time between the polite and the hard end of a cancelled job.",
        default=10.0,
        minimum=0,
    ),
    Field(
        key="drain_timeout",
        kind=Kind.SECONDS,
        doc="Longest wait for jobs of this host when the agent ends.",
        default=600.0,
        minimum=0,
    ),
    Field(
        key="host_bound_on_exit",
        kind=Kind.TEXT,
        doc="What becomes of jobs of this host when the agent ends; in a container `wait`.",
        default="leave",
        in_container="wait",
        choices=("leave", "wait", "cancel"),
    ),
    Field(
        key="reap_orphans",
        kind=Kind.BOOLEAN,
        doc="End and remove what is on targets for an hour and nobody's; not on a W&B server.",
        default=False,
    ),
)
_LOGGING = (
    Field(
        key="verbosity",
        kind=Kind.INTEGER,
        doc="How much the agent tells: 0, 1 or 2; `-v` and `-vv` set it.",
        default=0,
        minimum=0,
        flag="--verbose",
    ),
    Field(
        key="log_format",
        kind=Kind.TEXT,
        doc="Lines for people or for machines.",
        default="console",
        choices=("console", "json"),
        flag="--log-format",
    ),
    Field(
        key="log_level",
        kind=Kind.TEXT,
        doc="Least serious message that is written.",
        default="info",
        choices=("debug", "info", "warning", "error"),
        flag="--log-level",
    ),
)
_TARGETS = Block(key="targets", doc="Settings of targets, each under the target's name.")
_ROOT: Final = Block(
    key="",
    doc="The agent itself.",
    fields=(*_ASKED, *_LIMITS, *_TIMES, *_LOGGING),
    blocks=(
        ENVIRONMENT,
        REGISTRY,
        BUILDER,
        OPERATIONS,
        PLUGINS,
        HOST_GUARD,
        CIRCUIT,
        WEBHOOK,
        RETENTION,
        _TARGETS,
    ),
)


DEFAULT_FILES: Final = ("~/.config/wandb/launch-config.yaml", "/etc/launchyard/config.yaml")
"""Where the file is looked for when no flag names one; the first that is there counts alone."""


def agent_schema(known: KnownTypes) -> Block:
    """Return the description of the whole file with what the plugins add to it."""
    blocks = tuple(
        _targets(known) if block.key == "targets" else _extended(block, known)
        for block in _ROOT.blocks
    )
    return replace(_ROOT, blocks=blocks)


def _extended(block: Block, known: KnownTypes) -> Block:
    fields = tuple(
        replace(entry, choices=known.named(entry.known)) if entry.known else entry
        for entry in block.fields
    )
    taken = {name for entry in fields for name in entry.names}
    for name, added in known.blocks.items():
        family, _, kind = name.partition(".")
        if family == block.key:
            new = tuple(replace(e, types=(kind,)) for e in added.fields if e.key not in taken)
            fields, taken = (*fields, *new), taken | {entry.key for entry in new}
    return replace(block, fields=fields)


def _targets(known: KnownTypes) -> Block:
    described = {name: known.blocks.get(f"targets.{name}") for name in known.targets}
    return replace(
        _TARGETS,
        fields=tuple(
            Field(key=name, kind=Kind.DOCUMENT, doc=f"Settings of the target `{name}`.")
            for name, block in described.items()
            if block is None
        ),
        blocks=tuple(replace(b, key=name) for name, b in described.items() if b is not None),
    )
