"""The exec target's runner: every promise of the port in terms of four or five executables."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakSet

from launchyard.adapters.exec.answers import Standing, owner_of, read_id, read_standings
from launchyard.adapters.exec.call import Executables, NameTakenError
from launchyard.adapters.exec.watch import Pace, PollWatch
from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.naming import AGENT, INSTALLATION, Owner, label_value, may_adopt
from launchyard.domain.reason import Reason
from launchyard.domain.targets.exec import ExecPlan
from launchyard.ports.runner import (
    Handle,
    Launch,
    LogSlice,
    Observation,
    Owned,
    RunnerError,
    Watch,
)

SOURCE: Final = "main"
_UNKNOWN: Final = Observation(state=AttemptState.LOST, reason=Reason.HANDLE_UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecConfig:
    """The executables, where what they start can be reached, and how often to ask for it."""

    executables: Executables
    scope: str
    pace: Pace = field(default_factory=Pace)


class ExecRunner:
    """A `Runner` that keeps nothing: what there is, the `status` executable knows."""

    def __init__(self, config: ExecConfig) -> None:
        self._scope, self._pace = config.scope, config.pace
        self._call = config.executables
        self._watches: WeakSet[PollWatch] = WeakSet()

    def scope(self) -> str:
        return self._scope

    def submit(self, launch: Launch) -> Handle:
        known = self._adopt(launch)
        if known is not None:
            return known
        plan = self._planned(launch)
        left_s = launch.deadline - time.clock_gettime(time.CLOCK_BOOTTIME)
        if left_s <= 0:
            text = f"{launch.name} was not started: the lease ended before"
            raise RunnerError(text, reason=Reason.DEADLINE_PASSED, retry=True)
        labels: dict[str, Json] = dict(launch.labels)
        document: dict[str, Json] = {
            "name": launch.name,
            "labels": labels,
            "plan": plan,
            "secrets": dict(launch.secrets),
            "seconds_left": round(left_s, 3),
        }
        words = {
            **_words(launch.plan, launch.name),
            "labels": _line(labels),
            "seconds_left": f"{left_s:.3f}",
        }
        try:
            uid = read_id(self._call.ask("submit", document, words))
        except NameTakenError as e:
            return self._taken(launch, str(e))
        return self._handle(launch.name, uid)

    def find(self, owner: Owner, name: str) -> Handle | None:
        found = self._standings([(name, "")]).get(name)
        if found is None or found.created or not _is_of(found, owner):
            return None
        return self._handle(name, found.id)

    def observe(self, handle: Handle) -> Observation:
        return self._look((handle,))[handle]

    def cancel(self, handle: Handle, grace_s: float, reason: Reason) -> None:
        seen = self._here(handle)
        if seen is not None and seen.state not in ENDS:
            self._stop(handle, reason.value, grace_s)
            for watch in self._watches:
                watch.hurry()

    def watch(self) -> Watch:
        watch = PollWatch(self._look, self._pace)
        self._watches.add(watch)
        return watch

    def log_sources(self, handle: Handle) -> Sequence[str]:  # noqa: ARG002 - each has the same
        return (SOURCE,) if "logs" in self._call.files else ()

    def read_log(self, handle: Handle, source: str, start: int, most_b: int) -> LogSlice:
        if source not in self.log_sources(handle):
            raise RunnerError(f"there is no log `{source}`", reason=Reason.HANDLE_UNKNOWN)
        seen = self._here(handle)  # asked first: what follows is all there is
        over = seen is None or seen.state in ENDS
        document: dict[str, Json] = {
            "name": handle.name,
            "id": handle.uid,
            "source": source,
            "from": start,
            "most": most_b,
        }
        words = {"name": handle.name, "id": handle.uid, "from": str(start), "most": str(most_b)}
        data = self._call.run("logs", document, words)[:most_b] if seen is not None else b""
        end = over and len(data) < most_b
        return LogSlice(source=source, start=start, to=start + len(data), data=data, end=end)

    def outputs(self, handle: Handle) -> Sequence[str]:  # noqa: ARG002 - none has any
        return ()

    def output_root(self, handle: Handle) -> str:  # noqa: ARG002 - none has any
        return ""

    def list_owned(self, installation: str, agent: str) -> Sequence[Owned]:
        found = self._standings((), every=True)
        return tuple(
            Owned(handle=self._handle(name, one.id), owner=owner_of(one.labels, installation))
            for name, one in found.items()
            if one.labels.get(INSTALLATION) == label_value(installation)
            and one.labels.get(AGENT) == label_value(agent)
        )

    def remove(self, handle: Handle) -> None:
        seen = self._here(handle)
        if seen is None:
            return
        if seen.state not in ENDS:
            text = f"{handle.name} still runs; cancel it, and remove it after its end"
            raise RunnerError(text, reason=Reason.AGENT_ERROR)
        self._stop(handle, "remove", 0.0)

    def _planned(self, launch: Launch) -> Json:
        """Have the plan made; it is made anew with each submit, and changes nothing."""
        plan: ExecPlan = launch.plan
        return self._call.ask("plan", plan.request, _words(plan, launch.name))

    def _adopt(self, launch: Launch) -> Handle | None:
        """Return the handle of what is there already, None when it is still to be started."""
        found = self._standings([(launch.name, "")]).get(launch.name)
        if found is None:
            return None
        if not _is_of(found, launch.owner):
            text = f"{launch.name} is there already and is not this attempt's"
            raise RunnerError(text, reason=Reason.NAME_TAKEN)
        return None if found.created else self._handle(launch.name, found.id)

    def _taken(self, launch: Launch, said: str) -> Handle:
        """Return what somebody else started for the same attempt in between."""
        found = self._adopt(launch)
        if found is None:
            raise RunnerError(said, reason=Reason.SUBMIT_FAILED, retry=True)
        return found

    def _stop(self, handle: Handle, reason: str, grace_s: float) -> None:
        document: dict[str, Json] = {
            "name": handle.name,
            "id": handle.uid,
            "reason": reason,
            "grace_s": grace_s,
        }
        words = {"name": handle.name, "id": handle.uid, "reason": reason, "grace_s": f"{grace_s}"}
        try:
            self._call.run("cancel", document, words)
        except NameTakenError as e:
            raise RunnerError(str(e), reason=Reason.SUBMIT_FAILED) from None

    def _here(self, handle: Handle) -> Observation | None:
        """Return how *handle* stands, None when it is not there."""
        seen = self._look((handle,))[handle]
        return None if seen.reason is Reason.HANDLE_UNKNOWN else seen

    def _look(self, handles: Collection[Handle]) -> Mapping[Handle, Observation]:
        for handle in handles:
            if handle.scope != self._scope:
                text = f"{handle.name} is on {handle.scope}, and this is {self._scope}"
                raise RunnerError(text, reason=Reason.TARGET_UNREACHABLE)
        found = self._standings([(handle.name, handle.uid) for handle in handles])
        return {handle: _seen(found.get(handle.name), handle) for handle in handles}

    def _standings(
        self, jobs: Sequence[tuple[str, str]], *, every: bool = False
    ) -> Mapping[str, Standing]:
        listed: list[Json] = [{"name": name, "id": uid} for name, uid in jobs]
        words = {"names": "\n".join(name for name, _ in jobs), "all": "1" if every else ""}
        document: dict[str, Json] = {"jobs": listed, "all": every}
        try:
            return read_standings(self._call.ask("status", document, words))
        except NameTakenError as e:
            raise RunnerError(str(e), reason=Reason.SUBMIT_FAILED) from None

    def _handle(self, name: str, uid: str) -> Handle:
        return Handle(scope=self._scope, name=name, uid=uid)


def _seen(found: Standing | None, handle: Handle) -> Observation:
    if found is None or (handle.uid and found.id != handle.uid):
        return _UNKNOWN
    return found.observation


def _is_of(found: Standing, owner: Owner) -> bool:
    return may_adopt(found.labels, owner.installation, owner.item, owner.attempt)


def _words(plan: ExecPlan, name: str) -> dict[str, str]:
    """Return what a shell script needs of a plan, ready to be used."""
    exports = "\n".join(f"export {key}={shlex.quote(value)}" for key, value in plan.env.items())
    short = {"name": name, "command": shlex.join(plan.command), "image": plan.image}
    # The kernel takes no longer variables; the document has it all.
    room = os.sysconf("SC_PAGE_SIZE") * 31
    return {**short, **({"exports": exports} if len(exports) < room else {})}


def _line(document: Mapping[str, Json]) -> str:
    return json.dumps(document, separators=(",", ":"), sort_keys=True)
