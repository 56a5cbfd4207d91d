"""What is known of the jobs of one kind in one namespace: summaries, kept current by watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from launchyard.adapters.kubernetes.client import Cluster
from launchyard.adapters.kubernetes.errors import KubernetesError
from launchyard.adapters.kubernetes.paths import EVENT_KIND, POD_KIND, Kind
from launchyard.adapters.kubernetes.reflector import Reflector, Wanted
from launchyard.domain.naming import AGENT, ATTEMPT, INSTALLATION, ITEM
from launchyard.domain.targets.kubernetes_kinds import KindRow
from launchyard.domain.targets.kubernetes_objects import (
    EventSummary,
    ObjectSummary,
    summarise_event,
    summarise_object,
)
from launchyard.domain.targets.kubernetes_pods import PodSummary, summarise_pod
from launchyard.domain.targets.kubernetes_ready import HELD, Hold, hold_of, is_suspended
from launchyard.domain.targets.kubernetes_status import Grace, Sight

GRACE: Final = "launchyard.dev/grace"
"""The annotation that says how long its troubles are borne, in seconds: start and schedule."""

_MOST_PODS: Final = 50
_MOST_EVENTS: Final = 500
_EVENTS_S: Final = 60.0
"""How long a watch of events goes on: clusters give no bookmarks there, and a silence means a
connection that is gone."""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One job: its summary, our labels, how patient it is, and whether it has one pod at most.

    `held` is what it waits for beside it, as its annotation says, while it is suspended.
    """

    found: ObjectSummary
    labels: Mapping[str, str] = field(default_factory=dict)
    grace: Grace = field(default_factory=Grace)
    single: bool = True
    held: Hold | None = None


def entry_of(obj: Mapping[str, Any], rows: tuple[KindRow, ...]) -> Entry:
    """Return what is to be kept of a job, as the API gives it."""
    meta, spec = obj.get("metadata") or {}, obj.get("spec") or {}
    labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    start_s, _, schedule_s = str(notes.get(GRACE, "")).partition(",")
    usual = Grace()
    plain = obj.get("kind") == "Job" and str(obj.get("apiVersion", "")).startswith("batch/")
    one = all(spec.get(key) in {None, 1} for key in ("parallelism", "completions"))
    return Entry(
        found=summarise_object(dict(obj), rows),
        labels={
            key: str(labels[key]) for key in (INSTALLATION, ITEM, ATTEMPT, AGENT) if key in labels
        },
        grace=replace(
            usual,
            start_s=_seconds(start_s, usual.start_s),
            schedule_s=_seconds(schedule_s, usual.schedule_s),
        ),
        single=plain and one and spec.get("backoffLimit") == 0,
        held=_held(obj, str(notes.get(HELD, ""))),
    )


def _held(obj: Mapping[str, Any], annotation: str) -> Hold | None:
    hold = hold_of(annotation) if annotation else None
    return hold if hold is not None and is_suspended(obj, hold.suspend) else None


class View:
    """Jobs and their pods as last heard of; thread-safe. *changed* hears which uid has news.

    Pods that were taken away are kept while their job is there: they know why it failed. Events
    are heard only once somebody asks for them.
    """

    def __init__(
        self, cluster: Cluster, namespace: str, kind: Kind, rows: tuple[KindRow, ...]
    ) -> None:
        self._cluster, self._namespace, self._kind, self._rows = cluster, namespace, kind, rows
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] = {}
        self._uids: dict[Key, str] = {}
        self._pods: dict[Key, dict[str, PodSummary]] = {}
        self._events: dict[str, dict[str, EventSummary]] = {}
        self._listeners: list[Callable[[str], None]] = []
        ours = {"labelSelector": ITEM}
        path = kind.path(namespace)
        self._jobs = Reflector(
            cluster, Wanted(path=path, kind=kind, query=ours, listed=self._listed, told=self._told)
        )
        path = POD_KIND.path(namespace)
        self._some = Reflector(
            cluster, Wanted(path=path, query=ours, listed=self._pods_listed, told=self._pod_told)
        )
        self._words: Reflector | None = None

    def start(self) -> View:
        """Begin to keep up; return this view."""
        # Pods first: when a job's end is heard, what its pod said is known.
        self._some.start()
        self._jobs.start()
        return self

    def close(self) -> None:
        """Hear nothing more."""
        for one in (self._jobs, self._some, self._words):
            if one is not None:
                one.close()

    def listen(self, changed: Callable[[str], None]) -> None:
        """Have *changed* hear of the uid of every job that has news; in a reflector's thread."""
        with self._lock:
            self._listeners.append(changed)

    def unlisten(self, changed: Callable[[str], None]) -> None:
        """Tell *changed* nothing more."""
        with self._lock:
            self._listeners.remove(changed)

    def wait(self, timeout_s: float) -> bool:
        """Wait until everything is known once; tell whether it is."""
        until = time.monotonic() + timeout_s
        found = self._jobs.synced.wait(timeout_s)
        return found and self._some.synced.wait(max(until - time.monotonic(), 0))

    @property
    def error(self) -> KubernetesError | None:
        """What keeps it from hearing, if anything does."""
        return self._jobs.error or self._some.error

    def entry(self, uid: str, name: str) -> Entry | None:
        """Return what is known of a job."""
        with self._lock:
            entry = self._entries.get(uid)
        return entry if entry is not None and entry.found.name == name else None

    def sight(self, entry: Entry) -> Sight:
        """Return a job with its pods and events."""
        key = _key(entry.found)
        with self._lock:
            pods = tuple(self._pods.get(key, {}).values())
            uids = (entry.found.uid, *(pod.uid for pod in pods))
            told = [e for uid in uids for e in self._events.get(uid, {}).values()]
        return Sight(found=entry.found, pods=pods, events=tuple(told))

    def hear_events(self) -> None:
        """Hear warnings of the namespace from now on, with those that are there."""
        with self._lock:
            if self._words is not None:
                return
            wanted = Wanted(
                path=EVENT_KIND.path(self._namespace),
                query={"fieldSelector": "type=Warning"},
                watch_s=_EVENTS_S,
                listed=self._events_listed,
                told=self._event_told,
            )
            self._words = Reflector(self._cluster, wanted)
        self._words.start()

    def _listed(self, objects: Iterable[Mapping[str, Any]]) -> None:
        seen: set[str] = set()
        for obj in objects:
            entry = entry_of(obj, self._rows)
            seen.add(entry.found.uid)
            self._news(entry)
        with self._lock:
            gone = [uid for uid in self._entries if uid not in seen]
        for uid in gone:
            self._gone(uid)

    def _told(self, word: str, obj: Mapping[str, Any]) -> None:
        entry = entry_of(obj, self._rows)
        if word == "DELETED":
            self._gone(entry.found.uid)
        else:
            self._news(entry)

    def _news(self, entry: Entry) -> None:
        with self._lock:
            if self._entries.get(entry.found.uid) == entry:
                return
            self._keep(entry)
        self._tell(entry.found.uid)

    def _gone(self, uid: str) -> None:
        with self._lock:
            entry = self._entries.pop(uid, None)
            key = _key(entry.found) if entry is not None else None
            if key is not None and self._uids.get(key) == uid:
                del self._uids[key]
                self._pods.pop(key, None)
            self._events.pop(uid, None)
        self._tell(uid)

    def _keep(self, entry: Entry) -> None:
        self._entries[entry.found.uid] = entry
        self._uids[_key(entry.found)] = entry.found.uid

    def _pods_listed(self, objects: Iterable[Mapping[str, Any]]) -> None:
        seen: set[str] = set()
        for obj in objects:
            seen.add(str(obj["metadata"]["uid"]))
            self._pod_told("MODIFIED", obj)
        with self._lock:
            for key, pods in list(self._pods.items()):
                if key not in self._uids and not seen & pods.keys():
                    del self._pods[key]

    def _pod_told(self, word: str, obj: Mapping[str, Any]) -> None:
        with self._lock:
            key, is_news = self._keep_pod(obj)
            uid = self._uids.get(key, "")
            if word == "DELETED" and not uid:
                del self._pods[key]
        if uid and (is_news or word == "DELETED"):
            self._tell(uid)

    def _keep_pod(self, obj: Mapping[str, Any]) -> tuple[Key, bool]:
        """Keep a pod's summary; return its key, and whether it says anything new."""
        now_ms = time.time_ns() // 1_000_000
        uid = str(obj["metadata"]["uid"])
        labels = obj["metadata"].get("labels") or {}
        key = (str(labels.get(ITEM, "")), str(labels.get(ATTEMPT, "")))
        pods = self._pods.setdefault(key, {})
        before = pods.get(uid)
        now = pods[uid] = summarise_pod(dict(obj), now_ms, before)
        while len(pods) > _MOST_PODS:
            del pods[min(pods, key=lambda uid: pods[uid].created_ms or 0)]
        return key, now != before

    def _events_listed(self, objects: Iterable[Mapping[str, Any]]) -> None:
        for obj in objects:
            self._event_told("ADDED", obj)

    def _event_told(self, word: str, obj: Mapping[str, Any]) -> None:
        if word == "DELETED":
            return
        event = summarise_event(dict(obj))
        with self._lock:
            told = self._events.setdefault(event.uid, {})
            told[event.reason] = event.after(told.get(event.reason))
            while len(self._events) > _MOST_EVENTS:
                del self._events[next(iter(self._events))]
            owners = [
                self._uids.get(key, "") for key, pods in self._pods.items() if event.uid in pods
            ]
        for uid in filter(None, (event.uid, *owners)):
            self._tell(uid)

    def _tell(self, uid: str) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for changed in listeners:
            changed(uid)


def _key(found: ObjectSummary) -> Key:
    return (found.item, found.attempt)


def _seconds(text: str, usual: float) -> float:
    try:
        return float(text)
    except ValueError:
        return usual
