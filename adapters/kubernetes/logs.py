"""The logs of a job: one for each container of each of its pods."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from launchyard.adapters.kubernetes.paths import POD_KIND, Place, Spot
from launchyard.adapters.kubernetes.places import Places
from launchyard.adapters.kubernetes.pool import Pool
from launchyard.adapters.kubernetes.standing import OVER, Standing
from launchyard.adapters.kubernetes.tail import Container, Tail
from launchyard.adapters.kubernetes.view import Entry
from launchyard.domain.naming import ATTEMPT, ITEM
from launchyard.domain.targets.kubernetes_pods import (
    ContainerSummary,
    PodSummary,
    Step,
    summarise_pod,
)
from launchyard.ports.runner import Handle, LogSlice

MAIN: Final = "main"
"""The log of the container that is the job, in the one pod of a plain job."""

_STREAMS: Final = 256
"""How many logs are followed at a time; each costs a connection and a thread."""

_ENDS: Final = 16
_OVER: Final = frozenset({"Succeeded", "Failed"})
_UNKNOWN: Final = "ContainerStatusUnknown"
"""What a node says of a container that was gone when it came back."""

_SHORT_JOB_S: Final = 1.0
"""A log is followed when its job has run for this long: one request is enough for the others."""

_NEWS_S: Final = 1.0
"""How much sooner than of its pods one may hear of a job's end: they are told of apart."""

_PATIENCE_S: Final = 5.0
_SHORT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class _Job:
    """A job and every pod of it that was ever heard of here."""

    handle: Handle
    entry: Entry | None = None
    pods: tuple[PodSummary, ...] = ()


class Logs:
    """Reads logs by source; a source is `main`, a container's name, or `<pod>.<container>`."""

    def __init__(self, places: Places, standing: Standing) -> None:
        self._places, self._standing = places, standing
        self._lock = threading.Lock()
        self._live = Pool(_STREAMS, lambda tail: tail.last)
        # What is over is read beside them, so that ends never wait for what runs.
        self._ends = Pool(_ENDS, lambda _: False)
        self._tails: dict[Container, Tail] = {}
        self._known: dict[str, _Job] = {}
        self._listed: set[str] = set()
        self._over_s: dict[str, float] = {}
        self._changed: Callable[[Handle], None] | None = None
        places.listen(self._hear)

    def tell(self, changed: Callable[[Handle], None]) -> None:
        """Have *changed* hear of every job that has more to be read; reading waits no more."""
        self._changed = changed

    def sources(self, handle: Handle) -> Sequence[str]:
        """Return the names of a job's logs as far as they are known."""
        job = self._job(handle)
        if job.entry is None:
            return (MAIN,)
        named = _named(job.entry, job.pods)
        return tuple(named) if named or not job.entry.single else (MAIN,)

    def read(self, handle: Handle, source: str, start: int, most_b: int) -> LogSlice:
        """Return what follows *start*; for a job that is over all of it comes before the end."""
        spot, job = self._places.spot(handle), self._job(handle)
        entry = job.entry
        over = entry is None or entry.found.phase in OVER or self._is_gone(handle, spot)
        if over and entry is not None and not _all_heard(job.pods):
            if self._may_hear(spot.uid):
                return LogSlice(source=source, start=start, to=start, data=b"")
            job = self._asked(spot, job)
        found = _named(entry, job.pods).get(source) if entry is not None else None
        if found is None or not _began(found[1]):
            return LogSlice(source=source, start=start, to=start, data=b"", end=over)
        pod, container = found
        key = Container(spot.place.namespace, pod.name, pod.uid, container.name)
        tail = self._tail(spot, key, start, handle)
        tail.restarts, tail.last = container.restarts, over
        if _ended_plainly(pod, container) and container.at_ms is not None:
            tail.note_over(container.at_ms)
        data = tail.take(start, most_b) or b""
        if tail.wants:
            self._ask_for(tail)
        until = time.monotonic() + (_PATIENCE_S if over and self._changed is None else 0.0)
        while not data and tail.wants and time.monotonic() < until:
            self._ask_for(tail)
            tail.wait(0.1)
            data = tail.take(start, most_b) or b""
        to, end = start + len(data), over and tail.done and not data
        if end:
            data = tail.take(start, most_b) or b""  # what came between the two looks
            to, end = start + len(data), not data
        return LogSlice(source=source, start=start, to=to, data=data, end=end)

    def forget(self, handle: Handle) -> None:
        """Keep nothing more of a job's logs."""
        spot = self._places.spot(handle)
        with self._lock:
            job = self._known.pop(spot.uid, None)
            self._listed.discard(spot.uid)
            self._over_s.pop(spot.uid, None)
            uids = {pod.uid for pod in (job.pods if job else ())}
            keys = [key for key in self._containers(job) if key in self._tails]
            gone = [self._tails.pop(key) for key in keys if key.uid in uids]
        for tail in gone:
            tail.close()

    def close(self) -> None:
        """Read nothing more."""
        self._places.unlisten(self._hear)
        for pool in (self._live, self._ends):
            pool.close()

    def _ask_for(self, tail: Tail) -> None:
        if tail.last:
            self._ends.want(tail)
        else:
            self._live.want(tail, _SHORT_JOB_S)

    def _hear(self, _: Place, uid: str) -> None:
        """Pass on that a job, or a pod of it, has news: there may be another log."""
        job = self._known.get(uid)
        if job is not None and self._changed is not None:
            self._changed(job.handle)

    def _news(self, handle: Handle) -> None:
        if self._changed is not None:
            self._changed(handle)

    def _containers(self, job: _Job | None) -> list[Container]:
        if job is None:
            return []
        space = self._places.spot(job.handle).place.namespace
        return [Container(space, p.name, p.uid, c.name) for p in job.pods for c in p.containers]

    def _tail(self, spot: Spot, key: Container, start: int, handle: Handle) -> Tail:
        """Return the tail that has, or will have, what follows *start*."""
        with self._lock:
            tail = self._tails.get(key)
            if tail is None or tail.take(start, 0) is None:
                if tail is not None:
                    tail.close()
                cluster = self._places.cluster(spot.place.address)
                tail = Tail(cluster, key, start, lambda: self._news(handle))
                self._tails[key] = tail
            return tail

    def _job(self, handle: Handle) -> _Job:
        """Return what is known of a job."""
        spot = self._places.spot(handle)
        view = self._places.view(spot.place)
        view.wait(_SHORT_S)
        entry = view.entry(spot.uid, handle.name)
        with self._lock:
            old = self._known.get(spot.uid) or _Job(handle)
            self._known[spot.uid] = old
        if entry is None and old.entry is None:
            entry = self._standing.fetch(handle)
        if entry is None:
            return old
        return self._keep(spot, _Job(handle, entry, tuple(view.sight(entry).pods)))

    def _keep(self, spot: Spot, job: _Job) -> _Job:
        """Remember a job's pods with those that were known of."""
        with self._lock:
            pods = {pod.uid: pod for pod in self._known[spot.uid].pods}
            pods |= {pod.uid: pod for pod in job.pods}
            kept = self._known[spot.uid] = _Job(job.handle, job.entry, tuple(pods.values()))
        return kept

    def _may_hear(self, uid: str) -> bool:
        """Tell whether news of an ended job's pods may still come by themselves."""
        now = time.monotonic()
        with self._lock:
            new = uid not in self._listed
            since_s = self._over_s.setdefault(uid, now)
        return self._changed is not None and new and now - since_s < _NEWS_S

    def _asked(self, spot: Spot, job: _Job) -> _Job:
        """Ask for the pods of a job that is over, once: news of them may be on their way."""
        if spot.uid in self._listed or job.entry is None:
            return job
        labels: Mapping[str, str] = job.entry.labels
        query = {"labelSelector": ",".join(f"{k}={labels.get(k, '')}" for k in (ITEM, ATTEMPT))}
        now_ms, pods = time.time_ns() // 1_000_000, []
        for page in self._places.cluster(spot.place.address).pages(
            POD_KIND.path(spot.place.namespace), query
        ):
            pods += [summarise_pod(pod, now_ms) for pod in page.get("items") or ()]
        self._listed.add(spot.uid)
        return self._keep(spot, _Job(job.handle, job.entry, tuple(pods)))

    def _is_gone(self, handle: Handle, spot: Spot) -> bool:
        view = self._places.view(spot.place)
        return view.wait(0.0) and view.entry(spot.uid, handle.name) is None


def _began(container: ContainerSummary) -> bool:
    return container.step is not Step.WAITING or container.restarts > 0


def _all_heard(pods: Sequence[PodSummary]) -> bool:
    """Tell whether there is a pod, and none that would still run by what was heard of it."""
    return bool(pods) and all(pod.phase in _OVER for pod in pods)


def _ended_plainly(pod: PodSummary, container: ContainerSummary) -> bool:
    """Tell whether the node has told of a container's only end, and nothing else befell its pod."""
    ended = container.step is Step.ENDED and container.reason != _UNKNOWN and not container.restarts
    return ended and pod.phase in _OVER and not (pod.reason or pod.disruption or pod.deleting)


def _named(
    entry: Entry, pods: Sequence[PodSummary]
) -> dict[str, tuple[PodSummary, ContainerSummary]]:
    """Return pod and container by the source's name."""
    found: dict[str, tuple[PodSummary, ContainerSummary]] = {}
    for pod in sorted(pods, key=lambda pod: (pod.created_ms or 0, pod.name)):
        main = pod.main_container
        # Without counts of pods that are known beforehand, a name must hold its pod.
        prefix = f"{pod.name.removeprefix(entry.found.name).lstrip('-')}."
        plain = entry.single and not found
        for container in [*([main] if main else []), *(c for c in pod.containers if c is not main)]:
            name = MAIN if container is main else container.name
            found[name if plain else f"{prefix}{container.name}"] = (pod, container)
    return found
