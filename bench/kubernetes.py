"""The kubernetes target against the stand-in of the tests: submits, and many jobs watched."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.idle import cpu_s, family, pss_mb
from bench.rig import ENTITY, PROGRAM, Server, free_port, percentile, row, server
from bench.rig import _environment as environment
from bench.rig import _stop as stop
from launchyard.adapters.kubernetes.paths import Address
from launchyard.adapters.kubernetes.places import KubernetesConfig
from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.domain.attempt import ENDS
from launchyard.domain.naming import Owner, labels, target_name
from tests.rig.kubernetes.kinds import JOBS, PODS
from tests.rig.kubernetes.standin import Kubernetes, standin

SUBMITS = int(os.environ.get("BENCH_KUBERNETES_JOBS", "1000"))
WATCHED = int(os.environ.get("BENCH_KUBERNETES_WATCHED", "10000"))
QUIET_S = 20.0
ENDED = 100
QUEUE = "cluster"


@contextmanager
def finishing(cluster: Kubernetes) -> Iterator[None]:
    """End every pod as soon as it runs."""
    work: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()

    def hear(kind: object, change: Any) -> None:
        if kind is PODS and change.obj["status"].get("phase") == "Running":
            meta = change.obj["metadata"]
            work.put((meta["namespace"], meta["name"]))

    def finish() -> None:
        while (pod := work.get()) is not None:
            cluster.standin.kubelet.finish(*pod)

    thread = threading.Thread(target=finish, daemon=True)
    thread.start()
    cluster.standin.cluster.listeners.append(hear)
    try:
        yield
    finally:
        work.put(None)
        thread.join()


def submits(on: Server, cluster: Kubernetes, folder: Path) -> None:
    """Bring many jobs from a queue to their ends."""
    target = {"kubeconfig": cluster.kubeconfig, "namespace": cluster.namespace}
    file = folder / "wandb" / "launch-config.yaml"
    file.parent.mkdir()
    file.write_text(json.dumps({"targets": {"kubernetes": target}}))
    path = f"/entities/{ENTITY}/queues"
    on.call("POST", path, json={"name": QUEUE, "resource": "kubernetes", "config": {}})
    spec = {"project": "bench", "docker": {"docker_image": "busybox"}}
    for _ in range(SUBMITS):
        on.call("POST", f"{path}/{QUEUE}/items", json={"spec": spec})
    command = [*PROGRAM, "agent", "-q", QUEUE, "-e", ENTITY, "-j", "200", "--server", on.url]
    command += ["--key-file", str(on.key_file), "--state-dir", str(folder / "agent")]
    command += ["--operations-port", str(free_port())]
    with (folder / "agent.log").open("wb") as log:
        agent = subprocess.Popen(command, env=environment(folder), stdout=log, stderr=log)
    try:
        first, most_mb, done = 0.0, 0.0, 0
        while done < SUBMITS:
            done = on.call("GET", f"{path}/{QUEUE}")["counts"]["done"]
            first = first or (time.monotonic() if cluster.standin.asked["create", "jobs"] else 0.0)
            # Threads that end while they are looked at are no trouble.
            with suppress(FileNotFoundError, ProcessLookupError):
                most_mb = max(most_mb, pss_mb(family(agent.pid)))
            time.sleep(0.2)
        took_s = time.monotonic() - first
    finally:
        stop(agent)
    asked = cluster.standin.asked
    calls = sum(n for (verb, _), n in asked.items() if verb not in {"watch", "list"})
    what = f"{SUBMITS} Kubernetes jobs, queue to done"
    row(f"{what}: requests per job", f"{calls / SUBMITS:.2f}", "4, and the watches")
    row(f"{what}: rate", f"{SUBMITS / took_s:.0f}/s", "30 submits/s")
    row(f"{what}: PSS of the agent in all", f"{most_mb:.0f} MB", "300 MiB")


def fill(cluster: Kubernetes) -> list[tuple[str, str]]:
    """Have many jobs run on the cluster; return their names and ids."""
    found = []
    for number in range(WATCHED):
        owner = Owner(installation="bench", item=f"item-{number}", attempt=1, agent="bench")
        name, ours = target_name("bench", owner.item, 1), labels(owner, "")
        pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}
        template = {"metadata": {"labels": ours}, "spec": pod}
        job = {
            "metadata": {"name": name, "labels": ours},
            "spec": {"backoffLimit": 0, "template": template},
        }
        made = cluster.standin.cluster.create(JOBS, cluster.namespace, job)
        found.append((name, str(made["metadata"]["uid"])))
    pods = cluster.standin.cluster.shelves[PODS].objects
    while sum(p["status"].get("phase") == "Running" for p in list(pods.values())) < WATCHED:
        time.sleep(0.5)
    return found


def watcher() -> None:
    """Watch every job that standard input names; say when each was told to have ended."""
    given = json.load(sys.stdin)
    config = KubernetesConfig(folder=given["folder"], address=Address(given["kubeconfig"]))
    runner = KubernetesRunner(config)
    place = runner._places.home  # noqa: SLF001 - handles are not made elsewhere
    watch = runner.watch()
    for name, uid in given["jobs"]:
        watch.add(runner._places.handle(place, name, uid))  # noqa: SLF001
    left = {name for name, _ in given["jobs"]}
    while left:
        left -= {seen.handle.name for seen in watch.wait(None)}
    print("ready", flush=True)
    while True:
        for seen in watch.wait(None):
            if seen.observation.state in ENDS:
                print(seen.handle.name, time.time_ns(), flush=True)


def watched(cluster: Kubernetes, folder: Path) -> None:
    """Watch many running jobs in a process like a run host; then end some of them."""
    jobs = fill(cluster)
    given = {"folder": str(folder), "kubeconfig": cluster.kubeconfig, "jobs": jobs}
    command = [sys.executable, "-c", "from bench.kubernetes import watcher; watcher()"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        told, heard = process.stdin, process.stdout
        if told is None or heard is None:
            return
        try:
            json.dump(given, told)
            told.close()
            heard.readline()
            before = cpu_s([process.pid])
            time.sleep(QUIET_S)
            used = (cpu_s([process.pid]) - before) / QUIET_S
            size_mb = pss_mb([process.pid])
            late_ms = list(_ends(cluster, jobs, heard))
        finally:
            process.kill()
    what = f"{WATCHED} running Kubernetes jobs watched"
    row(f"{what}: of a core", f"{used:.1%}", "3 %")
    row(f"{what}: PSS", f"{size_mb:.0f} MB", "400 MiB")
    figure = f"{percentile(late_ms, 0.5):.0f} / {percentile(late_ms, 0.99):.0f} ms"
    row(f"{what}: end known after its event, p50 / p99", figure, "200 ms")


def _ends(cluster: Kubernetes, jobs: list[tuple[str, str]], lines: Any) -> Iterator[float]:
    """End some jobs one by one; yield how many milliseconds later each is known."""
    ended: dict[str, int] = {}

    def hear(kind: object, change: Any) -> None:
        if kind is JOBS and change.obj["status"].get("completionTime"):
            ended.setdefault(change.obj["metadata"]["name"], time.time_ns())

    cluster.standin.cluster.listeners.append(hear)
    names = [name for name, _ in jobs[:ENDED]]
    for name in names:
        pods = cluster.standin.cluster.all(PODS, cluster.namespace)
        pod = next(p for p in pods if p["metadata"]["labels"].get("job-name") == name)
        cluster.standin.kubelet.finish(cluster.namespace, pod["metadata"]["name"])
        told, at = lines.readline().split()
        yield (int(at) - ended[told]) / 1e6


def main() -> None:
    """Measure and print."""
    with (
        tempfile.TemporaryDirectory() as name,
        standin(Path(name), plays=True) as cluster,
        finishing(cluster),
        server(Path(name)) as on,
    ):
        submits(on, cluster, Path(name))
    with tempfile.TemporaryDirectory() as name, standin(Path(name), plays=True) as cluster:
        watched(cluster, Path(name))


if __name__ == "__main__":
    main()
