"""The kubernetes target against the stand-in of the tests: submits, and many jobs watched.

`python -m bench.kubernetes submits` or `watched` runs one half.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from bench.cluster import Cluster, cluster
from bench.idle import cpu_s, family, pss_mb
from bench.rig import ENTITY, Server, add_target, agent, percentile, row, server
from bench.stalls import Clock, machine
from launchyard.actors.messages import Ref
from launchyard.actors.shipper import LogShipper
from launchyard.adapters.kubernetes.paths import Address
from launchyard.adapters.kubernetes.places import KubernetesConfig
from launchyard.adapters.kubernetes.runner import KubernetesRunner
from launchyard.adapters.prometheus.metrics import PrometheusMetrics
from launchyard.adapters.system.clock import SystemClock
from launchyard.domain.attempt import ENDS

SUBMITS = int(os.environ.get("BENCH_KUBERNETES_JOBS", "1000"))
WATCHED = int(os.environ.get("BENCH_KUBERNETES_WATCHED", "10000"))
SETTLES_S = 10.0
QUIET_S = 20.0
ENDED = 100
QUEUE = "cluster"


def submits(on: Server, run: Cluster, folder: Path, clock: Clock) -> None:
    """Bring many jobs from a queue to their ends."""
    target = {"kubeconfig": run.kubeconfig, "namespace": run.namespace}
    add_target(on, folder, QUEUE, "kubernetes", target=target, config={})
    path = f"/entities/{ENTITY}/queues/{QUEUE}"
    spec = {"project": "bench", "docker": {"docker_image": "busybox"}}
    for _ in range(SUBMITS):
        on.call("POST", f"{path}/items", json={"spec": spec})
    run.ask("finish", given=True)
    first, submitted, most_mb, done = 0, 0, 0.0, 0
    with agent(on, folder, 200, queue=QUEUE) as process:
        while done < SUBMITS:
            done = on.call("GET", path)["counts"]["done"]
            made = _asked(run).get(("create", "jobs"), 0)
            first = first or (time.time_ns() if made else 0)
            submitted = submitted or (time.time_ns() if made >= SUBMITS else 0)
            # Threads that end while they are looked at are no trouble.
            with suppress(FileNotFoundError, ProcessLookupError):
                most_mb = max(most_mb, pss_mb(family(process.pid)))
                _costs(clock, first, process.pid, on, run)
            time.sleep(0.5)
        ended = time.time_ns()
        # Each is taken away as well, which is a call, too.
        while _asked(run).get(("delete", "jobs"), 0) < SUBMITS:
            time.sleep(0.1)
    calls = sum(n for (verb, _), n in _asked(run).items() if verb not in {"watch", "list"})
    what = f"{SUBMITS} Kubernetes jobs, queue to done"
    row(f"{what}: requests per job", f"{calls / SUBMITS:.2f}", "4, and the watches")
    for part, until in (("submits", submitted), ("to done", ended)):
        rate, clocked = (
            SUBMITS / clock.awake_ms(first, until) * 1e3,
            SUBMITS * 1e9 / (until - first),
        )
        row(f"{what}: {part}", f"{rate:.0f}/s (by the clock {clocked:.0f})", "30 submits/s")
    row(f"{what}: PSS of the agent in all", f"{most_mb:.0f} MB", "300 MiB")


def _asked(run: Cluster) -> dict[tuple[str, str], int]:
    return {(verb, kind): n for verb, kind, n in run.ask("asked")}


def _costs(clock: Clock, first: int, pid: int, on: Server, run: Cluster) -> None:
    """Say on standard error where the processors' time has gone."""
    who = [(f"agent {n}", one) for n, one in enumerate(family(pid))]
    who += [("server", on.process.pid), ("cluster", run.process.pid)]
    spent = ", ".join(f"{name} {cpu_s([one]):.1f} s" for name, one in who)
    if first:
        ran_s = clock.awake_ms(first, time.time_ns()) / 1e3
        print(f"{ran_s:.0f} s awake: {spent}", file=sys.stderr, flush=True)


class _Sink:
    """Takes the bytes of logs, of which there are none."""

    def append_log(self, _item: str, _attempt: int, _source: str, start: int, data: bytes) -> int:
        """Take a chunk."""
        return start + len(data)

    def put_output(self, item: str, attempt: int, path: str, file: BinaryIO) -> None:
        """Take an output."""

    def open_archive(self, sha256: str) -> BinaryIO:
        """Give an archive."""
        raise FileNotFoundError(sha256)


def watcher() -> None:
    """Watch every job that standard input names, and its log; say when each has ended."""
    given = json.load(sys.stdin)
    config = KubernetesConfig(folder=given["folder"], address=Address(given["kubeconfig"]))
    runner = KubernetesRunner(config)
    metrics, clock = PrometheusMetrics(), SystemClock()
    shipper = LogShipper(runner, _Sink(), clock, metrics, lambda *_: None)
    shipper.start()
    place = runner._places.home  # noqa: SLF001 - handles are not made elsewhere
    watch = runner.watch()
    refs = {}
    for number, (name, uid) in enumerate(given["jobs"]):
        found = {"metadata": {"name": name, "uid": uid}}
        handle = runner._places.handle(place, found)  # noqa: SLF001
        refs[handle] = Ref(f"item-{number}", 1)
        watch.add(handle)
        shipper.follow(refs[handle], handle, {})
    left = set(refs)
    while left:
        left -= {seen.handle for seen in watch.wait(None)}
    print("ready", flush=True)
    while True:
        for seen in watch.wait(None):
            if seen.observation.state in ENDS:
                print(seen.handle.name, time.time_ns(), flush=True)
                if not shipper.is_quiet(refs[seen.handle], seen.handle):
                    shipper.end(refs[seen.handle], seen.handle, {})


def watched(run: Cluster, folder: Path, clock: Clock) -> None:
    """Watch many running jobs in a process like a run host; then end some of them."""
    jobs = run.ask("fill", WATCHED)
    given = {"folder": str(folder), "kubeconfig": run.kubeconfig, "jobs": jobs}
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
            time.sleep(SETTLES_S)
            before, asked, begun = cpu_s([process.pid]), _asked(run), time.time_ns()
            time.sleep(QUIET_S)
            used = (cpu_s([process.pid]) - before) / ((time.time_ns() - begun) / 1e9)
            ran = 1 - clock.share(begun)
            calls = sum(_asked(run).values()) - sum(asked.values())
            size_mb = pss_mb([process.pid])
            ends = _ends(run, jobs, heard)
        finally:
            process.kill()
    what = f"{WATCHED} running Kubernetes jobs watched, their logs too"
    figure = f"{used * ran:.1%} (as counted {used:.1%}; the machine ran {ran:.0%})"
    row(f"{what}: of a core", figure, "3 %")
    row(f"{what}: requests a second", f"{calls / QUIET_S:.1f}", "–")
    row(f"{what}: PSS", f"{size_mb:.0f} MB", "400 MiB")
    for name, late in (
        ("", [clock.awake_ms(*span) for span in ends]),
        (" by the clock", [(end - begin) / 1e6 for begin, end in ends]),
    ):
        figure = f"{percentile(late, 0.5):.0f} / {percentile(late, 0.99):.0f} ms"
        row(f"{what}: end known after its event, p50 / p99{name}", figure, "200 ms")


def _ends(run: Cluster, jobs: list[list[str]], lines: Any) -> list[tuple[int, int]]:
    """End some jobs one by one; return when each ended and when that was known."""
    found = []
    for name, _ in jobs[:ENDED]:
        ended = int(run.ask("end", name))
        told, at = lines.readline().split()
        if told != name:
            raise RuntimeError(f"{told} ended instead of {name}")
        found.append((ended, int(at)))
    return found


def main() -> None:
    """Measure and print; what is named on the command line, else both."""
    wanted = sys.argv[1:] if __name__ == "__main__" else []
    with machine() as clock:
        if "watched" not in wanted:
            with (
                tempfile.TemporaryDirectory() as name,
                cluster(Path(name)) as run,
                server(Path(name)) as on,
            ):
                submits(on, run, Path(name), clock)
        if "submits" not in wanted:
            with tempfile.TemporaryDirectory() as name, cluster(Path(name)) as run:
                watched(run, Path(name), clock)


if __name__ == "__main__":
    main()
