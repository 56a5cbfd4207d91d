"""What an agent costs while nothing happens, and how soon it asks for work after its start."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench.rig import Server, agent, percentile, row, server
from bench.stalls import Clock, machine

MINUTE_S = 60.0
STARTS = 7


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


def wakes(pids: list[int]) -> int:
    """Return how often processes have gone to sleep so far, which is how often they had work."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for line in (task / "status").read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches:"):
                    total += int(line.split()[1])
    return total


def starts(on: Server, folder: Path, clock: Clock) -> None:
    """Measure how long a new agent takes to its first claim, and print."""
    spans = []
    for n in range(STARTS):
        item = on.submit(["/bin/true"])
        begun = time.time_ns()
        with agent(on, folder, 8, f"start{n}"):
            view = on.wait_done(item)
        claimed = view["times_ms"]["claimed"] * 1_000_000
        spans.append((clock.awake_ms(begun, claimed) / 1e3, (claimed - begun) / 1e9))
    awake, clocked = zip(*spans, strict=True)
    figure = f"{percentile(list(awake), 0.5):.2f} s (worst of {STARTS}: {max(awake):.2f};"
    figure += f" by the clock {percentile(list(clocked), 0.5):.2f})"
    row("process start → first claim", figure, "0.4 s", "1.3 to 3.5 s")


def main() -> None:
    """Measure and print. A stop of the machine counts as work of who runs just then."""
    with (
        machine() as clock,
        tempfile.TemporaryDirectory() as folder,
        server(Path(folder)) as on,
    ):
        starts(on, Path(folder), clock)
        with agent(on, Path(folder), 8, "idle") as process:
            time.sleep(5)
            bare = pss_mb(family(process.pid))
            on.wait_done(on.submit(["/bin/true"]))
            time.sleep(2)
            pids = family(process.pid)
            hosted = pss_mb(pids)
            before, server_before = cpu_s(pids), cpu_s([on.process.pid])
            woken = -wakes(pids)
            begun = time.time_ns()
            time.sleep(MINUTE_S)
            cpu, server_cpu = cpu_s(pids) - before, cpu_s([on.process.pid]) - server_before
            woken += wakes(pids)
            ran = 1 - clock.share(begun)
    for who, spent, wanted, peer in (
        ("agent", cpu, "0.06 s", "0.17 s"),
        ("server", server_cpu, "–", "–"),
    ):
        figure = f"{spent * ran:.2f} s (as counted {spent:.2f}; the machine ran {ran:.0%})"
        row(f"idle for a minute: CPU of the {who}", figure, wanted, peer)
    row("idle for a minute: the agent wakes up", f"{woken} times", "–", "–")
    row("idle: PSS, no host / local host", f"{bare:.0f} / {hosted:.0f} MB", "45 / 75 MB", "86 MB")


if __name__ == "__main__":
    main()
