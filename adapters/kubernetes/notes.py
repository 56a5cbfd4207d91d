"""Why we ended a job: a config map beside it, which stays when the job is gone."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from launchyard.adapters.kubernetes.errors import KubernetesError
from launchyard.adapters.kubernetes.paths import CONFIG_MAPS, Place, Spot, spot_of
from launchyard.adapters.kubernetes.places import Places
from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.ports import events
from launchyard.ports.runner import Handle, Observation

_log = logging.getLogger(__name__)
S: Final = AttemptState
_STATES: Final = {Reason.RUN_TIMEOUT: S.TIMED_OUT, Reason.PREEMPTED: S.PREEMPTED}
_WORDS: Final = {Reason.PREEMPTED: "it was stopped, for its agent had to end"}
NOTE: Final = "launchyard-note"
_MOST: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """An end that was made to happen."""

    state: AttemptState
    reason: Reason
    detail: str = ""
    at_ms: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    """The job's own."""

    def observation(self) -> Observation:
        """Return the end as the port tells it."""
        return Observation(
            state=self.state, reason=self.reason, detail=self.detail, at_ms=self.at_ms
        )


def wished(reason: Reason) -> Note:
    """Return the note of an end that somebody asked for."""
    return Note(
        state=_STATES.get(reason, S.CANCELLED),
        reason=reason,
        detail=_WORDS.get(reason, ""),
        at_ms=time.time_ns() // 1_000_000,
    )


class Notes:
    """Reads and writes notes; what this process has read or written it knows by itself."""

    def __init__(self, places: Places) -> None:
        self._places, self._lock = places, threading.Lock()
        self._known: dict[str, Note] = {}
        self._shut: dict[str, None] = {}
        self._unwritten: dict[str, None] = {}

    def put(self, handle: Handle, note: Note, labels: Mapping[str, str]) -> None:
        """Leave a note; the first one counts, and none does for a job that is put away.

        Where the cluster takes none, for want of a right or of quota, it is kept here alone: the
        job is not to run on for that.
        """
        spot = self._places.spot(handle)
        if self.has(handle) or self._is_shut(handle):
            return
        cluster, note = self._places.cluster(spot.place.address), replace(note, labels=labels)
        body = _config_map(handle, spot, note)
        try:
            cluster.call("POST", CONFIG_MAPS.path(spot.place.namespace), body)
        except KubernetesError as e:
            if e.exists:
                self.read(handle)  # another process's; from now on it is known here, too
            elif e.retry:
                raise
            else:
                events.NOTE_REFUSED.log(_log, name=handle.name, error=e)
                self._keep(handle, note, written=False)
        else:
            self._keep(handle, note)
        if self._is_shut(handle):
            self.remove(handle)

    def read(self, handle: Handle) -> Note | None:
        """Return the note on a job, None when there is none."""
        with self._lock:
            known = self._known.get(handle.uid)
        if known is not None:
            return known
        spot = self._places.spot(handle)
        path = CONFIG_MAPS.path(spot.place.namespace, _name(handle, spot))
        try:
            found = self._places.cluster(spot.place.address).call("GET", path)
        except KubernetesError as e:
            if not e.absent:
                raise
            return None
        note = _note(found)
        if note is not None:
            self._keep(handle, note)
        return note

    def remove(self, handle: Handle) -> None:
        """Take a note away, if there is one."""
        spot = self._places.spot(handle)
        with self._lock:
            if handle.uid in self._unwritten:
                del self._unwritten[handle.uid]
                self._known.pop(handle.uid, None)
                return
        path = CONFIG_MAPS.path(spot.place.namespace, _name(handle, spot))
        try:
            self._places.cluster(spot.place.address).call("DELETE", path)
        except KubernetesError as e:
            if not e.absent:
                raise
        with self._lock:
            self._known.pop(handle.uid, None)

    def shut(self, handle: Handle) -> None:
        """Take no more notes on a job: whoever still ends it is late, and nobody would read one."""
        with self._lock:
            self._shut[handle.uid] = None
            _trim(self._shut)

    def _is_shut(self, handle: Handle) -> bool:
        with self._lock:
            return handle.uid in self._shut

    def has(self, handle: Handle) -> bool:
        """Tell whether this process knows of a note; asks nobody."""
        with self._lock:
            return handle.uid in self._known

    def listed(self, place: Place, words: str) -> Iterator[tuple[Handle, Mapping[str, str]]]:
        """Yield every job with a note in a place's namespace that *words* select, with its labels.

        Raises:
            KubernetesError: they cannot be listed now.
        """
        path, query = CONFIG_MAPS.path(place.namespace), {"labelSelector": f"{words},{NOTE}"}
        for page in self._places.cluster(place.address).pages(path, query):
            for one in page.get("items") or ():
                data = one.get("data") or {}
                uid = str(data.get("spot"))
                handle = Handle(scope=self._places.scope, name=str(data.get("name")), uid=uid)
                if _is_spot(uid):
                    if (note := _note(one)) is not None:
                        self._keep(handle, note)
                    yield handle, one["metadata"].get("labels") or {}

    def _keep(self, handle: Handle, note: Note, *, written: bool = True) -> None:
        with self._lock:
            self._known[handle.uid] = note
            _trim(self._known)
            if not written:
                self._unwritten[handle.uid] = None
                _trim(self._unwritten)


def _trim(kept: dict[str, Any]) -> None:
    """Let go of the oldest."""
    while len(kept) > _MOST:
        del kept[next(iter(kept))]


def _config_map(handle: Handle, spot: Spot, note: Note) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _name(handle, spot), "labels": {**note.labels, NOTE: "end"}},
        "data": {
            "spot": handle.uid,
            "name": handle.name,
            "state": note.state.value,
            "reason": note.reason.value,
            "detail": note.detail,
            "at_ms": str(note.at_ms or ""),
        },
    }


def _name(handle: Handle, spot: Spot) -> str:
    return f"{handle.name}-{spot.uid[:8]}"


def _is_spot(text: str) -> bool:
    try:
        spot_of(text)
    except (ValueError, TypeError):
        return False
    return True


def _note(found: Mapping[str, Any]) -> Note | None:
    data = found.get("data") or {}
    at = str(data.get("at_ms") or "")
    try:
        return Note(
            state=S(str(data.get("state"))),
            reason=Reason(str(data.get("reason"))),
            detail=str(data.get("detail") or ""),
            at_ms=int(at) if at.isdigit() else None,
            labels=found["metadata"].get("labels") or {},
        )
    except ValueError:
        return None
