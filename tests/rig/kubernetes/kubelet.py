"""The nodes of a cluster: what becomes of its pods.

Containers run as processes of this machine, with their words and variables and without their
images. As on a real cluster a pod is not scheduled when its `nodeSelector` names an unknown label,
an image below `.invalid/` cannot be pulled, a variable from a missing secret is a configuration
error, and a process that comes up against its memory limit is killed for it.
"""

from __future__ import annotations

import base64
import contextlib
import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from typing import Any, Final

from tests.rig.kubernetes.cluster import Change, Cluster
from tests.rig.kubernetes.containers import (
    ConfigError,
    Output,
    Run,
    condition,
    end,
    follow,
    limit_to,
    signal_all,
    size_b,
    status_of,
    told,
)
from tests.rig.kubernetes.images import refusal
from tests.rig.kubernetes.kinds import PODS, SECRETS
from tests.rig.kubernetes.objects import Obj, RefusedError, Resource, now
from tests.rig.kubernetes.playing import Silences

NO_NODE: Final = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."


class Kubelet:
    """Runs pods; where it *plays*, it starts no process and pods run until `finish`."""

    def __init__(self, cluster: Cluster, *, plays: bool = False) -> None:
        self._cluster, self._plays = cluster, Silences(cluster) if plays else None
        self._work: queue.SimpleQueue[tuple[str, Obj] | None] = queue.SimpleQueue()
        self._runs: dict[str, Run] = {}
        self.secret_made = threading.Condition()
        self._threads: list[threading.Thread] = []
        cluster.listeners.append(self._hear)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End every process."""
        self._work.put(None)
        self._thread.join(10)
        for run in list(self._runs.values()):
            run.stopping.set()
            signal_all(run, signal.SIGKILL)
        with self.secret_made:
            self.secret_made.notify_all()
        for thread in self._threads:
            thread.join(10)

    def evict(self, space: str, name: str) -> None:
        """Evict a pod, as draining a node does."""
        pod = self._cluster.get(PODS, space, name)
        found = condition("DisruptionTarget", "True", "EvictionByEvictionAPI", "evicting")
        self._say(pod["metadata"], conditions=[*pod["status"].get("conditions", ()), found])
        self._cluster.delete(PODS, space, name, {"gracePeriodSeconds": 1})

    def finish(self, space: str, name: str, code: int = 0) -> None:
        """End a pod that is only played."""
        pod = self._cluster.get(PODS, space, name)
        reason = "Error" if code else "Completed"
        ended = {"exitCode": code, "reason": reason, "startedAt": now(), "finishedAt": now()}
        statuses = [status_of(c["name"], {"terminated": ended}) for c in pod["spec"]["containers"]]
        phase = "Failed" if code else "Succeeded"
        self._say(pod["metadata"], phase=phase, containerStatuses=statuses)

    def log(self, pod: Obj, query: dict[str, str]) -> Iterator[bytes]:
        """Return the log of a container, as its query wants it."""
        kinds = ("initContainers", "containers")
        names = [c["name"] for kind in kinds for c in pod["spec"].get(kind, ())]
        name = query.get("container") or (names[0] if len(names) == 1 else "")
        if name not in names:
            raise RefusedError(400, "BadRequest", f"a container name must be one of {names}")
        run = self._runs.get(pod["metadata"]["uid"])
        output = run.outputs.get(name) if run else None
        if self._plays:
            return self._plays.log(pod["metadata"]["uid"], query)
        if run is None or output is None or not output.began:
            message = f'container "{name}" in pod "{pod["metadata"]["name"]}" is waiting to start'
            raise RefusedError(400, "BadRequest", message)
        return told(run, output, query)

    def _hear(self, kind: Resource, change: Change) -> None:
        if kind is PODS:
            self._work.put((change.type, change.obj))
        elif kind is SECRETS:
            with self.secret_made:
                self.secret_made.notify_all()

    def _serve(self) -> None:
        while (told := self._work.get()) is not None:
            word, pod = told
            meta = pod["metadata"]
            if word == "DELETED":
                self._runs.pop(meta["uid"], None)
            elif "deletionTimestamp" in meta:
                self._stop(pod)
            elif word == "ADDED":
                self._begin(pod)

    def _begin(self, pod: Obj) -> None:
        meta, spec = pod["metadata"], pod["spec"]
        wanted = [
            key for key in spec.get("nodeSelector") or () if not key.startswith("kubernetes.io/")
        ]
        if wanted:
            self._say(
                meta, conditions=[condition("PodScheduled", "False", "Unschedulable", NO_NODE)]
            )
            return
        if self._plays:
            running = {"running": {"startedAt": now()}}
            statuses = [status_of(c["name"], running) for c in spec["containers"]]
            self._say(meta, phase="Running", startTime=now(), containerStatuses=statuses)
            return
        run = Run(meta["uid"], meta["namespace"], meta["name"], threading.Condition())
        self._runs[run.uid] = run
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=self._run, args=(run, pod), daemon=True))
        self._threads[-1].start()

    def _stop(self, pod: Obj) -> None:
        meta = pod["metadata"]
        run = self._runs.get(meta["uid"])
        if run is None or not run.processes:
            if run is not None:
                run.stopping.set()
            self._cluster.drop_pod(meta["namespace"], meta["name"], meta["uid"])
            return
        run.stopping.set()
        grace_s = float(meta.get("deletionGracePeriodSeconds") or 0)
        threading.Thread(target=end, args=(run, grace_s), daemon=True).start()

    def _run(self, run: Run, pod: Obj) -> None:
        spec = pod["spec"]
        scheduled = condition("PodScheduled", "True", "", "")
        self._say(pod["metadata"], startTime=now(), conditions=[scheduled])
        code: int | None = 0
        for one in spec.get("initContainers") or ():
            code = code or self._container(run, pod, [one])
        code = code or self._container(run, pod, spec["containers"])
        if code is not None:
            self._tell(run, pod, phase="Failed" if code else "Succeeded")
        if run.stopping.is_set():
            self._cluster.drop_pod(run.space, run.name, run.uid)

    def _container(self, run: Run, pod: Obj, containers: list[Obj]) -> int | None:
        """Run containers side by side; return the first code that is no success."""
        for one in containers:
            run.outputs[one["name"]] = Output(status={"waiting": {"reason": "ContainerCreating"}})
        readers = [
            threading.Thread(target=self._one, args=(run, pod, one), daemon=True)
            for one in containers
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        codes = [
            run.outputs[c["name"]].status.get("terminated", {}).get("exitCode") for c in containers
        ]
        return None if None in codes else next((c for c in codes if c), 0)

    def _one(self, run: Run, pod: Obj, container: Obj) -> None:
        output = run.outputs[container["name"]]
        if message := refusal(self._cluster, pod, container.get("image", "")):
            later = f'Back-off pulling image "{container["image"]}"'  # before 1.32 no cause
            for reason, words in (("ErrImagePull", message), ("ImagePullBackOff", later)):
                output.status = {"waiting": {"reason": reason, "message": words}}
                self._tell(run, pod)
            run.stopping.wait()
            return
        variables = self._variables(run, pod, container, output)
        if variables is None:
            return
        while not run.stopping.is_set():
            code, text = self._process(run, pod, container, variables)
            if not (code and pod["spec"].get("restartPolicy") == "OnFailure"):
                break
            output.status = {"waiting": {"reason": "CrashLoopBackOff", "message": text}}
            self._tell(run, pod)
            run.stopping.wait(0.2)

    def _variables(
        self, run: Run, pod: Obj, container: Obj, output: Output
    ) -> dict[str, str] | None:
        """Return a container's variables, waiting for the secrets that they come from."""
        while not run.stopping.is_set():
            try:
                return self._resolved(run.space, container)
            except ConfigError as e:
                reason = {"reason": "CreateContainerConfigError", "message": str(e)}
                output.status = {"waiting": reason}
                self._tell(run, pod)
                with self.secret_made:
                    self.secret_made.wait(0.5)
        return None

    def _resolved(self, space: str, container: Obj) -> dict[str, str]:
        found = {"PATH": os.environ["PATH"], "HOME": "/"}
        for source in container.get("envFrom") or ():
            name = (source.get("secretRef") or {}).get("name", "")
            found.update(self._secret(space, name))
        for one in container.get("env") or ():
            ref = (one.get("valueFrom") or {}).get("secretKeyRef")
            if ref is None:
                found[one["name"]] = one.get("value", "")
            elif ref["key"] in (secret := self._secret(space, ref["name"])):
                found[one["name"]] = secret[ref["key"]]
            else:
                raise ConfigError(f"couldn't find key {ref['key']} in Secret {space}/{ref['name']}")
        return found

    def _secret(self, space: str, name: str) -> dict[str, str]:
        secret = self._cluster.look(SECRETS, space, name)
        if secret is None:
            raise ConfigError(f'secret "{name}" not found')
        return {key: base64.b64decode(v).decode() for key, v in secret["data"].items()}

    def _process(
        self, run: Run, pod: Obj, container: Obj, variables: dict[str, str]
    ) -> tuple[int, str]:
        output = run.outputs[container["name"]]
        words = [*container.get("command", ()), *container.get("args", ())] or ["true"]
        limit = size_b((container.get("resources") or {}).get("limits", {}).get("memory", ""))
        began = now()
        with tempfile.TemporaryDirectory() as folder:
            try:
                process = subprocess.Popen(
                    words,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=variables,
                    cwd=folder,
                    start_new_session=True,
                    preexec_fn=(lambda: limit_to(limit)) if limit else None,  # noqa: PLW1509
                )
            except OSError as e:
                return self._ended(run, pod, output, (128, "StartError", began, str(e)))
            with run.changed:
                run.processes.append(process)
            output.began, output.status = True, {"running": {"startedAt": began}}
            if run.stopping.is_set():
                signal_all(run, signal.SIGKILL)
            self._tell(run, pod, phase="Running")
            last = follow(run, output, process)
            code = process.wait()
        code = 128 - code if code < 0 else code
        reason = "Error" if code else "Completed"
        if limit and code and b"memory" in last.lower():
            code, reason = 137, "OOMKilled"
        return self._ended(run, pod, output, (code, reason, began, ""))

    def _ended(
        self, run: Run, pod: Obj, output: Output, end: tuple[int, str, str, str]
    ) -> tuple[int, str]:
        code, reason, began, message = end
        with run.changed:
            ended = {"exitCode": code, "reason": reason, "startedAt": began, "finishedAt": now()}
            output.status = {"terminated": ended | ({"message": message} if message else {})}
            output.began = output.over = True
            run.changed.notify_all()
        self._tell(run, pod)
        return code, reason

    def _tell(self, run: Run, pod: Obj, **status: Any) -> None:
        """Say how the containers of a pod stand."""
        spec = pod["spec"]
        for key, names in (
            ("containerStatuses", "containers"),
            ("initContainerStatuses", "initContainers"),
        ):
            told = [c["name"] for c in spec.get(names) or () if c["name"] in run.outputs]
            if told:
                status[key] = [status_of(name, run.outputs[name].status) for name in told]
        self._say(pod["metadata"], **status)

    def _say(self, meta: Obj, **status: Any) -> None:
        with contextlib.suppress(RefusedError), self._cluster.changed:
            found = self._cluster.look(PODS, meta["namespace"], meta["name"])
            if found is not None and found["metadata"]["uid"] == meta["uid"]:
                self._cluster.set_status(PODS, meta["namespace"], meta["name"], **status)
