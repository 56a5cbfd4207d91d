"""What the main process and its worker processes say to each other; all of it pickles.

A send carries a tuple of messages. Those to a host may be repeated: every one is a wish about how
things should be, and a host that has fulfilled it already says so again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from launchyard.domain.naming import Owner
from launchyard.domain.reason import Reason
from launchyard.ports.agent_status import ActorView
from launchyard.ports.builder import Built
from launchyard.ports.metrics import Snapshot
from launchyard.ports.runner import Handle, Launch, Observation
from launchyard.ports.target import BuildJob


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """Which attempt of which item."""

    item: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Submit:
    """Create the thing, or adopt it; watch it, and ship its log. If *early*, only be ready to."""

    ref: Ref
    launch: Launch
    cursors: Mapping[str, int] = field(default_factory=dict)
    early: bool = False


@dataclass(frozen=True, slots=True)
class Find:
    """Look the thing up by its name; if it is there, watch it, and stop it for *reason* if any."""

    ref: Ref
    owner: Owner
    name: str
    cursors: Mapping[str, int] = field(default_factory=dict)
    grace_s: float = 0.0
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """Say how the thing stands now, and whenever that changes; ship its log."""

    ref: Ref
    handle: Handle
    cursors: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop the thing; one whose submit is still on its way is stopped when that is done."""

    ref: Ref
    handle: Handle | None
    grace_s: float
    reason: Reason


@dataclass(frozen=True, slots=True)
class Ship:
    """Bring what is missing of the log and the outputs of a thing that has ended."""

    ref: Ref
    handle: Handle
    cursors: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Remove:
    """Give back what the thing holds."""

    ref: Ref
    handle: Handle


@dataclass(frozen=True, slots=True)
class Drop:
    """Stop watching and touch nothing: the thing is another agent's."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class Build:
    """Fetch and build; the output goes to the log source `build`."""

    ref: Ref
    job: BuildJob


@dataclass(frozen=True, slots=True)
class CancelBuild:
    """Stop a build; its end tells of it."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class Discard:
    """Take away a source that was fetched and that nobody is going to use."""

    folder: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there?"""

    number: int


@dataclass(frozen=True, slots=True)
class TellNumbers:
    """Send your metrics, and say what your actors do."""

    number: int


@dataclass(frozen=True, slots=True)
class Flush:
    """Ship all that the logs hold by now, then say so."""

    number: int


@dataclass(frozen=True, slots=True)
class ListStrays:
    """Look through the target for what is this installation's and unknown to you."""

    installation: str
    agent: str


ToHost: TypeAlias = (
    Submit
    | Find
    | Watch
    | Cancel
    | Ship
    | Remove
    | Drop
    | Build
    | CancelBuild
    | Discard
    | Ping
    | TellNumbers
    | Flush
    | ListStrays
)


@dataclass(frozen=True, slots=True)
class Submitted:
    """The target has it."""

    ref: Ref
    handle: Handle


@dataclass(frozen=True, slots=True)
class SubmitFailed:
    """The target does not have it, as far as one knows; *retry* may help.

    It is *unsure* when the target may have heard all the same.
    """

    ref: Ref
    reason: Reason
    detail: str
    retry: bool = False
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class NotFound:
    """Nothing of that name is there."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class SeenNow:
    """How it stands; *shipped* when its log and outputs are all with the server, or empty."""

    ref: Ref
    handle: Handle
    observation: Observation
    shipped: bool = False


@dataclass(frozen=True, slots=True)
class Shipped:
    """Log and outputs of an ended thing are with the server, as far as they ever will be."""

    ref: Ref
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Removed:
    """Nothing of it is left on the target."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class BuildDone:
    """The product and the folder with the source."""

    ref: Ref
    built: Built
    folder: str


@dataclass(frozen=True, slots=True)
class BuildFailed:
    """Fetching or building failed."""

    ref: Ref
    reason: Reason
    detail: str
    retry: bool = False


@dataclass(frozen=True, slots=True)
class Pong:
    """Yes."""

    number: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """A host's metrics, and what its actors do."""

    number: int
    snapshot: Snapshot
    actors: tuple[ActorView, ...] = ()


@dataclass(frozen=True, slots=True)
class Flushed:
    """What the logs held is shipped; *cursors* by attempt and source."""

    number: int
    cursors: Mapping[Ref, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unable:
    """The host cannot do its work at all; in words."""

    message: str


@dataclass(frozen=True, slots=True)
class Stray:
    """Something of this installation's that the host was never told of."""

    owner: Owner
    handle: Handle
    observation: Observation
    created_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StraysHere:
    """Everything of that sort on the target."""

    strays: tuple[Stray, ...]


FromHost: TypeAlias = (
    Submitted
    | SubmitFailed
    | NotFound
    | SeenNow
    | Shipped
    | Removed
    | BuildDone
    | BuildFailed
    | Pong
    | Numbers
    | Flushed
    | StraysHere
    | Unable
)
