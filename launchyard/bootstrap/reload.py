"""What a running agent takes over from a configuration that was changed, and what must wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Final

from launchyard.actors.desk import Rules
from launchyard.domain.admission import Limits
from launchyard.domain.circuit import CircuitRules
from launchyard.domain.config.model import AgentConfig
from launchyard.domain.wandb_address import is_wandb

HOT: Final = (
    "max_jobs",
    "max_launches",
    "max_pending",
    "drain_timeout_s",
    "host_bound_on_exit",
    "reap_orphans",
    "log_level",
    "verbosity",
    "circuit",
)
"""Attributes whose new values count at once; all others count from the agent's next start."""

_LEVELS: Final = ("warning", "info", "debug")


def rules(config: AgentConfig, jobs_folder: str, server: str) -> Rules:
    """Return what a configuration says about attempts and their end."""
    return Rules(
        limits=Limits(
            max_jobs=config.max_jobs,
            max_builds=config.max_builds,
            max_launches=config.max_launches,
            max_pending=config.max_pending,
        ),
        jobs_folder=jobs_folder,
        run_timeout_s=config.run_timeout_s,
        host_bound_on_exit=config.host_bound_on_exit,
        drain_timeout_s=config.drain_timeout_s,
        # A W&B server knows no attempts but those in this agent's book: it cannot say whose it is.
        reap_orphans=config.reap_orphans and not is_wandb(server),
        circuit=CircuitRules(
            failures=config.circuit.failures,
            first_s=config.circuit.wait_s,
            cap_s=config.circuit.longest_wait_s,
        ),
    )


def level(config: AgentConfig) -> str:
    """Return the least serious level that the log is to have."""
    if not config.verbosity:
        return config.log_level
    return _LEVELS[min(config.verbosity, len(_LEVELS) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A running agent's configuration after it was read again.

    `now` has new values where they count at once; `taken` and `waiting` name the keys that
    changed: those that count, and those that need a new start.
    """

    now: AgentConfig
    taken: tuple[str, ...]
    waiting: tuple[str, ...]


def change(running: AgentConfig, read: AgentConfig) -> Change:
    """Return what a configuration that was *read* again makes of the *running* one."""
    now = replace(running, **{name: getattr(read, name) for name in HOT})
    return Change(now=now, taken=_differ(running, now), waiting=_differ(now, read))


def _differ(before: AgentConfig, now: AgentConfig) -> tuple[str, ...]:
    old, new = _values(before), _values(now)
    return tuple(key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key))


def _values(config: AgentConfig) -> Mapping[str, object]:
    """Return the configuration flat, by the keys as people write them but for dashes."""
    found: dict[str, object] = {}
    for entry in fields(config):
        value = getattr(config, entry.name)
        if is_dataclass(value):
            for inner in fields(value):
                found[f"{entry.name}.{_key(inner.name)}"] = getattr(value, inner.name)
        elif entry.name == "targets":
            found |= {f"targets.{name}": settings for name, settings in value.items()}
        elif entry.name != "origins":
            found[_key(entry.name)] = value
    return found


def _key(attribute: str) -> str:
    """Return the key of an attribute, which has a unit at its end."""
    return attribute.removesuffix("_s").removesuffix("_b")
