"""The kubernetes target's runner: attempts as Jobs, or as custom objects, of clusters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from launchyard.adapters.kubernetes import claims
from launchyard.adapters.kubernetes.listing import Listing
from launchyard.adapters.kubernetes.logins import Logins
from launchyard.adapters.kubernetes.logs import Logs
from launchyard.adapters.kubernetes.notes import Notes, wished
from launchyard.adapters.kubernetes.places import KubernetesConfig, Places
from launchyard.adapters.kubernetes.pulling import PullSecrets
from launchyard.adapters.kubernetes.standing import OVER, Standing
from launchyard.adapters.kubernetes.submitting import Submitting
from launchyard.adapters.kubernetes.watch import KubernetesWatch
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


class KubernetesRunner:
    """A `Runner` whose compute is a cluster; its methods may be called from any thread.

    Nothing is kept here that another process would need: whose a job is, its labels say; why it
    was ended, a config map beside it. What this process has not yet seen is answered from what it
    keeps up with, so that taking up ten thousand jobs costs a list and no request for each.
    """

    def __init__(self, config: KubernetesConfig) -> None:
        self._places = places = Places(config)
        self._notes = Notes(places)
        self._listing = Listing(places, self._notes)
        self._standing = Standing(places, self._notes, config.rows)
        self._submitting = Submitting(places, PullSecrets(Logins(config.docker_config)))
        self._logs = Logs(places, self._standing)
        self._code_roots = config.code_roots
        self._met: set[str] = set()

    def scope(self) -> str:
        return self._places.scope

    def submit(self, launch: Launch) -> Handle:
        try:
            handle = self._submitting.submit(launch)
        except RunnerError as e:
            if not e.retry:
                claims.remove(self._code_roots, launch.name)
            raise
        self._met.add(handle.uid)
        self._standing.begun(handle)
        return handle

    def find(self, owner: Owner, name: str) -> Handle | None:
        return self._listing.find(owner, name, self._submitting)

    def observe(self, handle: Handle) -> Observation:
        met = handle.uid in self._met
        self._met.add(handle.uid)
        look = None if met else self._standing.kept(handle)
        return (look or self._standing.asked(handle)).seen

    def cancel(self, handle: Handle, grace_s: float, reason: Reason) -> None:
        entry = self._standing.fetch(handle)
        if entry is not None and entry.found.phase not in OVER:
            self._standing.end(handle, wished(reason), entry.labels, grace_s)

    def watch(self) -> Watch:
        return KubernetesWatch(self._places, self._standing)

    def tell_logs(self, changed: Callable[[Handle], None]) -> None:
        self._logs.tell(changed)

    def log_sources(self, handle: Handle) -> Sequence[str]:
        return self._logs.sources(handle)

    def read_log(self, handle: Handle, source: str, start: int, most_b: int) -> LogSlice:
        return self._logs.read(handle, source, start, most_b)

    def outputs(self, handle: Handle) -> Sequence[str]:  # noqa: ARG002 - none has any
        return ()

    def output_root(self, handle: Handle) -> str:  # noqa: ARG002 - none has any
        return ""

    def list_owned(self, installation: str, agent: str) -> Sequence[Owned]:
        return self._listing.owned(installation, agent)

    def remove(self, handle: Handle) -> None:
        spot = self._places.spot(handle)
        entry = self._places.view(spot.place).entry(spot.uid, handle.name)
        if entry is None or entry.found.phase not in OVER:
            entry = self._standing.fetch(handle)
        if entry is not None and entry.found.phase not in OVER and not entry.found.deleting:
            message = f"{handle.name} still runs; cancel it, and remove it after its end"
            raise RunnerError(message, reason=Reason.AGENT_ERROR)
        self._notes.shut(handle)
        if entry is not None:
            self._standing.delete(handle, "Background")
        # One that nobody deleted has a note only if this process wrote it or came across it.
        if entry is None or entry.found.deleting or self._notes.has(handle):
            self._notes.remove(handle)
        self._logs.forget(handle)
        self._standing.holds.forget(handle)
        self._met.discard(handle.uid)
        claims.remove(self._code_roots, handle.name)

    def close(self) -> None:
        """Hear nothing more, and give connections back."""
        self._logs.close()
        self._places.close()
