"""The clusters that this process talks to, and what it keeps up with on them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from launchyard.adapters.kubernetes.client import Cluster
from launchyard.adapters.kubernetes.paths import JOBS, Address, Kind, Place, Spot, place_of, spot_of
from launchyard.adapters.kubernetes.view import View
from launchyard.domain.reason import Reason
from launchyard.domain.targets.kubernetes_kinds import KINDS, KindRow
from launchyard.domain.targets.kubernetes_plan import KubernetesPlan
from launchyard.ports.runner import Handle, RunnerError

PLACE: Final = "launchyard.dev/place"
"""The annotation that says by which place an object was made."""

_FILE: Final = "places.json"
_MOST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesConfig:
    """The agent's own cluster; `folder` is the target's alone, `rows` tell of custom kinds.

    `docker_config` is the file with its logins of registries, if it has any; `code_roots` are the
    folders where it has volume claims for code.
    """

    folder: str
    address: Address = field(default_factory=Address)
    namespace: str = ""
    docker_config: str = ""
    code_roots: tuple[str, ...] = ()
    rows: tuple[KindRow, ...] = KINDS


class Places:
    """Clusters by address and views by place, each made when first needed; thread-safe.

    Where jobs were ever sent is written down, so that a new process looks for them there too.
    """

    def __init__(self, config: KubernetesConfig) -> None:
        self._config, self._lock = config, threading.Lock()
        self._clusters: dict[Address, Cluster] = {}
        self._views: dict[Place, View] = {}
        self._listeners: list[Callable[[Place, str], None]] = []
        cluster = self.cluster(Address())
        self.home = Place(config.namespace or cluster.namespace, JOBS)
        self.scope = cluster.scope(self.home.namespace)
        self._known = [self.home, *(one for one in self._read() if one != self.home)]

    def close(self) -> None:
        """Hear nothing more, and give connections back."""
        for view in self._views.values():
            view.close()
        for cluster in self._clusters.values():
            cluster.close()

    def cluster(self, address: Address) -> Cluster:
        """Return a cluster's API."""
        with self._lock:
            known = self._clusters.get(address)
        if known is None:
            made = Cluster(self._config.address if address == Address() else address)
            with self._lock:
                known = self._clusters.setdefault(address, made)
        return known

    def view(self, place: Place) -> View:
        """Return what is known of a place, kept up with from now on."""
        cluster = self.cluster(place.address)
        with self._lock:
            known = self._views.get(place)
            if known is None:
                known = View(cluster, place.namespace, place.kind, self._config.rows)
                known.listen(lambda uid: self._tell(place, uid))
                self._views[place] = known.start()
        return known

    def listen(self, changed: Callable[[Place, str], None]) -> None:
        """Have *changed* hear of every job that has news."""
        with self._lock:
            self._listeners.append(changed)

    def unlisten(self, changed: Callable[[Place, str], None]) -> None:
        """Tell *changed* nothing more."""
        with self._lock:
            self._listeners.remove(changed)

    def place_for(self, plan: KubernetesPlan) -> Place:
        """Return where a plan's object belongs, and write the place down.

        Raises:
            KubernetesError: the cluster does not answer, or has no such kind.
        """
        wanted, mine = plan.cluster, self._config
        address = Address(wanted.kubeconfig, wanted.context)
        if address in {Address(), mine.address}:
            address = Address()
        cluster = self.cluster(address)
        own = self.home.namespace if address == Address() else cluster.namespace
        api, kind = str(plan.document["apiVersion"]), str(plan.document["kind"])
        group, _, version = api.rpartition("/")
        found = JOBS
        if (api, kind) != ("batch/v1", "Job"):
            found = Kind(group, version, cluster.plural(api, kind))
        place = Place(wanted.namespace or own, found, address)
        self._remember(place)
        return place

    def spot(self, handle: Handle) -> Spot:
        """Return where a handle's object is.

        Raises:
            RunnerError: it is out of this agent's reach.
        """
        if handle.scope != self.scope:
            message = f"{handle.name} is on {handle.scope}, and this is {self.scope}"
            raise RunnerError(message, reason=Reason.TARGET_UNREACHABLE)
        try:
            return spot_of(handle.uid)
        except (ValueError, TypeError):
            message = f"{handle.uid} names no object of a cluster"
            raise RunnerError(message, reason=Reason.HANDLE_UNKNOWN) from None

    def handle(self, place: Place, found: Mapping[str, Any]) -> Handle:
        """Return the handle of an object that was met at *place*.

        Queues may name one cluster in several ways; an object keeps the way it was made in, so it
        has one handle wherever it is met.
        """
        meta = found["metadata"]
        made_at = (meta.get("annotations") or {}).get(PLACE, "")
        with self._lock:
            place = next((one for one in self._known if one.text == made_at), place)
        return Handle(
            scope=self.scope, name=str(meta["name"]), uid=Spot(place, str(meta["uid"])).text
        )

    @property
    def known(self) -> Sequence[Place]:
        """Every place that jobs were sent to, the agent's own first."""
        with self._lock:
            return tuple(self._known)

    def _tell(self, place: Place, uid: str) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for changed in listeners:
            changed(place, uid)

    def _remember(self, place: Place) -> None:
        with self._lock:
            if place in self._known:
                return
            self._known = [*self._known[:_MOST], place]
            text = json.dumps([one.text for one in self._known])
        path = Path(self._config.folder, _FILE)
        draft = path.with_suffix(".new")
        with suppress(OSError):
            draft.write_text(text)
            draft.replace(path)

    def _read(self) -> list[Place]:
        try:
            told = json.loads(Path(self._config.folder, _FILE).read_text())
            return [place_of(str(text)) for text in told]
        except (OSError, ValueError, TypeError):
            return []
