"""The runner port: start attempts on one kind of compute, look at them, stop them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from launchyard.domain.attempt import AttemptState
from launchyard.domain.naming import Owner
from launchyard.domain.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """What finds a running thing on its target again, complete in itself.

    `scope` says from where it can be reached (`host:<machine-id>`), `name` is the target's unique
    name, `uid` the target's own id of this very thing (for a process: boot id, pid, start time).
    """

    scope: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One create-or-adopt: whose it is, what to start, and until when it may still be started.

    `plan` is the target's own frozen and picklable plan; `secrets` are laid over its environment
    and stored nowhere; `deadline` is in seconds of CLOCK_BOOTTIME.
    """

    owner: Owner
    name: str
    labels: Mapping[str, str]
    plan: Any
    deadline: float
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """How a thing stands: PENDING, RUNNING or an end; ends carry a reason.

    `suspended` is true while the target itself holds it back (a cluster queue): it then frees its
    slot. `detail` are the target's own words, for people.
    """

    state: AttemptState
    reason: Reason | None = None
    detail: str = ""
    exit_code: int | None = None
    suspended: bool = False
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing's new standing, as a watch tells it."""

    handle: Handle
    observation: Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """A thing on a target, and whose it says it is.

    `created_ms` is since when it is there; a target that cannot tell says None, and nothing of
    unknown age is ever taken for abandoned.
    """

    handle: Handle
    owner: Owner
    created_ms: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSlice:
    """Bytes of one log source between two cursors; `end` when nothing will follow."""

    source: str
    start: int
    to: int
    data: bytes
    end: bool = False


class RunnerError(Exception):
    """The compute refused; `retry` says whether the same call may succeed later.

    A submit that is `unsure` may have been heard all the same: the answer was lost. It is repeated
    until the compute says whether it was, for another attempt would run beside this one.
    """

    def __init__(
        self, message: str, *, reason: Reason, retry: bool = False, unsure: bool = False
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry = retry
        self.unsure = unsure


class Watch(Protocol):
    """Tells about many things at once; its methods may be called from any thread.

    Promises: a handle that is added is told about at least once, at once if it is over already;
    every later change follows; an end is told exactly once and removes the handle.
    """

    def add(self, handle: Handle) -> None:
        """Begin to watch *handle*; adding it again changes nothing."""
        ...

    def discard(self, handle: Handle) -> None:
        """Stop watching *handle*, if it is watched."""
        ...

    def wait(self, timeout_s: float | None) -> Sequence[Seen]:
        """Return what changed, or nothing when *timeout_s* passes or `wake` is called.

        Only one thread waits.
        """
        ...

    def wake(self) -> None:
        """End a `wait` now."""
        ...

    def close(self) -> None:
        """Give everything back; nothing is called after this."""
        ...


class Runner(Protocol):
    """Starts attempts on one kind of compute.

    Promises, which `plugins.testkit.runner.RunnerContract` tests in every runner:

    * `submit` returns when the compute has accepted the thing; it never waits for the end.
    * `submit` of the same owner again, also in a new process, returns the first handle and starts
      nothing; it finishes what an interrupted submit began. A thing of the same name that is not
      this owner's is `NAME_TAKEN`. Past the deadline nothing is started: `DEADLINE_PASSED`.
    * `find` gives the handle of an owner's thing by its name alone, or None.
    * `observe` works from the handle alone, in any process. A handle nobody knows is an
      observation LOST with `HANDLE_UNKNOWN`, or the reason the compute gives (`HOST_REBOOTED`).
    * `cancel` returns at once, may be repeated, also before the start and after the end; the end
      shows in `observe`. After a cancel the end is CANCELLED unless the thing ended by itself.
    * `read_log` from any cursor gives the bytes that follow it, also in a new process.
    * `list_owned` finds all that was started and not removed, and nothing of others.
    * `remove` gives back what the thing holds on the target, after its end; repeating is harmless.
    * No exception but `RunnerError` leaves. Every call ends within 15 s.
    """

    def scope(self) -> str:
        """Return where this runner's handles can be reached."""
        ...

    def submit(self, launch: Launch) -> Handle:
        """Start *launch*, or adopt what is there already."""
        ...

    def find(self, owner: Owner, name: str) -> Handle | None:
        """Look up what was started as *name*, if it is *owner*'s."""
        ...

    def observe(self, handle: Handle) -> Observation:
        """Say how the thing stands now."""
        ...

    def cancel(self, handle: Handle, grace_s: float, reason: Reason) -> None:
        """Ask the thing to stop, and end it when *grace_s* have passed.

        *reason* is `CANCELLED`, `RUN_TIMEOUT` (the end is then TIMED_OUT) or `PREEMPTED`.
        """
        ...

    def watch(self) -> Watch:
        """Return a new watch."""
        ...

    def log_sources(self, handle: Handle) -> Sequence[str]:
        """Return the names of the logs that this thing writes."""
        ...

    def read_log(self, handle: Handle, source: str, start: int, most_b: int) -> LogSlice:
        """Return up to *most_b* bytes of *source* from the cursor *start* on."""
        ...

    def outputs(self, handle: Handle) -> Sequence[str]:
        """Return the local paths (relative to `output_root`) of the files left as outputs.

        Raises:
            RunnerError: with `retry` while they are still on their way here.
        """
        ...

    def output_root(self, handle: Handle) -> str:
        """Return the local folder that holds the outputs, or an empty text where there is none."""
        ...

    def list_owned(self, installation: str, agent: str) -> Sequence[Owned]:
        """Return what *agent* has on the target for *installation*, by its labels.

        That is what it started itself, in any process, and where a place belongs to one agent at a
        time also what those before it left there. What runs and what is over are both listed.
        """
        ...

    def remove(self, handle: Handle) -> None:
        """Give back what the thing holds, after its end and logs are recorded."""
        ...


@runtime_checkable
class Preparer(Protocol):
    """What a `Runner` may be besides: one that can have a start ready before it may be made."""

    def prepare(self, launch: Launch) -> None:
        """Do what a `submit` of *launch* would do first; nothing of the job may begin.

        Called while nobody knows yet whether the attempt may start, and when its lease ends, so the
        deadline means nothing. A submit may follow in milliseconds or never: what is not used soon
        the runner takes back by itself, and `find`, `list_owned` and other processes know nothing
        of it.
        """
        ...


@runtime_checkable
class LogTeller(Protocol):
    """What a `Runner` may be besides: one that says by itself when its logs go on.

    Without it each log is looked at now and then, which ten thousand silent ones make dear.
    """

    def tell_logs(self, changed: Callable[[Handle], None]) -> None:
        """Have *changed* hear of every handle that may have more than when it was last read.

        From any thread, and soon: sources that are new, bytes that came, the end of a log. What was
        never read is not told of. `read_log` then never waits: it gives what is here by now.
        """
        ...
