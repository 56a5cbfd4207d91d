"""The controller of jobs: makes their pods, counts them, and says how each job ended."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Final

from tests.rig.kubernetes.cluster import Change, Cluster
from tests.rig.kubernetes.kinds import JOBS, PODS
from tests.rig.kubernetes.objects import Obj, RefusedError, Resource, now

_OVER: Final = {"Succeeded", "Failed"}


class JobController:
    """Looks at a job whenever it or a pod of it changes; in a thread of its own."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._work: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._ended: dict[str, dict[str, bool]] = {}
        cluster.listeners.append(self._hear)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look at nothing more."""
        self._work.put(None)
        self._thread.join(10)

    def _hear(self, kind: Resource, change: Change) -> None:
        meta = change.obj["metadata"]
        if kind is JOBS and change.type != "DELETED":
            self._work.put((meta["namespace"], meta["name"]))
        elif kind is PODS:
            owner: Obj = next(iter(meta.get("ownerReferences") or ()), {})
            if owner.get("kind") == "Job":
                self._count(owner["uid"], change)
                self._work.put((meta["namespace"], owner["name"]))

    def _count(self, job: str, change: Change) -> None:
        """Note a pod's end; one that is taken away while it runs has failed."""
        phase, uid = change.obj["status"].get("phase"), change.obj["metadata"]["uid"]
        if phase in _OVER or change.type == "DELETED":
            self._ended.setdefault(job, {}).setdefault(uid, phase == "Succeeded")

    def _serve(self) -> None:
        while (key := self._work.get()) is not None:
            with contextlib.suppress(RefusedError), self._cluster.changed:
                job = self._cluster.look(JOBS, *key)
                if job is not None and "deletionTimestamp" not in job["metadata"]:
                    self._look(job)

    def _look(self, job: Obj) -> None:
        meta, spec, status = job["metadata"], job["spec"], job["status"]
        conditions = list(status.get("conditions") or ())
        if any(c["type"] in {"Complete", "Failed"} for c in conditions):
            return
        pods = [pod for _, pod in self._cluster.owned(meta["uid"])] if _began(status) else []
        pods = [pod for pod in pods if pod["kind"] == "Pod"]
        active = [p for p in pods if p["status"].get("phase") not in _OVER]
        ends = list(self._ended.get(meta["uid"], {}).values())
        good, bad = sum(ends), len(ends) - sum(ends)
        told = {"active": len(active), "succeeded": good, "failed": bad}
        if spec.get("suspend"):
            self._stop(active)
            self._ended.pop(meta["uid"], None)
            self._say(job, conditions=_with(conditions, "Suspended", "JobSuspended"), active=0)
            return
        conditions = [c for c in conditions if c["type"] != "Suspended"]
        if bad > spec["backoffLimit"]:
            self._fail(job, told, conditions, active)
        elif good >= spec["completions"]:
            conditions = _with(conditions, "SuccessCriteriaMet", "CompletionsReached")
            conditions = _with(conditions, "Complete", "CompletionsReached")
            self._say(job, **told, conditions=conditions, completionTime=now())
        else:
            self._more(job, told, conditions, min(spec["parallelism"], spec["completions"] - good))

    def _fail(self, job: Obj, told: Obj, conditions: list[Obj], active: list[Obj]) -> None:
        message = "Job has reached the specified backoff limit"
        conditions = _with(conditions, "FailureTarget", "BackoffLimitExceeded", message)
        if active:
            self._stop(active)
        else:
            conditions = _with(conditions, "Failed", "BackoffLimitExceeded", message)
        self._say(job, **told, conditions=conditions)

    def _more(self, job: Obj, told: Obj, conditions: list[Obj], wanted: int) -> None:
        """Make the pods that are missing."""
        missing = wanted - told["active"]
        told = {**told, "active": told["active"] + max(missing, 0)}
        started = job["status"].get("startTime") or now()
        self._say(job, **told, conditions=conditions, startTime=started)
        meta, template = job["metadata"], job["spec"]["template"]
        owner = {
            "apiVersion": JOBS.api,
            "kind": JOBS.kind,
            "name": meta["name"],
            "uid": meta["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        pod = {
            "metadata": {
                **template["metadata"],
                "generateName": f"{meta['name']}-",
                "ownerReferences": [owner],
            },
            "spec": template["spec"],
        }
        for _ in range(missing):
            self._cluster.create(PODS, meta["namespace"], pod)

    def _stop(self, pods: list[Obj]) -> None:
        for pod in pods:
            meta = pod["metadata"]
            if "deletionTimestamp" not in meta:
                self._cluster.delete(PODS, meta["namespace"], meta["name"], {})

    def _say(self, job: Obj, **status: object) -> None:
        meta = job["metadata"]
        self._cluster.set_status(JOBS, meta["namespace"], meta["name"], **status)


def _began(status: Obj) -> bool:
    return "startTime" in status


def _with(conditions: list[Obj], kind: str, reason: str, message: str = "") -> list[Obj]:
    """Return *conditions* and one more, if it is not among them."""
    if any(c["type"] == kind for c in conditions):
        return conditions
    new = {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": now(),
    }
    return [*conditions, new]
