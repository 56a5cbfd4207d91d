"""Throughput: 2,000 × `/bin/true` in 8 slots, beside what the machine's shell alone does."""

from __future__ import annotations

import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.rig import ENTITY, QUEUE, agent, row, server

JOBS = 2000
SLOTS = 8


def shell_rate() -> float:
    """Return how many `sh -c true` this machine runs per second, eight at a time."""

    def one(_: int) -> None:
        subprocess.run(["/bin/sh", "-c", "true"], check=True)

    begun = time.monotonic()
    with ThreadPoolExecutor(SLOTS) as pool:
        list(pool.map(one, range(JOBS)))
    return JOBS / (time.monotonic() - begun)


def main() -> None:
    """Measure and print."""
    before = shell_rate()
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as on:
        for _ in range(JOBS):
            on.submit(["/bin/true"])
        with agent(on, Path(folder), SLOTS):
            path = f"/entities/{ENTITY}/queues/{QUEUE}"
            first = (0.0, 0)
            while (done := on.call("GET", path)["counts"]["done"]) < JOBS:
                if done and not first[1]:
                    first = (time.monotonic(), done)
                time.sleep(0.05)
            rate = (JOBS - first[1]) / (time.monotonic() - first[0])
    after = shell_rate()
    ratio = rate / ((before + after) / 2)
    figure = f"{rate:.0f} jobs/s, {ratio:.2f} × sh (sh -c true: {before:.0f}, {after:.0f}/s)"
    row(f"{JOBS} × /bin/true, {SLOTS} slots", figure, "200 jobs/s and ≥ 0.2 × sh", "0.81 jobs/s")


if __name__ == "__main__":
    main()
