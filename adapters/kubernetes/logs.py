"""The logs of a job: one for each container of each of its pods."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final

from launchyard.adapters.kubernetes.paths import Spot
from launchyard.adapters.kubernetes.places import Places
from launchyard.adapters.kubernetes.standing import OVER, Standing
from launchyard.adapters.kubernetes.tail import Container, Pool, Tail
from launchyard.adapters.kubernetes.view import Entry
from launchyard.domain.targets.kubernetes_pods import PodSummary, Step
from launchyard.ports.runner import Handle, LogSlice

MAIN: Final = "main"
"""The log of the container that is the job, in the one pod of a plain job."""

_STREAMS: Final = 64
_PATIENCE_S: Final = 5.0
_SHORT_S: Final = 2.0


class Logs:
    """Reads logs by source; a source is `main`, a container's name, or `<pod>.<container>`."""

    def __init__(self, places: Places, standing: Standing) -> None:
        self._places, self._standing = places, standing
        self._lock = threading.Lock()
        self._pool = Pool(_STREAMS)
        self._tails: dict[Container, Tail] = {}
        self._known: dict[str, tuple[Entry, tuple[PodSummary, ...]]] = {}

    def sources(self, handle: Handle) -> Sequence[str]:
        """Return the names of a job's logs as far as they are known."""
        entry, pods = self._job(handle)
        if entry is None:
            return (MAIN,)
        named = _named(entry, pods)
        return tuple(named) if named or not entry.single else (MAIN,)

    def read(self, handle: Handle, source: str, start: int, most_b: int) -> LogSlice:
        """Return what follows *start*; for a job that is over all of it comes before the end."""
        entry, pods = self._job(handle)
        spot = self._places.spot(handle)
        over = entry is None or entry.found.phase in OVER or self._is_gone(handle, spot)
        found = _named(entry, pods).get(source) if entry is not None else None
        if found is None:
            return LogSlice(source=source, start=start, to=start, data=b"", end=over)
        pod, container, began = found
        tail = self._tail(
            spot, Container(spot.place.namespace, pod.name, pod.uid, container), start
        )
        tail.last = over
        if began:
            self._pool.ensure(tail)
        data = tail.take(start, most_b) or b""
        until = time.monotonic() + _PATIENCE_S
        while over and began and not data and not tail.done and time.monotonic() < until:
            self._pool.ensure(tail)
            tail.wait(0.1)
            data = tail.take(start, most_b) or b""
        end = over and not data and (tail.done or not began or time.monotonic() >= until)
        to = start + len(data)
        return LogSlice(source=source, start=start, to=to, data=data, end=end)

    def forget(self, handle: Handle) -> None:
        """Keep nothing more of a job's logs."""
        spot = self._places.spot(handle)
        with self._lock:
            _, pods = self._known.pop(spot.uid, (None, ()))
            uids = {pod.uid for pod in pods}
            gone = [self._tails.pop(key) for key in list(self._tails) if key.uid in uids]
        for tail in gone:
            tail.close()

    def close(self) -> None:
        """Read nothing more."""
        self._pool.close()

    def _tail(self, spot: Spot, container: Container, start: int) -> Tail:
        """Return the tail that has, or will have, what follows *start*."""
        cluster = self._places.cluster(spot.place.address)
        with self._lock:
            tail = self._tails.get(container)
            if tail is None or tail.take(start, 0) is None:
                if tail is not None:
                    tail.close()
                tail = self._tails[container] = Tail(cluster, container, start)
            return tail

    def _job(self, handle: Handle) -> tuple[Entry | None, tuple[PodSummary, ...]]:
        """Return a job and every pod of it that was ever heard of here."""
        spot = self._places.spot(handle)
        view = self._places.view(spot.place)
        view.wait(_SHORT_S)
        entry = view.entry(spot.uid, handle.name)
        with self._lock:
            old = self._known.get(spot.uid)
        if entry is None and old is None:
            entry = self._standing.fetch(handle)
        if entry is None:
            return old or (None, ())
        pods = {pod.uid: pod for pod in (old[1] if old else ())}
        pods |= {pod.uid: pod for pod in view.sight(entry).pods}
        known = (entry, tuple(pods.values()))
        with self._lock:
            self._known[spot.uid] = known
        return known

    def _is_gone(self, handle: Handle, spot: Spot) -> bool:
        view = self._places.view(spot.place)
        return view.wait(0.0) and view.entry(spot.uid, handle.name) is None


def _named(entry: Entry, pods: Sequence[PodSummary]) -> dict[str, tuple[PodSummary, str, bool]]:
    """Return pod, container and whether it has begun, by the source's name."""
    found: dict[str, tuple[PodSummary, str, bool]] = {}
    for pod in sorted(pods, key=lambda pod: (pod.created_ms or 0, pod.name)):
        main = pod.main_container
        # Without counts of pods that are known beforehand, a name must hold its pod.
        prefix = f"{pod.name.removeprefix(entry.found.name).lstrip('-')}."
        plain = entry.single and not found
        for container in [*([main] if main else []), *(c for c in pod.containers if c is not main)]:
            name = MAIN if container is main else container.name
            began = container.step is not Step.WAITING or container.restarts > 0
            whole = name if plain else f"{prefix}{container.name}"
            found[whole] = (pod, container.name, began)
    return found
