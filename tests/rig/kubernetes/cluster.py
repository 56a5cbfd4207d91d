"""What a cluster knows: its objects by kind, and every change of them in order."""

from __future__ import annotations

import json
import random
import re
import threading
import uuid
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from tests.rig.kubernetes.defaults import defaulted
from tests.rig.kubernetes.kinds import BUILT_IN, CRDS, EVENTS, JOBS, NAMESPACES, PODS, SECRETS
from tests.rig.kubernetes.objects import Obj, RefusedError, Resource, check_uid, now

FOREGROUND: Final = "foregroundDeletion"
_FIXED: Final = ("uid", "creationTimestamp", "namespace", "name", "deletionTimestamp")
_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@dataclass(frozen=True)
class Change:
    """One change of an object; `before` is what it was, for those who select by labels."""

    version: int
    type: str
    obj: Obj
    before: Obj | None
    text: str


@dataclass
class Shelf:
    """All objects of one kind, and their changes."""

    objects: dict[tuple[str, str], Obj] = field(default_factory=dict)
    versions: list[int] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


class Cluster:
    """The store behind the API; thread-safe. Objects are replaced, and never changed in place."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.version, self.oldest, self.cuts = 100, 0, 0
        self.kinds: dict[tuple[str, str, str], Resource] = {}
        self.shelves: dict[Resource, Shelf] = {}
        self.listeners: list[Callable[[Resource, Change], None]] = []
        self._owned: dict[str, dict[tuple[Resource, tuple[str, str]], None]] = {}
        for kind in BUILT_IN:
            self.add_kind(kind)
        for name in ("default", "kube-system"):
            self.create(NAMESPACES, "", {"metadata": {"name": name}})

    def add_kind(self, kind: Resource) -> None:
        """Serve another kind."""
        with self.changed:
            self.kinds[kind.group, kind.version, kind.plural] = kind
            self.shelves.setdefault(kind, Shelf())

    def get(self, kind: Resource, space: str, name: str) -> Obj:
        """Return an object, or refuse with 404."""
        found = self.shelves[kind].objects.get((space, name))
        if found is None:
            raise RefusedError(404, "NotFound", f'{kind.full} "{name}" not found')
        return found

    def look(self, kind: Resource, space: str, name: str) -> Obj | None:
        """Return an object, None when there is none."""
        return self.shelves[kind].objects.get((space, name))

    def all(self, kind: Resource, space: str = "") -> list[Obj]:
        """Return every object of a kind in the order of their names, of one namespace if named."""
        with self.changed:
            found = self.shelves[kind].objects
            return [found[key] for key in sorted(found) if space in {"", key[0]}]

    def since(self, kind: Resource, version: int) -> list[Change]:
        """Return the changes after *version*."""
        shelf = self.shelves[kind]
        return shelf.changes[bisect_right(shelf.versions, version) :]

    def compact(self) -> None:
        """Forget the past: watches and pages that begin in it are refused with 410.

        Watches that are open go on, and are told what they have not heard yet.
        """
        with self.changed:
            self.oldest = self.version + 1
            self.version += 1
            self.changed.notify_all()

    def cut(self) -> None:
        """End every watch."""
        with self.changed:
            self.cuts += 1
            self.changed.notify_all()

    def create(self, kind: Resource, space: str, given: Obj) -> Obj:
        """Create an object; return it as it now stands."""
        with self.changed:
            meta = dict(given.get("metadata") or {})
            self._check_new(kind, space, given, meta)
            meta.update(uid=str(uuid.uuid4()), creationTimestamp=now(), generation=1)
            if kind.namespaced:
                meta["namespace"] = space
            obj = {**given, "apiVersion": kind.api, "kind": kind.kind, "metadata": meta}
            obj = defaulted(kind, obj)
            self._learn(kind, obj)
            return self._put(kind, "ADDED", obj, None)

    def _check_new(self, kind: Resource, space: str, given: Obj, meta: Obj) -> None:
        if given.get("kind") not in {None, kind.kind}:
            raise RefusedError(400, "BadRequest", f"this must be of kind {kind.kind}")
        if kind.namespaced and meta.get("namespace", space) != space:
            raise RefusedError(400, "BadRequest", "the object is of another namespace")
        if kind.namespaced and ("", space) not in self.shelves[NAMESPACES].objects:
            raise RefusedError(404, "NotFound", f'namespaces "{space}" not found')
        if not meta.get("name"):
            if not meta.get("generateName"):
                raise RefusedError(422, "Invalid", f"{kind.kind} is invalid: it needs a name")
            meta["name"] = meta["generateName"] + "".join(random.choices(_LETTERS, k=5))  # noqa: S311
        if not _NAME.fullmatch(meta["name"]):
            raise RefusedError(422, "Invalid", f'{kind.kind} "{meta["name"]}" is no good name')
        if self.look(kind, space, meta["name"]) is not None:
            message = f'{kind.full} "{meta["name"]}" already exists'
            raise RefusedError(409, "AlreadyExists", message)

    def _learn(self, kind: Resource, obj: Obj) -> None:
        """Serve what a new definition defines."""
        if kind is CRDS:
            spec = obj["spec"]
            for version in spec["versions"]:
                names = spec["names"]
                self.add_kind(
                    Resource(spec["group"], version["name"], names["plural"], names["kind"])
                )

    def update(
        self, kind: Resource, space: str, name: str, change: Callable[[Obj], Obj], part: str = ""
    ) -> Obj:
        """Change an object, or its *part* `status` alone; one that stays as it was is no change."""
        with self.changed:
            old = self.get(kind, space, name)
            new = change(old)
            known, meta = old["metadata"], dict(new.get("metadata") or {})
            if meta.get("resourceVersion", known["resourceVersion"]) != known["resourceVersion"]:
                message = f'{kind.full} "{name}": the object has been modified'
                raise RefusedError(409, "Conflict", message)
            if meta.get("uid", known["uid"]) != known["uid"]:
                message = f'metadata.uid: Invalid value: "{meta["uid"]}": field is immutable'
                raise RefusedError(422, "Invalid", f'{kind.kind} "{name}" is invalid: {message}')
            if part == "status":
                new = {**old, "status": new.get("status", {})}
            else:
                meta.update({key: known[key] for key in _FIXED if key in known})
                new = {**new, "metadata": {**meta, "resourceVersion": known["resourceVersion"]}}
                if "status" in old:
                    new["status"] = old["status"]
                new["apiVersion"], new["kind"] = old["apiVersion"], old["kind"]
            if new == old:
                return old
            freed = known.get("finalizers") and not new["metadata"].get("finalizers")
            if "deletionTimestamp" in known and freed:
                dropped = self._drop(kind, new)
                self._delete_owned(known["uid"])
                return dropped
            return self._put(kind, "MODIFIED", new, old)

    def set_status(self, kind: Resource, space: str, name: str, **status: Any) -> Obj:
        """Say how an object stands, as controllers do."""
        return self.update(
            kind,
            space,
            name,
            lambda o: {**o, "status": {**o.get("status", {}), **status}},
            "status",
        )

    def delete(self, kind: Resource, space: str, name: str, options: Obj) -> Obj:
        """Delete an object, and what it owns as the options say; pods wait for their kubelet."""
        with self.changed:
            obj = self.get(kind, space, name)
            uid = obj["metadata"]["uid"]
            check_uid(options, uid)
            policy = options.get("propagationPolicy")
            policy = policy or ("Orphan" if kind is JOBS else "Background")
            finalizers = list(obj["metadata"].get("finalizers") or ())
            if policy == "Foreground" and FOREGROUND not in finalizers:
                finalizers.append(FOREGROUND)
            waits = kind is PODS and obj.get("status", {}).get("phase") in {"Running", "Pending"}
            if finalizers or waits:
                gone = {
                    "deletionTimestamp": now(),
                    "deletionGracePeriodSeconds": _grace(obj, options),
                    "finalizers": finalizers,
                }
                marked = {**obj, "metadata": {**obj["metadata"], **gone}}
                obj = self._put(kind, "MODIFIED", marked, obj)
            else:
                self._drop(kind, obj)
            if policy == "Orphan":
                self._orphan(uid)
            elif policy == "Foreground" or not (finalizers or waits):
                self._delete_owned(uid)
                self._free(uid)
            return obj

    def drop_pod(self, space: str, name: str, uid: str) -> None:
        """Take a pod away that its kubelet has ended."""
        with self.changed:
            found = self.look(PODS, space, name)
            if found is not None and found["metadata"]["uid"] == uid:
                self._drop(PODS, found)

    def owned(self, uid: str) -> list[tuple[Resource, Obj]]:
        """Return what an object owns."""
        found = ((kind, self.look(kind, *key)) for kind, key in self._owned.get(uid, {}))
        return [(kind, obj) for kind, obj in found if obj is not None]

    def _delete_owned(self, uid: str) -> None:
        for kind, obj in self.owned(uid):
            meta = obj["metadata"]
            if "deletionTimestamp" not in meta:
                self.delete(
                    kind, meta["namespace"], meta["name"], {"propagationPolicy": "Background"}
                )

    def _orphan(self, uid: str) -> None:
        for kind, obj in self.owned(uid):
            meta = {k: v for k, v in obj["metadata"].items() if k != "ownerReferences"}
            self._put(kind, "MODIFIED", {**obj, "metadata": meta}, obj)
        self._owned.pop(uid, None)

    def _free(self, uid: str) -> None:
        """Let an object go that was only waiting for what it owned."""
        if self.owned(uid):
            return
        for kind, shelf in list(self.shelves.items()):
            if kind in {PODS, EVENTS, SECRETS}:
                continue
            obj = next((o for o in shelf.objects.values() if o["metadata"]["uid"] == uid), None)
            if obj is None or FOREGROUND not in (obj["metadata"].get("finalizers") or ()):
                continue
            left = [one for one in obj["metadata"]["finalizers"] if one != FOREGROUND]
            freed = {**obj, "metadata": {**obj["metadata"], "finalizers": left}}
            if left:
                self._put(kind, "MODIFIED", freed, obj)
            else:
                self._drop(kind, freed)

    def _drop(self, kind: Resource, obj: Obj) -> Obj:
        meta = obj["metadata"]
        key = (meta.get("namespace", ""), meta["name"])
        self.shelves[kind].objects.pop(key, None)
        noted = self._note(kind, "DELETED", obj, obj)
        for uid in _owners(obj):
            self._owned.get(uid, {}).pop((kind, key), None)
            self._free(uid)
        if not self._owned.get(meta["uid"]):  # else what it owned is still to be dealt with
            self._owned.pop(meta["uid"], None)
        return noted

    def _put(self, kind: Resource, word: str, obj: Obj, before: Obj | None) -> Obj:
        meta = obj["metadata"]
        key = (meta.get("namespace", ""), meta["name"])
        noted = self.shelves[kind].objects[key] = self._note(kind, word, obj, before)
        for uid in _owners(obj):
            self._owned.setdefault(uid, {})[kind, key] = None
        return noted

    def _note(self, kind: Resource, word: str, obj: Obj, before: Obj | None) -> Obj:
        self.version += 1
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        change = Change(self.version, word, obj, before, json.dumps(obj))
        shelf = self.shelves[kind]
        shelf.versions.append(self.version)
        shelf.changes.append(change)
        for listener in self.listeners:
            listener(kind, change)
        self.changed.notify_all()
        return obj


def _grace(obj: Obj, options: Obj) -> int:
    """Return the seconds that a deleted object has to end; who deletes it again shortens them."""
    if obj["kind"] != "Pod":
        return 0
    usual = obj["spec"].get("terminationGracePeriodSeconds", 30)
    wanted = int(options.get("gracePeriodSeconds", usual))
    return int(min(wanted, obj["metadata"].get("deletionGracePeriodSeconds", wanted)))


def _owners(obj: Obj) -> list[str]:
    return [str(owner.get("uid")) for owner in obj["metadata"].get("ownerReferences") or ()]
