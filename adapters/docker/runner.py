"""The local-container target's runner: attempts as containers of one Docker engine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from launchyard.adapters.docker.client import CONFLICT, GONE, Engine, EngineError, Image
from launchyard.adapters.docker.ending import (
    UNKNOWN,
    is_fresh,
    observation,
    runs,
)
from launchyard.adapters.docker.engine import Address, scope_of
from launchyard.adapters.docker.images import Images
from launchyard.adapters.docker.logs import Logs
from launchyard.adapters.docker.outputs import Limits, Outputs
from launchyard.adapters.docker.pruning import Pruner, Pruning
from launchyard.adapters.docker.refusals import not_created, not_started
from launchyard.adapters.docker.stopping import Stopper
from launchyard.adapters.docker.watch import DockerWatch
from launchyard.domain.naming import AGENT, ATTEMPT, INSTALLATION, ITEM, Owner, label_value
from launchyard.domain.naming import may_adopt as _may_adopt
from launchyard.domain.reason import Reason
from launchyard.domain.targets.docker import (
    OUTPUT,
    DockerPlan,
    create_request,
    wanted_outputs,
)
from launchyard.domain.targets.docker_flags import HOST
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
"""The one log of a container: both of its outputs."""

_WISH: Final = "launchyard-wish"
_FIXED: Final = "ReadonlyRootfs"
_NO_IMAGE: Final = ("no such image", "image with reference")
"""What an engine says that has no image of this name, or none of the platform."""


class DockerRunner:
    """A `Runner` whose compute is one engine; its methods may be called from any thread.

    Nothing is kept here that another process would need: whose a container is, its labels say;
    why it was asked to stop, the label of an empty volume beside it. In *folder* are copies of what
    jobs left, until it is shipped.
    """

    def __init__(
        self,
        address: Address,
        folder: str,
        limits: Limits | None = None,
        pruning: Pruning | None = None,
    ) -> None:
        self._engine = Engine(address)
        self._scope = scope_of(self._engine.identity())
        self._pruner = Pruner(self._engine, folder, pruning or Pruning())
        self._images, self._logs = Images(self._engine, self._pruner), Logs(self._engine)
        self._stopper = Stopper(self._engine)
        self._outputs = Outputs(self._engine, folder, limits or Limits())

    def scope(self) -> str:
        return self._scope

    def submit(self, launch: Launch) -> Handle:
        found = self._engine.inspect(launch.name)
        if found is None:
            _check_deadline(launch)
            made = self._made(launch)
            if made is not None:
                handle, user = made
                self._begin(launch, handle, open_to=user)
                return handle
            found = self._engine.inspect(launch.name)
            if found is None:
                raise EngineError(f"{launch.name} was there for a moment only")
        if not _is_of(found, launch.owner):
            text = f"there is a container {launch.name} already, and it is not this attempt's"
            raise RunnerError(text, reason=Reason.NAME_TAKEN)
        handle = self._handle(launch.name, found)
        if is_fresh(found) and self._wish(handle) is None:
            user = str((found.get("Config") or {}).get("User") or "")
            self._begin(launch, handle, open_to=user)
        return handle

    def find(self, owner: Owner, name: str) -> Handle | None:
        found = self._engine.inspect(name)
        if found is None or not _is_of(found, owner):
            return None
        # One that was never started is to be submitted again, which starts it.
        return None if is_fresh(found) else self._handle(name, found)

    def observe(self, handle: Handle) -> Observation:
        found = self._find(handle)
        if found is None:
            return UNKNOWN
        return observation(found, None if runs(found) else self._wish(handle))

    def cancel(self, handle: Handle, grace_s: float, reason: Reason) -> None:
        found = self._find(handle)
        if found is None or not (runs(found) or is_fresh(found)):
            return
        if self._wish(handle) is None:
            labels = {**_labels(found), _WISH: reason.value}
            self._engine.make_volume(_note(handle), labels)
            found = self._find(handle)
            if found is not None and not (runs(found) or is_fresh(found)):
                self._engine.remove_volume(_note(handle))  # it has ended by itself meanwhile
                return
        signal = "SIGKILL" if grace_s <= 0 else _stop_signal(found or {})
        self._engine.kill(handle.uid, signal)
        if signal != "SIGKILL":
            self._stopper.add(handle.uid, grace_s)

    def watch(self) -> Watch:
        return DockerWatch(self._engine, self.observe)

    def log_sources(self, handle: Handle) -> Sequence[str]:  # noqa: ARG002 - each has one
        return (SOURCE,)

    def read_log(self, handle: Handle, source: str, start: int, most_b: int) -> LogSlice:
        if source != SOURCE:
            message = f"{handle.name} has no log `{source}`; it has `{SOURCE}`"
            raise RunnerError(message, reason=Reason.HANDLE_UNKNOWN)
        found = self._find(handle)  # asked first: what follows is all there is
        over = found is None or not (runs(found) or is_fresh(found))
        data, done = self._logs.read(handle.uid, start, most_b) if found else (b"", True)
        to = start + len(data)
        return LogSlice(source=source, start=start, to=to, data=data, end=over and done)

    def outputs(self, handle: Handle) -> Sequence[str]:
        found = self._find(handle)
        ended = found is not None and not (runs(found) or is_fresh(found))
        if found is None or not ended:
            return ()
        labels = (found.get("Config") or {}).get("Labels") or {}
        return self._outputs.files(handle, OUTPUT, wanted_outputs(labels))

    def output_root(self, handle: Handle) -> str:
        return self._outputs.root(handle)

    def list_owned(self, installation: str, agent: str) -> Sequence[Owned]:
        owners = (f"{INSTALLATION}={label_value(installation)}", f"{AGENT}={label_value(agent)}")
        found: list[Owned] = []
        for one in self._engine.containers(*owners):
            labels = one.get("Labels") or {}
            name = next(iter(one.get("Names") or ()), "").lstrip("/")
            attempt = str(labels.get(ATTEMPT, ""))
            owner = Owner(
                installation=installation,
                item=str(labels.get(ITEM, "")),
                attempt=int(attempt) if attempt.isdigit() else 0,
                agent=agent,
            )
            handle = Handle(scope=self._scope, name=name, uid=str(one["Id"]))
            since_s = one.get("Created")
            since_ms = since_s * 1000 if isinstance(since_s, int) else None
            found.append(Owned(handle=handle, owner=owner, created_ms=since_ms))
        return found

    def remove(self, handle: Handle) -> None:
        found = self._find(handle)
        if found is not None:
            if runs(found):
                message = f"{handle.name} still runs; cancel it, and remove it after its end"
                raise RunnerError(message, reason=Reason.AGENT_ERROR)
            self._engine.remove(handle.uid)
        self._engine.remove_volume(_note(handle))
        self._logs.forget(handle.uid)
        self._outputs.forget(handle)

    def close(self) -> None:
        """Give the connections to the engine back; nothing more is sent to it."""
        self._stopper.close()
        self._pruner.close()
        self._engine.close()

    def _made(self, launch: Launch) -> tuple[Handle, str] | None:
        """Create the container; return it with its user, None when somebody else has it by now."""
        plan: DockerPlan = launch.plan
        ready = self._images.ensure(launch.name, plan)
        while True:
            _check_deadline(launch)
            try:
                return self._created(launch, ready.image)
            except EngineError as e:
                if e.status == CONFLICT:
                    return None
                if e.status != GONE or not any(word in str(e).lower() for word in _NO_IMAGE):
                    raise not_created(e, plan.request, self._engine) from None
                if ready.pulled or plan.pull != "missing":
                    raise RunnerError(str(e), reason=Reason.SOURCE_NOT_FOUND) from None
            # It was removed meanwhile, or is of another platform: `docker run` fetches it, too.
            ready = self._images.ensure(launch.name, plan, anew=True)

    def _created(self, launch: Launch, image: Image) -> tuple[Handle, str]:
        plan: DockerPlan = launch.plan
        request = create_request(plan, launch.labels, launch.secrets, image.workdir)
        uid = self._engine.create(launch.name, request, plan.platform)
        user = str(plan.request.get("User") or image.user)
        return Handle(scope=self._scope, name=launch.name, uid=uid), user

    def _begin(self, launch: Launch, handle: Handle, *, open_to: str) -> None:
        """Start what was created, its output folder open to the user *open_to*."""
        fixed = isinstance(host := launch.plan.request.get(HOST), dict) and host.get(_FIXED)
        # Volumes are root's; nothing can be done about it where all else may not be written to.
        if open_to.partition(":")[0] not in {"", "0", "root"} and not fixed:
            self._engine.open_folder(handle.uid, OUTPUT)
        _check_deadline(launch)
        self._start(handle)

    def _start(self, handle: Handle) -> None:
        """Start what was created; what cannot be started is removed, and tells why."""
        try:
            self._engine.start(handle.uid)
        except EngineError as e:
            if not e.status:
                e.unsure = True  # nobody knows whether it runs: the next submit finds out
                raise
            found = self._find(handle)
            if found is not None and runs(found):
                return
            self._engine.remove(handle.uid)
            raise not_started(e) from None

    def _find(self, handle: Handle) -> Mapping[str, Any] | None:
        if handle.scope != self._scope:
            message = f"{handle.name} is on {handle.scope}, and this is {self._scope}"
            raise RunnerError(message, reason=Reason.TARGET_UNREACHABLE)
        found = self._engine.inspect(handle.uid)
        return found if found and _name(found) == handle.name else None

    def _wish(self, handle: Handle) -> Reason | None:
        """Return why a container was asked to stop, None when it was not."""
        labels = self._engine.volume_labels(_note(handle))
        said = labels.get(_WISH) if labels else None
        return Reason(said) if said in {reason.value for reason in Reason} else None

    def _handle(self, name: str, found: Mapping[str, Any]) -> Handle:
        return Handle(scope=self._scope, name=name, uid=str(found["Id"]))


def _note(handle: Handle) -> str:
    """Return the name of the volume that says why a container was asked to stop."""
    return f"{handle.name}-{handle.uid[:12]}"


def _name(found: Mapping[str, Any]) -> str:
    return str(found.get("Name", "")).lstrip("/")


def _labels(found: Mapping[str, Any]) -> dict[str, str]:
    labels = (found.get("Config") or {}).get("Labels") or {}
    return {key: labels[key] for key in (INSTALLATION, ITEM, ATTEMPT, AGENT) if key in labels}


def _is_of(found: Mapping[str, Any], owner: Owner) -> bool:
    return _may_adopt(_labels(found), owner.installation, owner.item, owner.attempt)


def _stop_signal(found: Mapping[str, Any]) -> str:
    return str((found.get("Config") or {}).get("StopSignal") or "SIGTERM")


def _check_deadline(launch: Launch) -> None:
    if time.clock_gettime(time.CLOCK_BOOTTIME) >= launch.deadline:
        text = f"{launch.name} was not started: the lease ended before"
        raise RunnerError(text, reason=Reason.DEADLINE_PASSED, retry=True)
