"""Pods that are only played: they say nothing, until they are over."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from tests.rig.kubernetes.cluster import Change, Cluster
from tests.rig.kubernetes.kinds import PODS
from tests.rig.kubernetes.objects import Resource


class Silences:
    """The logs of played pods."""

    def __init__(self, cluster: Cluster) -> None:
        self._over: dict[str, threading.Event] = {}
        cluster.listeners.append(self._hear)

    def log(self, uid: str, query: dict[str, str]) -> Iterator[bytes]:
        """Yield nothing, at the pod's end if the query follows the log."""
        over = self._over.get(uid)
        if over is not None and query.get("follow") == "true":
            over.wait()
        yield from ()

    def _hear(self, kind: Resource, change: Change) -> None:
        if kind is not PODS:
            return
        uid = change.obj["metadata"]["uid"]
        if change.type == "DELETED" or change.obj["status"].get("phase") in {"Succeeded", "Failed"}:
            over = self._over.pop(uid, None)
            if over is not None:
                over.set()
        else:
            self._over.setdefault(uid, threading.Event())
