"""The local-process target: attempts as processes of this machine.

`start` begins a job, `records` is what it leaves for us and for later processes, `watch` notices
ends, and `stopping` brings them about.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from launchyard.adapters.local import machine
from launchyard.adapters.local.agenda import Agenda
from launchyard.adapters.local.ending import ending, unknown
from launchyard.adapters.local.errors import runner_errors
from launchyard.adapters.local.folders import remove_folder
from launchyard.adapters.local.guard import LogGuard
from launchyard.adapters.local.outputs import output_files
from launchyard.adapters.local.parking import Parking, clear_unused
from launchyard.adapters.local.process import Mark, Process, find_marked, hold, reap
from launchyard.adapters.local.records import Ownership, Records, Started, Wish, is_name
from launchyard.adapters.local.start import Starter
from launchyard.adapters.local.stopping import Ending, Sweeper, Target
from launchyard.adapters.local.watch import LocalWatch, Standing
from launchyard.domain.attempt import AttemptState
from launchyard.domain.naming import Owner, may_adopt
from launchyard.domain.reason import Reason
from launchyard.ports.runner import (
    Handle,
    Launch,
    LogSlice,
    Observation,
    Owned,
    RunnerError,
    Watch,
)

SOURCE = "main"
"""The one log of a job: what it and its children write to both outputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalConfig:
    """Where the runner keeps its records, and its limits.

    *root* belongs to this user alone. Logs are looked at every *log_look_s* for their length. What
    was prepared is kept for *parked_s*.
    """

    root: str
    shell: str = "/bin/sh"
    most_outputs: int = 10_000
    log_look_s: float = 10.0
    parked_s: float = 2.0


class LocalRunner:
    """A `Runner` whose compute is this machine; its methods may be called from any thread."""

    def __init__(self, config: LocalConfig) -> None:
        self._config = config
        with runner_errors("the local-process target cannot be used"):
            Path(config.root, "runs").mkdir(mode=0o700, parents=True, exist_ok=True)
            clear_unused(config.root)
            self._scope = machine.scope(config.root)
            self._boot = machine.boot_id()
        self._agenda = Agenda()
        self._parking = Parking(self._agenda, config.parked_s)
        self._starter = Starter(config.shell, self._boot, self._parking)
        self._sweeper = Sweeper(self._agenda)
        self._guard = LogGuard(self._agenda, config.log_look_s)
        self._counter = machine.oom_counter()
        self._endings: dict[str, Ending] = {}
        self._over: set[str] = set()
        """Names whose end was seen and is there to stay, until they are removed."""

    def scope(self) -> str:
        return self._scope

    def prepare(self, launch: Launch) -> None:
        with runner_errors(f"{launch.name} cannot be prepared"):
            self._starter.prepare(launch, self._records(launch.name))

    def submit(self, launch: Launch) -> Handle:
        with runner_errors(f"{launch.name} cannot be started"):
            records = self._records(launch.name)
            started = self._starter.start(launch, records)
            self._guard.add(records.log(), launch.plan.log_quota_b)
        return self._handle(launch.name, started)

    def find(self, owner: Owner, name: str) -> Handle | None:
        records = self._records(name)
        ownership = records.ownership()
        if ownership is None or not _same(ownership, owner) or name in self._parking:
            return None
        with runner_errors(f"{name} cannot be looked up"):
            started = self._starter.settled(records)
        return self._handle(name, started) if started else None

    def observe(self, handle: Handle) -> Observation:
        standing = self._look(handle)
        if standing.pidfd is not None:
            os.close(standing.pidfd)
        return standing.observation

    def cancel(self, handle: Handle, grace_s: float, reason: Reason) -> None:
        records, name = self._records_of(handle), handle.name
        if not records.there() or self._is_over(handle, records):
            return
        with runner_errors(f"{name} cannot be cancelled"):
            with suppress(FileNotFoundError):
                records.ask(Wish(reason, grace_s))
            known = self._endings.get(name)
            if known is not None:
                known.hurry(grace_s)
                return
            target, forget = lambda: self._target(handle, records), lambda: self._forget(name)
            known = Ending(target, grace_s, forget)
            self._endings[name] = known
            self._agenda.add(0, known)

    def watch(self) -> Watch:
        with runner_errors("nothing can be watched"):
            return LocalWatch(self._look)

    def log_sources(self, handle: Handle) -> Sequence[str]:  # noqa: ARG002 - each has one
        return (SOURCE,)

    def read_log(self, handle: Handle, source: str, start: int, most_b: int) -> LogSlice:
        records = self._records_of(handle)
        if source != SOURCE:
            message = f"{handle.name} has no log `{source}`; it has `{SOURCE}`"
            raise RunnerError(message, reason=Reason.HANDLE_UNKNOWN)
        over = self._is_over(handle, records)  # asked first: what follows is all there is
        data = b""
        with (
            runner_errors(f"the log of {handle.name} cannot be read"),
            suppress(FileNotFoundError),
            Path(records.log()).open("rb", buffering=0) as f,
        ):
            data = os.pread(f.fileno(), most_b, start)
        end = over and len(data) < most_b
        return LogSlice(source=source, start=start, to=start + len(data), data=data, end=end)

    def outputs(self, handle: Handle) -> Sequence[str]:
        found = self._records_of(handle).ownership()
        if found is None or not found.output:
            return ()
        with runner_errors(f"the outputs of {handle.name} cannot be listed"):
            return output_files(found.output, self._config.most_outputs, found.outputs)

    def output_root(self, handle: Handle) -> str:
        ownership = self._records_of(handle).ownership()
        return ownership.output if ownership else ""

    def list_owned(self, installation: str, agent: str) -> Sequence[Owned]:  # noqa: ARG002 - the folder is one agent's
        found: list[Owned] = []
        with runner_errors("what runs here cannot be listed"):
            names = sorted(os.listdir(f"{self._config.root}/runs"))  # noqa: PTH208 - texts are wanted
        for records in (self._records(name) for name in names if is_name(name)):
            ownership = records.ownership()
            if (
                records.name in self._parking
                or ownership is None
                or not _of(ownership, installation)
            ):
                continue
            if (started := self._starter.if_settled(records)) is not None:
                handle, since_ms = self._handle(records.name, started), records.started_ms()
                found.append(Owned(handle=handle, owner=ownership.owner, created_ms=since_ms))
        return found

    def remove(self, handle: Handle) -> None:
        records = self._records_of(handle)
        ownership = records.ownership()
        if ownership is not None and not self._is_over(handle, records):
            message = f"{handle.name} still runs; cancel it, and remove it after its end"
            raise RunnerError(message, reason=Reason.AGENT_ERROR)
        with runner_errors(f"what {handle.name} left cannot be removed"):
            if ownership is not None:
                remove_folder(ownership.folder)
            records.remove()
        self._guard.discard(records.log())
        self._sweeper.forget(handle.name)
        self._over.discard(handle.name)

    def _forget(self, name: str) -> None:
        self._endings.pop(name, None)

    def _records(self, name: str) -> Records:
        if not is_name(name):
            message = f"`{name}` is no name of an attempt on this target"
            raise RunnerError(message, reason=Reason.HANDLE_UNKNOWN)
        return Records(self._config.root, name)

    def _records_of(self, handle: Handle) -> Records:
        if handle.scope != self._scope:
            message = f"{handle.name} is on {handle.scope}, and this is {self._scope}"
            raise RunnerError(message, reason=Reason.TARGET_UNREACHABLE)
        return self._records(handle.name)

    def _handle(self, name: str, started: Started) -> Handle:
        wrapper = started.wrapper
        uid = f"{started.boot}:{wrapper.pid}:{wrapper.start}"
        return Handle(scope=self._scope, name=name, uid=uid)

    def _look(self, handle: Handle) -> Standing:
        """Say how a handle stands, with a descriptor of what lives of it."""
        records = self._records_of(handle)
        with runner_errors(f"{handle.name} cannot be looked at"):
            started = _read_uid(handle.uid) or records.started()
            rebooted = started is not None and started.boot != self._boot
            fd = None if started is None or rebooted else self._hold(records, started.wrapper)
            if fd is not None:
                at_ms = records.started_ms() or machine.now_ms()
                self._watch_log(records)
                return Standing(Observation(state=AttemptState.RUNNING, at_ms=at_ms), fd)
            if not records.there() or started is None:
                return Standing(unknown(rebooted=rebooted))
            return Standing(self._ended(records, started, rebooted=rebooted))

    def _hold(self, records: Records, wrapper: Process) -> int | None:
        """Return a pidfd of the wrapper, or of anything that outlived it before its end."""
        fd = hold(wrapper)
        if fd is not None or records.exit() is not None:
            return fd
        for survivor in self._living(records, wrapper):
            if (fd := hold(survivor)) is not None:
                return fd
        return None

    def _living(self, records: Records, wrapper: Process) -> list[Process]:
        mark = _mark(records)
        if mark is None:
            return []
        found = find_marked({records.name: mark})[records.name]
        return [one.process for one in found if one.process != wrapper]

    def _ended(self, records: Records, started: Started, *, rebooted: bool) -> Observation:
        end = ending(records, self._counter, rebooted=rebooted)
        if not rebooted:
            reap(started.wrapper)
        self._guard.discard(records.log())
        if not rebooted and end.reason is not Reason.DEADLINE_PASSED and records.started():
            # Otherwise a new start may be made here, and the sweep would end it.
            self._over.add(records.name)
            mark = _mark(records)
            if mark is not None:
                self._sweeper.add(records.name, mark)
        return end

    def _is_over(self, handle: Handle, records: Records) -> bool:
        """Tell whether nothing of it runs and nothing will, as far as can be known."""
        if handle.name in self._over:
            return True
        if not handle.uid and records.started() is None:
            return False  # a start may be on its way
        return self.observe(handle).state is not AttemptState.RUNNING

    def _target(self, handle: Handle, records: Records) -> Target | None:
        mark = _mark(records)
        started = _read_uid(handle.uid) or records.started()
        if mark is None or (started is not None and started.boot != self._boot):
            return None
        return Target(records, mark, started.wrapper if started else None)

    def _watch_log(self, records: Records) -> None:
        log = records.log()
        ownership = None if log in self._guard else records.ownership()
        if ownership is not None:
            self._guard.add(log, ownership.log_quota_b)


def _of(ownership: Ownership, installation: str) -> bool:
    """Tell whether records and labels both say that a run is of *installation*."""
    owner = ownership.owner
    return owner.installation == installation and _same(ownership, owner)


def _same(ownership: Ownership, owner: Owner) -> bool:
    return may_adopt(ownership.labels, owner.installation, owner.item, owner.attempt)


def _mark(records: Records) -> Mark | None:
    ownership = records.ownership()
    return Mark(owner=ownership.owner, leader=records.job()) if ownership else None


def _read_uid(uid: str) -> Started | None:
    """Read what `_handle` wrote, or None."""
    boot, _, rest = uid.partition(":")
    pid, _, start = rest.partition(":")
    if boot and pid.isdigit() and start.isdigit():
        return Started(boot, Process(int(pid), int(start)))
    return None
