"""Throughput: 2,000 × `/bin/true` in 8 slots and in 32, beside what the shell alone does here."""

from __future__ import annotations

import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.rig import ENTITY, QUEUE, Server, agent, row, server
from bench.stalls import Clock, machine

JOBS = 2000
SLOTS = {8: ("200 jobs/s and ≥ 0.2 × sh", "0.81 jobs/s"), 32: ("–", "–")}


def shell_rate(clock: Clock, at_once: int) -> float:
    """Return how many `sh -c true` this machine runs per second, so many at a time."""

    def one(_: int) -> None:
        subprocess.run(["/bin/sh", "-c", "true"], check=True)

    begun = time.time_ns()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, range(JOBS)))
    return JOBS / clock.awake_ms(begun, time.time_ns()) * 1e3


def _done(on: Server) -> int:
    return int(on.call("GET", f"/entities/{ENTITY}/queues/{QUEUE}")["counts"]["done"])


def job_rate(clock: Clock, slots: int) -> tuple[float, str]:
    """Return the rate of jobs in so many slots, and what is to be said of the machine besides."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as on:
        items = [on.submit(["/bin/true"]) for _ in range(JOBS)]
        with agent(on, Path(folder), slots):
            # What is told costs nothing; a question every now and then costs some jobs.
            on.wait_done(items[0])
            first = (time.time_ns(), _done(on))
            on.wait_done(items[-1])
            while _done(on) < JOBS:
                time.sleep(0.005)
            ended = time.time_ns()
    clocked = (JOBS - first[1]) / (ended - first[0]) * 1e9
    note = f"by the clock {clocked:.0f}; the machine stood still {clock.share(first[0]):.0%} of it"
    return (JOBS - first[1]) / clock.awake_ms(first[0], ended) * 1e3, note


def main() -> None:
    """Measure and print; all rates are per second in which the machine ran."""
    for slots, wanted in SLOTS.items():
        with machine() as clock:
            before, serial = shell_rate(clock, slots), shell_rate(clock, 1)
            rate, note = job_rate(clock, slots)
            after = shell_rate(clock, slots)
        ratio = rate / ((before + after) / 2)
        figure = f"{rate:.0f} jobs/s, {rate / serial:.2f} × sh, {ratio:.2f} × {slots} sh at a time"
        figure += f" (sh -c true: {serial:.0f}/s; {slots} at a time {before:.0f} and {after:.0f}/s)"
        row(f"{JOBS} × /bin/true, {slots} slots", f"{figure} ({note})", *wanted)


if __name__ == "__main__":
    main()
