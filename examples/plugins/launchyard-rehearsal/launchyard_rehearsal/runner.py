"""The runner: two small files for each job, from which everything else follows.

`<name>` has owner and play, and is made in one move that fails where the name is taken; the first
cancel makes `<name>.stop`. So any process can take a job up, and none has to stay.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from launchyard.adapters.exec.watch import Pace, PollWatch
from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.naming import Owner
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
from launchyard_rehearsal.play import Play, Scene, log, standing

SOURCE = "main"
_STOP = ".stop"
_UNKNOWN = Observation(state=AttemptState.LOST, reason=Reason.HANDLE_UNKNOWN)


def scope_of(folder: str) -> str:
    """Name the place: this folder of this machine."""
    machine = Path("/etc/machine-id")
    known = machine.read_text() if machine.exists() else os.uname().nodename
    return f"rehearsal:{hashlib.sha256(f'{known}{folder}'.encode()).hexdigest()[:16]}"


class RehearsalRunner:
    """A `Runner`; its methods may be called from any thread."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder, "plays")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._scope = scope_of(folder)

    def scope(self) -> str:
        """Return where handles can be reached."""
        return self._scope

    def submit(self, launch: Launch) -> Handle:
        """Begin a play, or find the one that has begun."""
        if self._record(launch.name) is None:
            if launch.deadline <= time.clock_gettime(time.CLOCK_BOOTTIME):
                text = f"{launch.name} was not begun: the lease ended before"
                raise RunnerError(text, reason=Reason.DEADLINE_PASSED, retry=True)
            self._make(launch.name, {
                "owner": asdict(launch.owner), "play": asdict(launch.plan), "began_ms": _now_ms(),
            })  # fmt: skip
        handle = self.find(launch.owner, launch.name)
        if handle is None:
            text = f"{launch.name} is there already and is not this attempt's"
            raise RunnerError(text, reason=Reason.NAME_TAKEN)
        return handle

    def find(self, owner: Owner, name: str) -> Handle | None:
        """Look up a play by its name, if it is *owner*'s."""
        record = self._record(name)
        if record is None or _attempt(_owner(record)) != _attempt(owner):
            return None
        return self._handle(name, record)

    def observe(self, handle: Handle) -> Observation:
        """Say how a play stands."""
        return self._look((handle,))[handle]

    def cancel(self, handle: Handle, grace_s: float, reason: Reason) -> None:  # noqa: ARG002
        """Stop a play; nobody in it needs time."""
        if self._record(handle.name) is not None:
            self._make(handle.name + _STOP, {"at_ms": _now_ms(), "reason": reason.value})

    def watch(self) -> Watch:
        """Return a watch that looks again and again."""
        return PollWatch(self._look, Pace(first_s=0.05, most_s=1.0))

    def log_sources(self, handle: Handle) -> Sequence[str]:  # noqa: ARG002 - each has the same
        """Return the one log's name."""
        return (SOURCE,)

    def read_log(self, handle: Handle, source: str, start: int, most_b: int) -> LogSlice:
        """Return what follows *start*."""
        over = self.observe(handle).state in ENDS  # asked first: what follows is all there is
        scene = self._scene(handle.name)
        whole = log(scene, _now_ms()) if scene is not None else b""
        data = whole[start : start + most_b]
        to = start + len(data)
        return LogSlice(source=source, start=start, to=to, data=data, end=over and to == len(whole))

    def outputs(self, handle: Handle) -> Sequence[str]:  # noqa: ARG002 - none has any
        """Return nothing: a play leaves no files."""
        return ()

    def output_root(self, handle: Handle) -> str:  # noqa: ARG002
        """Return no folder."""
        return ""

    def list_owned(self, installation: str, agent: str) -> Sequence[Owned]:  # noqa: ARG002 - one agent's folder
        """Return every play of *installation* that was not removed."""
        found: list[Owned] = []
        for path in self._folder.iterdir():
            record = self._record(path.name) if path.suffix != _STOP else None
            if record is not None and _owner(record).installation == installation:
                handle = self._handle(path.name, record)
                found.append(Owned(handle=handle, owner=_owner(record)))
        return found

    def remove(self, handle: Handle) -> None:
        """Forget a play that is over."""
        if self.observe(handle).state not in ENDS:
            raise RunnerError(f"{handle.name} still plays", reason=Reason.AGENT_ERROR)
        for name in (handle.name, handle.name + _STOP):
            (self._folder / name).unlink(missing_ok=True)

    def _look(self, handles: Collection[Handle]) -> Mapping[Handle, Observation]:
        scenes = {handle: self._scene(handle.name) for handle in handles}
        return {h: standing(s, _now_ms()) if s else _UNKNOWN for h, s in scenes.items()}

    def _scene(self, name: str) -> Scene | None:
        record, stop = self._record(name), self._record(name + _STOP)
        if record is None:
            return None
        play = Play(**{**record["play"], "lines": tuple(map(tuple, record["play"]["lines"]))})
        if stop is None:
            return Scene(play=play, began_ms=record["began_ms"])
        why = Reason(stop["reason"])
        return Scene(play=play, began_ms=record["began_ms"], stopped_ms=stop["at_ms"], why=why)

    def _handle(self, name: str, record: Mapping[str, Any]) -> Handle:
        return Handle(scope=self._scope, name=name, uid=str(record["began_ms"]))

    def _record(self, name: str) -> dict[str, Any] | None:
        try:
            record: dict[str, Any] = json.loads((self._folder / name).read_bytes())
        except FileNotFoundError:
            return None
        return record

    def _make(self, name: str, record: Mapping[str, Any]) -> None:
        """Make a file with all that is in it in one move; one that is there stays."""
        with tempfile.NamedTemporaryFile("w", dir=self._folder.parent) as file:
            json.dump(record, file)
            file.flush()
            try:
                (self._folder / name).hardlink_to(file.name)
            except FileExistsError:
                return


def _owner(record: Mapping[str, Any]) -> Owner:
    return Owner(**record["owner"])


def _attempt(owner: Owner) -> tuple[str, str, int]:
    return owner.installation, owner.item, owner.attempt


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
