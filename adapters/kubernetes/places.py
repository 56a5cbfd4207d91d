"""The clusters that this process talks to, and what it keeps up with on them."""

from __future__ import annotations

import json
import threading
import time
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
_DAY_MS: Final = 86_400_000
_STALE_MS: Final = 7 * _DAY_MS
"""Far beyond any lease: an attempt that may have been started unheard is younger."""


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

    Where jobs were sent is written down, with the day, so that a new process looks for them there
    too; what is not used for long and is empty is forgotten again.
    """

    def __init__(self, config: KubernetesConfig) -> None:
        self._config, self._lock = config, threading.Lock()
        self._clusters: dict[Address, Cluster] = {}
        self._views: dict[Place, View] = {}
        self._listeners: list[Callable[[Place, str], None]] = []
        cluster = self.cluster(Address())
        self.home = Place(config.namespace or cluster.namespace, JOBS)
        self.scope = cluster.scope(self.home.namespace)
        self.file = Path(config.folder, _FILE)
        self._used = self._read()
        if self._used:
            self._write()  # with a day for each: an older release wrote none

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
            known = (self.home, *self._used)
            place = next((one for one in known if one.text == made_at), place)
        return Handle(
            scope=self.scope, name=str(meta["name"]), uid=Spot(place, str(meta["uid"])).text
        )

    @property
    def known(self) -> Sequence[Place]:
        """Every place that jobs were sent to, the agent's own first."""
        with self._lock:
            return (self.home, *self._used)

    def is_stale(self, place: Place) -> bool:
        """Tell whether nothing was sent to a place for a week; never of the agent's own."""
        with self._lock:
            return self._is_stale(place)

    def drop_stale(self, place: Place) -> None:
        """Forget a place if nothing was sent to it for a week."""
        with self._lock:
            if self._is_stale(place) and self._used.pop(place, None) is not None:
                self._write()

    def _is_stale(self, place: Place) -> bool:
        now_ms = time.time_ns() // 1_000_000
        return place != self.home and now_ms - self._used.get(place, 0) > _STALE_MS

    def _tell(self, place: Place, uid: str) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for changed in listeners:
            changed(place, uid)

    def _remember(self, place: Place) -> None:
        now_ms = time.time_ns() // 1_000_000
        with self._lock:
            if place == self.home or abs(now_ms - self._used.get(place, 0)) < _DAY_MS:
                return
            self._used[place] = now_ms
            while len(self._used) > _MOST:
                del self._used[min(self._used, key=lambda one: self._used[one])]
            self._write()

    def _write(self) -> None:
        text = json.dumps({place.text: used_ms for place, used_ms in self._used.items()})
        draft = self.file.with_suffix(".new")
        with suppress(OSError):
            draft.write_text(text)
            draft.replace(self.file)

    def _read(self) -> dict[Place, int]:
        """Return the places that are written down, and when each was last used, if that is told."""
        try:
            told = json.loads(self.file.read_text())
        except (OSError, ValueError):
            return {}
        now_ms, found = time.time_ns() // 1_000_000, dict[Place, int]()
        if isinstance(told, list):
            told = dict.fromkeys(map(str, told), now_ms)
        for text, used_ms in told.items() if isinstance(told, dict) else ():
            with suppress(ValueError, TypeError):
                found[place_of(text)] = int(used_ms)
        found.pop(self.home, None)
        return found
