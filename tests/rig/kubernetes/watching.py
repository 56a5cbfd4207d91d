"""Lists and watches: what an API server tells of many objects."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from tests.rig.kubernetes.cluster import Change, Cluster
from tests.rig.kubernetes.kinds import EVENTS
from tests.rig.kubernetes.objects import Obj, RefusedError, Resource, field_selects, selects

_BOOKMARK_S: Final = 1.0


@dataclass
class Wanted:
    """What a request is about."""

    method: str
    query: dict[str, str]
    body: Obj
    kind: Resource
    space: str = ""
    name: str = ""
    part: str = ""

    @property
    def verb(self) -> str:
        """What it asks for, in the words that rights are written in."""
        if self.method == "GET":
            watches = self.query.get("watch") in {"1", "true"}
            return "get" if self.name else "watch" if watches else "list"
        return {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(self.method, "delete")

    def picks(self, obj: Obj) -> bool:
        """Tell whether the request's selectors pick *obj*."""
        labels = obj["metadata"].get("labels") or {}
        return selects(self.query.get("labelSelector", ""), labels) and field_selects(
            self.query.get("fieldSelector", ""), obj
        )


def page_of(cluster: Cluster, wanted: Wanted) -> str:
    """Return a page of a list; the token of the next one dies when the past is forgotten."""
    query = wanted.query
    with cluster.changed:
        version, after = cluster.version, ["", ""]
        if token := query.get("continue"):
            version, *after = json.loads(base64.urlsafe_b64decode(token))
            if version < cluster.oldest:
                raise RefusedError(410, "Expired", "the continue token is too old")
        found = cluster.all(wanted.kind, wanted.space)
    rest = (o for o in found if _key(o) > after and wanted.picks(o))
    most = int(query.get("limit") or 0) or len(found)
    # Like a real server it does not say how many are left: where it selects, it would have to look.
    page = list(islice(rest, most))
    meta: Obj = {"resourceVersion": str(version)}
    if next(rest, None) is not None:
        token = json.dumps([version, *_key(page[-1])])
        meta["continue"] = base64.urlsafe_b64encode(token.encode()).decode()
    kind = f"{wanted.kind.kind}List"
    return json.dumps(
        {"kind": kind, "apiVersion": wanted.kind.api, "metadata": meta, "items": page}
    )


def _key(obj: Obj) -> list[str]:
    return [obj["metadata"].get("namespace", ""), obj["metadata"]["name"]]


def _event(word: str, text: str) -> str:
    return f'{{"type": "{word}", "object": {text}}}\n'


def changes_of(cluster: Cluster, wanted: Wanted) -> Iterator[str]:
    """Yield what happens, as a watch tells it, until its time is over or it is cut."""
    query, kind = wanted.query, wanted.kind
    until = time.monotonic() + float(query.get("timeoutSeconds") or 1800)
    given = query.get("resourceVersion") or "0"
    with cluster.changed:
        cuts = cluster.cuts
        at = cluster.version if given == "0" else int(given)
        if given != "0" and at < cluster.oldest:
            message = f"too old resource version: {at} ({cluster.oldest})"
            yield _event("ERROR", json.dumps(RefusedError(410, "Expired", message).body))
            return
        here = cluster.all(kind, wanted.space) if given == "0" else []
    for obj in filter(wanted.picks, here):
        yield _event("ADDED", json.dumps(obj))
    # Events are in no cache of an API server, and it is the cache that gives bookmarks.
    marks = query.get("allowWatchBookmarks") == "true" and kind is not EVENTS
    told = time.monotonic()
    while cluster.cuts == cuts:
        with cluster.changed:
            new = cluster.since(kind, at)
            if not new:
                if time.monotonic() >= until:
                    return
                cluster.changed.wait(min(until - time.monotonic(), _BOOKMARK_S / 4))
                new = cluster.since(kind, at)
            at = new[-1].version if new else at
            version = cluster.version
        yield from (_event(word, c.text) for c in new if (word := _word(wanted, c)))
        if marks and not new and time.monotonic() - told > _BOOKMARK_S:
            told, at = time.monotonic(), version
            meta = {"metadata": {"resourceVersion": str(version)}}
            yield _event(
                "BOOKMARK", json.dumps({"kind": kind.kind, "apiVersion": kind.api, **meta})
            )


def _word(wanted: Wanted, change: Change) -> str:
    """Return what a change is to those who see a part of the objects; nothing if they see none."""
    if wanted.space not in {"", change.obj["metadata"].get("namespace", "")}:
        return ""
    was = change.before is not None and wanted.picks(change.before)
    if wanted.picks(change.obj):
        return change.type if was or change.type == "DELETED" else "ADDED"
    return "DELETED" if was else ""
