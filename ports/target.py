"""A target as the agent's main process knows it: what to plan, what to build, which host runs it.

The main process plans, because planning is pure; building and running happen in worker processes,
which are described here by values that pickle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from launchyard.domain.exchange import ItemGrant
from launchyard.domain.spec import Source
from launchyard.ports.builder import BuildRequest, Built


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSpec:
    """How a worker process begins: `entry` is `module:function`, called with `spec` and a channel.

    `name` is its role, for people and metrics.
    """

    name: str
    entry: str
    spec: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInput:
    """Whose plan: the lease, the attempt's name on targets, and a folder that is its alone."""

    grant: ItemGrant
    name: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildJob:
    """What must be there before the launch: *source* in the folder *into*, and a product.

    No `builder` means that fetching is all.
    """

    source: Source
    into: str
    builder: str = ""
    request: BuildRequest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A target's plan for an attempt and what the agent itself must know of it.

    `secrets` are laid over the plan's environment at the launch and are written nowhere. No
    `run_s` means no limit. `findings` are remarks for people.
    """

    plan: Any
    build: BuildJob | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    run_s: float | None = None
    grace_s: float = 10.0
    log_quota_b: int = 0
    findings: tuple[str, ...] = ()


class Target(Protocol):
    """One kind of compute, seen from the main process. Calls are pure, short and thread-safe."""

    @property
    def name(self) -> str:
        """The resource type of the queues it serves."""
        ...

    @property
    def host_bound(self) -> bool:
        """Whether its attempts can be reached from this machine alone."""
        ...

    @property
    def scope(self) -> str:
        """Where its handles can be reached."""
        ...

    @property
    def host(self) -> HostSpec:
        """The worker process that runs its attempts."""
        ...

    def plan(self, wanted: PlanInput) -> Planned:
        """Plan an attempt.

        Raises:
            DocumentError: the launch asks for what this target has not; holds every problem.
        """
        ...

    def with_built(self, plan: Any, built: Built, folder: str) -> Any:
        """Return *plan* with what was built, its source being in *folder*."""
        ...
