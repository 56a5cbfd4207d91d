"""What the server is made of, handed in by whoever starts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from launchyard.adapters.http.limits import Rates
from launchyard.domain.archive import Limits
from launchyard.domain.config.problem import Marked
from launchyard.domain.submission import TargetRules
from launchyard.ports.archive import Archives
from launchyard.ports.blobs import Blobs
from launchyard.ports.clock import Clock
from launchyard.ports.housekeeping import Retention
from launchyard.ports.metrics import Metrics
from launchyard.ports.store import Store
from launchyard.ports.vault import Vault

ReadText: TypeAlias = Callable[[str, str], Marked]
"""Reads a document in YAML or JSON; the second argument is its name in messages."""

Render: TypeAlias = Callable[[str], tuple[bytes, str]]
"""Renders the metrics for an `Accept` header; returns the text and its content type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Limits and names; `hosts` are names that a `Host` header may have besides the loopback's.

    `any_address` lets any IP address stand there too, which a browser's page cannot forge.
    `scratch` is a folder for uploads under way.
    """

    version: str
    scratch: str
    name: str = "launchyard"
    hosts: tuple[str, ...] = ()
    any_address: bool = False
    json_b: int = 8 * 1024 * 1024
    log_chunk_b: int = 8 * 1024 * 1024
    output_b: int = 2 * 1024**3
    archive: Limits = field(default_factory=Limits)
    longest_wait_s: float = 60.0
    heartbeat_s: float = 15.0
    rates: Rates = field(default_factory=Rates)
    retention: Retention = field(default_factory=Retention)
    log_grace_s: float = 30.0
    """How long a follower waits for the rest of the log after the end of an item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that the server calls."""

    store: Store
    vault: Vault
    blobs: Blobs
    archives: Archives
    clock: Clock
    metrics: Metrics
    settings: HttpSettings
    read_text: ReadText
    render: Render
    targets: Mapping[str, TargetRules]
