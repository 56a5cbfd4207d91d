"""The stand-in for a cluster as a process of its own, so that its cost is nobody else's.

    with cluster(folder) as run:
        run.ask("fill", 10000)

Its pods are played: they run until they are ended, `ends` says at once or on request.
"""

from __future__ import annotations

import gc
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launchyard.domain.naming import Owner, labels, target_name
from tests.rig.kubernetes.kinds import JOBS, PODS
from tests.rig.kubernetes.standin import Kubernetes, standin


@dataclass
class Cluster:
    """The running stand-in, seen from the benchmark."""

    kubeconfig: str
    namespace: str
    process: subprocess.Popen[str]

    def ask(self, word: str, given: Any = None) -> Any:
        """Have something done, and return what came of it."""
        told, heard = self.process.stdin, self.process.stdout
        if told is None or heard is None:
            raise RuntimeError("the stand-in has no pipes")
        told.write(json.dumps([word, given]) + "\n")
        told.flush()
        return json.loads(heard.readline())


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Run the stand-in."""
    command = [sys.executable, "-m", "bench.cluster", str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            if process.stdout is None:
                raise RuntimeError("the stand-in has no pipes")
            kubeconfig, namespace = json.loads(process.stdout.readline())
            yield Cluster(kubeconfig, namespace, process)
        finally:
            process.kill()


class _Player:
    """Does in the stand-in's process what the benchmark asks."""

    def __init__(self, run: Kubernetes) -> None:
        self._run, self._served = run, run.standin
        self._work: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._ended: dict[str, int] = {}
        self._pods: dict[str, str] = {}
        self._finishes = False
        self._told = threading.Condition()
        self._served.cluster.listeners.append(self._hear)
        threading.Thread(target=self._finish, daemon=True).start()

    def do(self, word: str, given: Any) -> Any:
        """Do what is asked."""
        match word:
            case "finish":
                self._finishes = bool(given)
                return None
            case "asked":
                return [[verb, kind, n] for (verb, kind), n in self._served.asked.items()]
            case "fill":
                return self._fill(int(given))
            case _:
                return self._end(str(given))

    def _hear(self, kind: object, change: Any) -> None:
        meta = change.obj["metadata"]
        if kind is PODS and change.obj["status"].get("phase") == "Running":
            with self._told:
                self._pods[meta["labels"].get("job-name", "")] = meta["name"]
                self._told.notify_all()
            if self._finishes:
                self._work.put((meta["namespace"], meta["name"]))
        if kind is JOBS and change.obj.get("status", {}).get("completionTime"):
            with self._told:
                self._ended.setdefault(meta["name"], time.time_ns())
                self._told.notify_all()

    def _finish(self) -> None:
        while True:
            self._served.kubelet.finish(*self._work.get())

    def _fill(self, most: int) -> list[list[str]]:
        """Have many jobs run; return their names and ids."""
        found = []
        for number in range(most):
            owner = Owner(installation="bench", item=f"item-{number}", attempt=1, agent="bench")
            name, ours = target_name("bench", owner.item, 1), labels(owner, "")
            pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}
            template = {"metadata": {"labels": ours}, "spec": pod}
            job = {
                "metadata": {"name": name, "labels": ours},
                "spec": {"backoffLimit": 0, "template": template},
            }
            made = self._served.cluster.create(JOBS, self._run.namespace, job)
            found.append([name, str(made["metadata"]["uid"])])
        with self._told:
            self._told.wait_for(lambda: len(self._pods) >= most)
        # A collection that walks through all of these stops this process for seconds, and would
        # be counted as the time until an end is known.
        gc.collect()
        gc.freeze()
        return found

    def _end(self, name: str) -> int:
        """End a job; return when its end was on record."""
        self._served.kubelet.finish(self._run.namespace, self._pods[name])
        with self._told:
            self._told.wait_for(lambda: name in self._ended)
        return self._ended[name]


def main() -> None:
    """Be the stand-in's process."""
    with standin(Path(sys.argv[1]), plays=True) as run:
        player = _Player(run)
        print(json.dumps([run.kubeconfig, run.namespace]), flush=True)
        for line in sys.stdin:
            print(json.dumps(player.do(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
