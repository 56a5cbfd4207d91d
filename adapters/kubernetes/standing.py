"""How a job stands: from what is kept of it, or asked of the cluster anew."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from launchyard.adapters.kubernetes.absence import lacks
from launchyard.adapters.kubernetes.errors import KubernetesError
from launchyard.adapters.kubernetes.holding import AGAIN_S, Holds
from launchyard.adapters.kubernetes.notes import Note, Notes
from launchyard.adapters.kubernetes.paths import POD_KIND, Spot
from launchyard.adapters.kubernetes.places import Places
from launchyard.adapters.kubernetes.view import Entry, View, entry_of
from launchyard.domain.attempt import AttemptState
from launchyard.domain.naming import ATTEMPT, ITEM
from launchyard.domain.reason import Reason
from launchyard.domain.targets.kubernetes_kinds import KindRow, Phase
from launchyard.domain.targets.kubernetes_pods import PodSummary, Step, summarise_pod
from launchyard.domain.targets.kubernetes_ready import Hold
from launchyard.domain.targets.kubernetes_status import GONE, Observed, Sight, cut, judge
from launchyard.ports.runner import Handle, Observation

S: Final = AttemptState
OVER: Final = frozenset({Phase.SUCCEEDED, Phase.FAILED})
_SYNC_S: Final = 2.0
_HEARD_S: Final = 1.0
"""How much later than the answer to its making one may hear of a job; else it is asked about."""

_SETTLE_MS: Final = 300
"""How long a controller may go on making pods of a job that it does not know to be gone."""

_DEAD: Final = frozenset({"Succeeded", "Failed"})
_LEAVING: Final = "it is being ended"


@dataclass(frozen=True, slots=True)
class Look:
    """How a job stands, and when to look again even if nothing is heard of it."""

    seen: Observation
    again_ms: int | None = None


class Standing:
    """Judges jobs; thread-safe. A job that never will start is ended here."""

    def __init__(self, places: Places, notes: Notes, rows: tuple[KindRow, ...]) -> None:
        self._places, self._notes, self._rows = places, notes, rows
        self.holds = Holds(places)
        self._lock = threading.Lock()
        self._begun: dict[str, float] = {}

    def begun(self, handle: Handle) -> None:
        """Note that a job was submitted just now: the view is about to hear of it."""
        now = time.monotonic()
        with self._lock:
            while self._begun and now - next(iter(self._begun.values())) > _HEARD_S:
                del self._begun[next(iter(self._begun))]
            self._begun.pop(handle.uid, None)
            self._begun[handle.uid] = now

    def comes_s(self, handle: Handle) -> float:
        """Return for how long the view may still hear of a job that it does not know."""
        with self._lock:
            return self._begun.get(handle.uid, -math.inf) + _HEARD_S - time.monotonic()

    def kept(self, handle: Handle) -> Look | None:
        """Return how a job stands by what is kept of it; None when that is not enough.

        Raises:
            KubernetesError: the cluster was not heard yet.
        """
        spot = self._places.spot(handle)
        view = self._places.view(spot.place)
        if not view.wait(_SYNC_S):
            raise view.error or KubernetesError("the cluster's jobs are not listed yet")
        entry = view.entry(spot.uid, handle.name)
        if entry is None:
            return None
        sight = view.sight(entry)
        if entry.found.phase is Phase.FAILED and not any(map(_explains, sight.pods)):
            return None
        return self._judged(handle, view, entry, sight)

    def asked(self, handle: Handle) -> Look:
        """Return how a job stands by asking the cluster."""
        spot = self._places.spot(handle)
        entry = self.fetch(handle)
        if entry is None:
            return self._gone(handle)
        view = self._places.view(spot.place)
        sight = view.sight(entry)
        if entry.found.phase is not Phase.SUCCEEDED:
            sight = replace(sight, pods=self._pods(spot, entry, sight))
        return self._judged(handle, view, entry, sight)

    def fetch(self, handle: Handle) -> Entry | None:
        """Ask for a job alone; None when it is gone."""
        spot = self._places.spot(handle)
        path = spot.place.kind.path(spot.place.namespace, handle.name)
        cluster = self._places.cluster(spot.place.address)
        try:
            found = cluster.call("GET", path)
        except KubernetesError as e:
            if not lacks(cluster, spot.place.kind, e):
                raise
            return None
        entry = entry_of(found, self._rows)
        return entry if entry.found.uid == spot.uid else None

    def end(self, handle: Handle, note: Note, labels: Mapping[str, str], grace_s: float) -> None:
        """Delete a job and its pods, leaving *note*; it is over when nothing of it is left."""
        spot = self._places.spot(handle)
        place, cluster = spot.place, self._places.cluster(spot.place.address)
        self._notes.put(handle, note, labels)
        # Foreground: the job stays to be seen until the last of its pods is gone.
        self.delete(handle, "Foreground")
        query = {"labelSelector": _selector(labels)}
        # Never 0: that drops the pod at once, while its node may go on running it.
        body = {"gracePeriodSeconds": max(math.ceil(grace_s), 1)}
        cluster.call("DELETE", POD_KIND.path(place.namespace), body, query=query)

    def delete(self, handle: Handle, policy: str) -> None:
        """Delete a job alone, if it is there; what it owns goes as *policy* says."""
        spot = self._places.spot(handle)
        place, cluster = spot.place, self._places.cluster(spot.place.address)
        options = {"propagationPolicy": policy, "preconditions": {"uid": spot.uid}}
        try:
            cluster.call("DELETE", place.kind.path(place.namespace, handle.name), options)
        except KubernetesError as e:
            # An object that has just gone has no uid any more, and that is told as a conflict.
            if not e.replaced and not lacks(cluster, place.kind, e):
                raise

    def _gone(self, handle: Handle) -> Look:
        """Return how a job ended that is not there any more; one that we end leaves no pod."""
        note = self._notes.read(handle)
        if note is None:
            return Look(_observation(GONE))
        now_ms = time.time_ns() // 1_000_000
        settled_ms = (note.at_ms or 0) + _SETTLE_MS
        if settled_ms - _SETTLE_MS <= now_ms < settled_ms:
            return Look(_leaving(note), settled_ms)
        if self._is_left(self._places.spot(handle), note):
            again_ms = now_ms + round(AGAIN_S * 1000)
            return Look(_leaving(note), again_ms)
        return Look(note.observation())

    def _is_left(self, spot: Spot, note: Note) -> bool:
        """Tell whether a pod outlived its job: its controller may have made it too late for us."""
        cluster, path = (
            self._places.cluster(spot.place.address),
            POD_KIND.path(spot.place.namespace),
        )
        query = {"labelSelector": _selector(note.labels)}
        pods = [pod for page in cluster.pages(path, query) for pod in page.get("items") or ()]
        live = [pod["metadata"] for pod in pods if pod.get("status", {}).get("phase") not in _DEAD]
        if any("deletionTimestamp" not in meta for meta in live):
            cluster.call("DELETE", path, query=query)
        return bool(live)

    def _pods(self, spot: Spot, entry: Entry, known: Sight) -> tuple[PodSummary, ...]:
        """Return a job's pods as they are now, and those that were."""
        pods = {pod.uid: pod for pod in known.pods}
        now_ms = time.time_ns() // 1_000_000
        query = {"labelSelector": _selector(entry.labels)}
        cluster = self._places.cluster(spot.place.address)
        for page in cluster.pages(POD_KIND.path(spot.place.namespace), query):
            for pod in page.get("items") or ():
                uid = str(pod["metadata"]["uid"])
                pods[uid] = summarise_pod(pod, now_ms, pods.get(uid))
        return tuple(pods.values())

    def _judged(self, handle: Handle, view: View, entry: Entry, sight: Sight) -> Look:
        note = self._notes.read(handle) if entry.found.deleting else None
        if note is not None:
            runs = any(pod.phase == "Running" for pod in sight.pods)
            return Look(_leaving(note, S.RUNNING if runs else S.PENDING))
        if entry.held is not None and entry.found.phase not in OVER:
            return self._held(handle, entry, entry.held)
        seen = judge(sight, time.time_ns() // 1_000_000, entry.grace)
        if seen.state is S.PENDING and not seen.detail and not seen.suspended:
            view.hear_events()
        if seen.hopeless and seen.reason is not None:
            note = Note(state=seen.state, reason=seen.reason, detail=seen.detail, at_ms=seen.at_ms)
            self.end(handle, note, entry.labels, 0.0)
            return Look(_leaving(note))
        return Look(_observation(seen), seen.again_ms)

    def _held(self, handle: Handle, entry: Entry, hold: Hold) -> Look:
        """Let a job go when what it waits for is ready; end it when that takes too long."""
        waiting = self.holds.look(handle, hold)
        now_ms = time.time_ns() // 1_000_000
        if waiting.over:
            detail = f"what runs beside it did not become ready: {waiting.words}"
            reason = Reason.SUBMIT_FAILED
            note = Note(state=S.FAILED, reason=reason, detail=detail, at_ms=now_ms)
            self.end(handle, note, entry.labels, 0.0)
            return Look(_leaving(note))
        detail = f"it waits for what runs beside it: {waiting.words}" if waiting.words else ""
        again_ms = now_ms + round(AGAIN_S * 1000)
        return Look(Observation(state=S.PENDING, detail=detail), again_ms)


def _leaving(note: Note, state: AttemptState = S.PENDING) -> Observation:
    """Return how a job stands that is being ended; its node may take half a minute for that."""
    detail = f"{_LEAVING}: {note.detail}" if note.detail else _LEAVING
    return Observation(state=state, detail=cut(detail))


def _explains(pod: PodSummary) -> bool:
    """Tell whether a pod says why its job failed."""
    ended = any(c.step is Step.ENDED and c.exit_code for c in pod.containers)
    return ended or bool(pod.disruption or pod.reason) or pod.phase == "Failed"


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={labels.get(key, '')}" for key in (ITEM, ATTEMPT))


def _observation(seen: Observed) -> Observation:
    return Observation(
        state=seen.state,
        reason=seen.reason,
        detail=seen.detail,
        exit_code=seen.exit_code,
        suspended=seen.suspended,
        at_ms=seen.at_ms,
    )
