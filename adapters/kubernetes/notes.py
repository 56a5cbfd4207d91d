"""Why we ended a job: a config map beside it, which stays when the job is gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from launchyard.adapters.kubernetes.errors import NOT_FOUND, KubernetesError
from launchyard.adapters.kubernetes.paths import CONFIG_MAPS, Spot, spot_of
from launchyard.adapters.kubernetes.places import Places
from launchyard.domain.attempt import AttemptState
from launchyard.domain.naming import AGENT, INSTALLATION, label_value
from launchyard.domain.reason import Reason
from launchyard.ports.runner import Handle, Observation

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

    def put(self, handle: Handle, note: Note, labels: Mapping[str, str]) -> None:
        """Leave a note; the first one counts, and none does for a job that is put away."""
        spot = self._places.spot(handle)
        if self.has(handle) or self._is_shut(handle):
            return
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": _name(handle, spot), "labels": {**labels, NOTE: "end"}},
            "data": {
                "spot": handle.uid,
                "name": handle.name,
                "state": note.state.value,
                "reason": note.reason.value,
                "detail": note.detail,
                "at_ms": str(note.at_ms or ""),
            },
        }
        cluster = self._places.cluster(spot.place.address)
        try:
            cluster.call("POST", CONFIG_MAPS.path(spot.place.namespace), body)
        except KubernetesError as e:
            if not e.exists:
                raise
            self.read(handle)  # another process's; from now on it is known here, too
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
            if e.status != NOT_FOUND:
                raise
            return None
        note = _note(found.get("data") or {})
        if note is not None:
            self._keep(handle, note)
        return note

    def remove(self, handle: Handle) -> None:
        """Take a note away, if there is one."""
        spot = self._places.spot(handle)
        path = CONFIG_MAPS.path(spot.place.namespace, _name(handle, spot))
        try:
            self._places.cluster(spot.place.address).call("DELETE", path)
        except KubernetesError as e:
            if e.status != NOT_FOUND:
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

    def listed(self, installation: str, agent: str) -> Iterator[tuple[Handle, Mapping[str, str]]]:
        """Yield every job of an agent that has a note, with its labels."""
        words = (f"{INSTALLATION}={label_value(installation)}", f"{AGENT}={label_value(agent)}")
        query = {"labelSelector": ",".join((*words, NOTE))}
        for address, space in {(p.address, p.namespace) for p in self._places.known}:
            for page in self._places.cluster(address).pages(CONFIG_MAPS.path(space), query):
                for one in page.get("items") or ():
                    data = one.get("data") or {}
                    handle = Handle(
                        scope=self._places.scope,
                        name=str(data.get("name")),
                        uid=str(data.get("spot")),
                    )
                    if _is_spot(handle.uid):
                        if (note := _note(data)) is not None:
                            self._keep(handle, note)
                        yield handle, one["metadata"].get("labels") or {}

    def _keep(self, handle: Handle, note: Note) -> None:
        with self._lock:
            self._known[handle.uid] = note
            _trim(self._known)


def _trim(kept: dict[str, Any]) -> None:
    """Let go of the oldest."""
    while len(kept) > _MOST:
        del kept[next(iter(kept))]


def _name(handle: Handle, spot: Spot) -> str:
    return f"{handle.name}-{spot.uid[:8]}"


def _is_spot(text: str) -> bool:
    try:
        spot_of(text)
    except (ValueError, TypeError):
        return False
    return True


def _note(data: Mapping[str, Any]) -> Note | None:
    at = str(data.get("at_ms") or "")
    try:
        return Note(
            state=S(str(data.get("state"))),
            reason=Reason(str(data.get("reason"))),
            detail=str(data.get("detail") or ""),
            at_ms=int(at) if at.isdigit() else None,
        )
    except ValueError:
        return None
