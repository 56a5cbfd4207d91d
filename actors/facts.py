"""What reaches the supervisor: facts from other threads, each a frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from launchyard.actors.messages import FromHost, Ref
from launchyard.domain.exchange import (
    AgentGrant,
    Answer,
    ClaimAnswer,
    HeartbeatAnswer,
    Launching,
    ReclaimAnswer,
    ReclaimVerdict,
    Release,
    Report,
)
from launchyard.domain.review import Reviewed
from launchyard.ports.runner import Handle


class StopMode(StrEnum):
    """How the agent is to end; later ones are more urgent, except the last, which is patient."""

    DRAIN = "drain"
    CANCEL = "cancel"
    WAIT_ALL = "wait_all"


@dataclass(frozen=True, slots=True)
class Registered:
    """The server knows this start of the agent."""

    grant: AgentGrant


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim was answered."""

    claim_id: str
    answer: ClaimAnswer


@dataclass(frozen=True, slots=True)
class Fenced:
    """The fenced writes were answered."""

    answers: tuple[tuple[Launching, Answer], ...]


@dataclass(frozen=True, slots=True)
class ReviewDone:
    """Reviewers gave their word on an attempt; no *reviewed* means that its spec is none."""

    ref: Ref
    reviewed: Reviewed | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Renewed:
    """A heartbeat was answered."""

    answer: HeartbeatAnswer


@dataclass(frozen=True, slots=True)
class Reported:
    """Reports were answered, each by its own answer."""

    answers: tuple[tuple[Report, Answer], ...]


@dataclass(frozen=True, slots=True)
class SetAside:
    """The server refuses an item's reports again and again."""

    item: str
    detail: str


@dataclass(frozen=True, slots=True)
class Reclaimed:
    """A reclaim was answered."""

    item: str
    attempt: int
    answer: ReclaimAnswer


@dataclass(frozen=True, slots=True)
class Judged:
    """The server said whose a thing on a target is; None when it could not be asked."""

    host: str
    handle: Handle
    verdict: ReclaimVerdict | None


@dataclass(frozen=True, slots=True)
class Released:
    """Releases were answered, or were not heard at all."""

    answers: tuple[tuple[Release, Answer | None], ...]


@dataclass(frozen=True, slots=True)
class SaidGoodbye:
    """The server was told that this agent stops, if it could be reached."""

    heard: bool


@dataclass(frozen=True, slots=True)
class HostSaid:
    """A worker process spoke."""

    host: str
    messages: tuple[FromHost, ...]


@dataclass(frozen=True, slots=True)
class HostBegan:
    """A worker process replaced one that is gone: it knows of nothing."""

    host: str


@dataclass(frozen=True, slots=True)
class HostFailed:
    """A worker process cannot work at all, in words."""

    host: str
    message: str


@dataclass(frozen=True, slots=True)
class Due:
    """An alarm of the supervisor's own went off."""

    what: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """The agent is to end."""

    mode: StopMode
    by: str = ""


SupervisorFact: TypeAlias = (
    Registered
    | Claimed
    | Fenced
    | ReviewDone
    | Renewed
    | Reported
    | SetAside
    | Reclaimed
    | Judged
    | Released
    | SaidGoodbye
    | HostSaid
    | HostBegan
    | HostFailed
    | Due
    | Stop
)
