"""What a running agent tells about itself: the inbound port of the operations endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from launchyard.domain.attempt import AttemptState
from launchyard.ports.plugins import PluginView


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorView:
    """One actor or worker process: `doing` says in a few words what it is busy with.

    `process` is main, or the role of the worker process; `parent` is the name of the actor that
    it hangs under in the tree, empty for the root.
    """

    name: str
    process: str
    parent: str = ""
    alive: bool = True
    mailbox: int = 0
    doing: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """One attempt in the agent's table; times are `_ms` since 1970."""

    item: str
    attempt: int
    queue: str
    target: str
    state: AttemptState
    since_ms: int
    place: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitView:
    """How much of a limit is used; a limit of -1 is none."""

    kind: str
    used: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorView:
    """The latest trouble of one sort, and how often it came in a row."""

    where: str
    message: str
    at_ms: int
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanView:
    """A thing on a target that is this installation's, and no attempt's that the agent knows."""

    target: str
    place: str
    item: str
    attempt: int
    state: AttemptState


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitView:
    """The breaker of a target: closed, open or half_open.

    `failures` counts faults in a row while it is closed, `trips` openings since the last success.
    """

    target: str
    state: str
    failures: int = 0
    trips: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatus:
    """The whole agent at one moment.

    `state` is one of starting, running, paused, draining, stopping. `ready` says whether work is
    taken; when not, `why` says why not. `lease_s` is how long the leases still hold.
    """

    agent: str
    name: str
    version: str
    server: str
    state: str
    ready: bool
    why: str = ""
    started_ms: int = 0
    queues: tuple[str, ...] = ()
    lease_s: float = 0.0
    outbox: int = 0
    limits: tuple[LimitView, ...] = ()
    actors: tuple[ActorView, ...] = ()
    attempts: tuple[AttemptView, ...] = ()
    orphans: tuple[OrphanView, ...] = ()
    circuits: tuple[CircuitView, ...] = ()
    errors: tuple[ErrorView, ...] = ()
    plugins: tuple[PluginView, ...] = ()


class AgentView(Protocol):
    """Answers about the running agent; thread-safe, and never waits for an actor."""

    def status(self) -> AgentStatus:
        """Return everything that there is to see."""
        ...

    def stuck(self) -> tuple[str, ...]:
        """Name what does not live any more though it should; empty means alive (`/livez`)."""
        ...
