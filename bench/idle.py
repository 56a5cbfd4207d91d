"""What an agent costs while nothing happens, and how soon it asks for work after its start."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench.rig import agent, percentile, row, server

MINUTE_S = 60.0


def family(pid: int) -> list[int]:
    """Return *pid* and its children, theirs too."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


def pss_mb(pids: list[int]) -> float:
    """Return the proportional memory of processes, in MB (10^6 bytes)."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total * 1024 / 1e6


def cpu_s(pids: list[int]) -> float:
    """Return the processor time of processes so far, in seconds.

    By the scheduler's own count: the tick's is blind to, or doubles, what wakes with the tick.
    """
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as on:
        starts = []
        for n in range(5):
            item = on.submit(["/bin/true"])
            begun = time.time()
            with agent(on, Path(folder), 8, f"start{n}"):
                view = on.wait_done(item)
            starts.append(view["times_ms"]["claimed"] / 1e3 - begun)
        figure = f"{percentile(starts, 0.5):.2f} s (worst of 5: {max(starts):.2f})"
        row("process start → first claim", figure, "0.4 s", "1.3 to 3.5 s")
        with agent(on, Path(folder), 8, "idle") as process:
            time.sleep(5)
            bare = pss_mb(family(process.pid))
            on.wait_done(on.submit(["/bin/true"]))
            time.sleep(2)
            pids = family(process.pid)
            hosted = pss_mb(pids)
            before = cpu_s(pids)
            server_before = cpu_s([on.process.pid])
            time.sleep(MINUTE_S)
            cpu = cpu_s(pids) - before
            server_cpu = cpu_s([on.process.pid]) - server_before
    row("idle for a minute: CPU of the agent", f"{cpu:.2f} s", "0.06 s", "0.17 s")
    row("idle: PSS, no host / local host", f"{bare:.0f} / {hosted:.0f} MB", "45 / 75 MB", "86 MB")
    row("idle for a minute: CPU of the server", f"{server_cpu:.2f} s", "–")


if __name__ == "__main__":
    main()
