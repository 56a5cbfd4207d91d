"""Jobs that wait for what runs beside them: asked for now and then, and let go."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from launchyard.adapters.kubernetes.client import Cluster
from launchyard.adapters.kubernetes.errors import CONFLICT, KubernetesError
from launchyard.adapters.kubernetes.paths import Kind, Spot
from launchyard.adapters.kubernetes.places import Places
from launchyard.domain.targets.kubernetes_ready import HELD, Beside, Hold, unready
from launchyard.ports.runner import Handle

AGAIN_S: Final = 1.0
"""How long after a look the next one is due; one that comes much sooner gets the last answer."""

_ABSENT_S: Final = 30.0
_SLICES: Final = Kind("discovery.k8s.io", "v1", "endpointslices")
_SLICE_OF: Final = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is still missing, in words; *over* when nobody should wait any longer."""

    words: str
    over: bool = False


class Holds:
    """Asks for what jobs wait for, each about once a second, and lets the jobs go; thread-safe.

    The time that a job may wait begins when this process first hears of it.
    """

    def __init__(self, places: Places) -> None:
        self._places, self._lock = places, threading.Lock()
        self._began: dict[str, float] = {}
        self._last: dict[str, tuple[float, Waiting]] = {}

    def look(self, handle: Handle, hold: Hold) -> Waiting:
        """Return what a job still waits for, with no words once it has been let go.

        Raises:
            KubernetesError: the cluster refuses to let it go.
        """
        now = time.monotonic()
        with self._lock:
            began = self._began.setdefault(handle.uid, now)
            asked, last = self._last.get(handle.uid, (float("-inf"), Waiting("")))
        if now - asked < AGAIN_S / 2:
            return last
        waiting = self._ask(self._places.spot(handle), hold, now - began)
        if not waiting.words:
            self._release(handle, hold)
        with self._lock:
            self._last[handle.uid] = (now, waiting)
        return waiting

    def forget(self, handle: Handle) -> None:
        """Drop what is known of a job."""
        with self._lock:
            self._began.pop(handle.uid, None)
            self._last.pop(handle.uid, None)

    def _ask(self, spot: Spot, hold: Hold, waited_s: float) -> Waiting:
        cluster, space = self._places.cluster(spot.place.address), spot.place.namespace
        for one in hold.beside:
            try:
                found = cluster.call("GET", f"{_kind(cluster, one).path(space, one.name)}")
                words = unready(found, _slices(cluster, space, found))
            except KubernetesError as e:
                words = "it is not there" if e.absent else str(e)
                if e.absent and waited_s >= _ABSENT_S:
                    # An agent that died while it made them, or somebody took it away.
                    return Waiting(f"{one}: {words}", over=True)
            if words:
                late = hold.wait_s is not None and waited_s >= hold.wait_s
                return Waiting(f"{one}: {words}", over=late)
        return Waiting("")

    def _release(self, handle: Handle, hold: Hold) -> None:
        spot = self._places.spot(handle)
        path = spot.place.kind.path(spot.place.namespace, handle.name)
        meta = {"uid": spot.uid, "annotations": {HELD: None}}
        body = {"metadata": meta, "spec": hold.released}
        try:
            self._places.cluster(spot.place.address).call("PATCH", path, body)
        except KubernetesError as e:
            # It went, or another took its name; its watcher hears of it.
            if not e.absent and not e.replaced and e.status != CONFLICT:
                raise


def _kind(cluster: Cluster, one: Beside) -> Kind:
    group, _, version = one.api.rpartition("/")
    return Kind(group, version, cluster.plural(one.api, one.kind))


def _slices(cluster: Cluster, space: str, found: Mapping[str, Any]) -> list[Any]:
    if found.get("kind") != "Service" or not (found.get("spec") or {}).get("selector"):
        return []
    query = {"labelSelector": f"{_SLICE_OF}={found['metadata']['name']}"}
    return list(cluster.call("GET", _SLICES.path(space), query=query).get("items") or ())
