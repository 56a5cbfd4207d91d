"""The controller of jobs: makes their pods, counts them, and says how each job ended."""

from __future__ import annotations

import contextlib
import queue
import threading
from datetime import UTC, datetime
from typing import Final

from tests.rig.kubernetes.cluster import Change, Cluster
from tests.rig.kubernetes.kinds import JOBS, PODS
from tests.rig.kubernetes.objects import Obj, RefusedError, Resource, now

_INDEX: Final = "batch.kubernetes.io/job-completion-index"
_OVER: Final = {"Succeeded", "Failed"}


class JobController:
    """Looks at a job whenever it or a pod of it changes; in a thread of its own."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._work: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._ended: dict[str, dict[str, bool]] = {}
        self._ruled: dict[str, str] = {}
        self._indexes: dict[str, set[str]] = {}
        self._timers: dict[str, threading.Timer] = {}
        cluster.listeners.append(self._hear)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look at nothing more."""
        for timer in self._timers.values():
            timer.cancel()
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
            if phase == "Succeeded":
                notes = change.obj["metadata"].get("annotations") or {}
                self._indexes.setdefault(job, set()).add(notes.get(_INDEX, ""))
            elif _is_disrupted(change.obj):
                self._ruled.setdefault(job, change.obj["metadata"]["name"])

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
        late = self._is_late(job)
        if late:
            message = "Job was active longer than specified deadline"
            self._fail(job, told, conditions, active, ("DeadlineExceeded", message))
        elif meta["uid"] in self._ruled and _fails_on_disruption(spec):
            name = f"{meta['namespace']}/{self._ruled[meta['uid']]}"
            message = f"Pod {name} has condition DisruptionTarget matching FailJob rule at index 0"
            self._fail(job, told, conditions, active, ("PodFailurePolicy", message))
        elif bad > spec["backoffLimit"]:
            message = "Job has reached the specified backoff limit"
            self._fail(job, told, conditions, active, ("BackoffLimitExceeded", message))
        elif good >= spec["completions"]:
            conditions = _with(conditions, "SuccessCriteriaMet", "CompletionsReached")
            conditions = _with(conditions, "Complete", "CompletionsReached")
            self._say(job, **told, conditions=conditions, completionTime=now())
        else:
            self._more(job, told, conditions, min(spec["parallelism"], spec["completions"] - good))

    def _fail(
        self,
        job: Obj,
        told: Obj,
        conditions: list[Obj],
        active: list[Obj],
        why: tuple[str, str],
    ) -> None:
        conditions = _with(conditions, "FailureTarget", *why)
        if active:
            self._stop(active)
        else:
            target = next(c for c in conditions if c["type"] == "FailureTarget")
            conditions = _with(conditions, "Failed", target["reason"], target["message"])
        self._say(job, **told, conditions=conditions)

    def _is_late(self, job: Obj) -> bool:
        """Tell whether a job's time is over; else see to it that the job is looked at then."""
        meta, limit_s = job["metadata"], job["spec"].get("activeDeadlineSeconds")
        began = job["status"].get("startTime")
        if limit_s is None or began is None:
            return False
        since = datetime.now(UTC) - datetime.fromisoformat(began)
        left_s = float(limit_s) - since.total_seconds()
        if left_s > 0 and meta["uid"] not in self._timers:
            key = (meta["namespace"], meta["name"])
            timer = threading.Timer(left_s + 0.05, self._work.put, args=(key,))
            timer.daemon = True
            self._timers[meta["uid"]] = timer
            timer.start()
        return left_s <= 0

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
        indexes = self._free_indexes(job, missing)
        for number in range(missing):
            one = _indexed(pod, indexes[number]) if indexes else pod
            self._cluster.create(PODS, meta["namespace"], one)

    def _free_indexes(self, job: Obj, count: int) -> list[str]:
        """Return the indexes of an indexed job's next pods: those that neither run nor are done."""
        meta, spec = job["metadata"], job["spec"]
        if spec.get("completionMode") != "Indexed":
            return []
        taken = set(self._indexes.get(meta["uid"], ()))
        for _, pod in self._cluster.owned(meta["uid"]):
            if pod["kind"] == "Pod" and pod["status"].get("phase") not in _OVER:
                taken.add(pod["metadata"]["annotations"][_INDEX])
        free = [str(n) for n in range(spec["completions"]) if str(n) not in taken]
        return free[:count]

    def _stop(self, pods: list[Obj]) -> None:
        for pod in pods:
            meta = pod["metadata"]
            if "deletionTimestamp" not in meta:
                self._cluster.delete(PODS, meta["namespace"], meta["name"], {})

    def _say(self, job: Obj, **status: object) -> None:
        meta = job["metadata"]
        self._cluster.set_status(JOBS, meta["namespace"], meta["name"], **status)


def _is_disrupted(pod: Obj) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any(c["type"] == "DisruptionTarget" and c["status"] == "True" for c in conditions)


def _fails_on_disruption(spec: Obj) -> bool:
    """Tell whether a job's failure policy ends it when the cluster takes a pod away."""
    rules = (spec.get("podFailurePolicy") or {}).get("rules") or ()
    return any(
        rule["action"] == "FailJob" and wanted["type"] == "DisruptionTarget"
        for rule in rules
        for wanted in rule.get("onPodConditions") or ()
    )


def _indexed(pod: Obj, index: str) -> Obj:
    """Return a pod of an indexed job: it is told its index, and carries it."""
    meta, spec = pod["metadata"], pod["spec"]
    variable = {"name": "JOB_COMPLETION_INDEX", "value": index}
    containers = [{**c, "env": [*(c.get("env") or ()), variable]} for c in spec["containers"]]
    notes = {**(meta.get("annotations") or {}), _INDEX: index}
    labels = {**(meta.get("labels") or {}), _INDEX: index}
    return {
        "metadata": {**meta, "annotations": notes, "labels": labels},
        "spec": {**spec, "containers": containers},
    }


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
