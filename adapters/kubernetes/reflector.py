"""Keeping up with the objects of one kind in one namespace: a list, then a watch, for ever."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from launchyard.adapters.kubernetes.absence import lacks
from launchyard.adapters.kubernetes.client import Cluster
from launchyard.adapters.kubernetes.errors import GONE, KubernetesError
from launchyard.adapters.kubernetes.paths import Kind
from launchyard.adapters.kubernetes.stream import Stream
from launchyard.ports import events

_log = logging.getLogger(__name__)
_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 20.0
_QUICK_S: Final = 1.0

Obj = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to keep up with, and who hears of it, in the reflector's thread.

    `listed` gets all pages of a list, lazily; what is in none of them is no longer there. `told`
    gets an event's type and its object. `watch_s` is how long one watch goes on: nothing need be
    heard in it where the cluster gives no bookmarks. There is nothing where *kind* is not served.
    """

    path: str
    kind: Kind | None = None
    watch_s: float = 300.0
    query: dict[str, str] = field(default_factory=dict)
    listed: Callable[[Iterable[Obj]], None]
    told: Callable[[str, Obj], None]


class Reflector:
    """A list-watch in a thread of its own; a broken watch goes on where it was.

    A past that the cluster has forgotten (410) is made up for with a new list. Troubles wait
    longer and longer, never in step with other agents.
    """

    def __init__(self, cluster: Cluster, wanted: Wanted) -> None:
        self._cluster, self._wanted = cluster, wanted
        self.synced = threading.Event()
        self.error: KubernetesError | None = None
        self._closed = threading.Event()
        self._version = ""
        self._stream: Stream | None = None
        self._wait_s = _FIRST_WAIT_S
        self._thread = threading.Thread(target=self._run, name="reflector", daemon=True)

    def start(self) -> Reflector:
        """Begin; return this reflector."""
        self._thread.start()
        return self

    def close(self) -> None:
        """End it, and wait a moment for that."""
        self._closed.set()
        if self._stream is not None:
            self._stream.cut()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(2.0)

    def _run(self) -> None:
        while not self._closed.is_set():
            began = time.monotonic()
            try:
                if not self._version:
                    self._list()
                self._watch()
            except KubernetesError as e:
                self._stumble(e)
            else:
                # A watch that ends at once, again and again, is no reason to hurry.
                if time.monotonic() - began < _QUICK_S:
                    self._rest(0.0)
                else:
                    self._wait_s = _FIRST_WAIT_S

    def _stumble(self, error: KubernetesError) -> None:
        if self._closed.is_set():
            return
        if error.status == GONE:
            self._version = ""
        else:
            self.error = error
            events.EVENTS_DEAF.log(_log, error=error)
        self._rest(error.retry_after_s)

    def _rest(self, at_least_s: float) -> None:
        wait_s = self._wait_s * random.uniform(0.5, 1.5)  # noqa: S311 - not for secrets
        self._closed.wait(max(wait_s, at_least_s))
        self._wait_s = min(self._wait_s * 2, _LONGEST_WAIT_S)

    def _list(self) -> None:
        kind = self._wanted.kind
        try:
            self._wanted.listed(self._pages())
        except KubernetesError as e:
            if kind is None or not lacks(self._cluster, kind, e):
                raise
            self._wanted.listed(())
        self.error = None
        self.synced.set()

    def _pages(self) -> Iterable[Obj]:
        """Yield every object; the version of the list is where the watch begins."""
        version = ""
        for page in self._cluster.pages(self._wanted.path, self._wanted.query):
            version = version or str(page["metadata"]["resourceVersion"])
            kind = str(page.get("kind", "")).removesuffix("List")
            about = {"apiVersion": page.get("apiVersion", ""), "kind": kind}
            for item in page.get("items") or ():
                # The members of a list do not say again of which kind they are.
                yield {**about, **item}
        self._version = version

    def _watch(self) -> None:
        query = {
            **self._wanted.query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(round(self._wanted.watch_s * random.uniform(0.8, 1.2))),  # noqa: S311
        }
        stream = self._stream = self._cluster.stream(self._wanted.path, query)
        try:
            if self._closed.is_set():
                return  # while it was begun, so that nobody cut it
            for line in stream.lines():
                if self._closed.is_set():
                    return
                self._hear(json.loads(line))
        except ValueError:
            raise KubernetesError("the cluster's events cannot be read") from None
        finally:
            stream.release()

    def _hear(self, event: Obj) -> None:
        word, found = str(event.get("type")), event.get("object") or {}
        if word == "ERROR":
            code = int(found.get("code") or 0)
            raise KubernetesError(str(found.get("message") or "the watch failed"), code)
        version = (found.get("metadata") or {}).get("resourceVersion")
        if word != "BOOKMARK":
            self._wanted.told(word, found)
        if version:
            self._version, self._wait_s, self.error = str(version), _FIRST_WAIT_S, None
