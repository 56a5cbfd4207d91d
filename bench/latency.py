"""Latency of an idle, warm agent: enqueue → first instruction, and end → the server knows.

The job is `/bin/sh` writing the clock; job, server, agent and this program share the machine.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

from bench.rig import agent, percentile, row, server

JOBS = 200


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as on:
        stamps = Path(folder) / "stamps"
        stamps.mkdir()
        with agent(on, Path(folder), 8):
            on.wait_done(on.submit(["/bin/true"]))
            starts: list[float] = []
            ends: list[float] = []
            for n in range(JOBS):
                time.sleep(random.uniform(0.05, 0.15))  # noqa: S311  # spacing, not secrecy
                first, last = stamps / f"{n}.first", stamps / f"{n}.last"
                script = f"date +%s%N >{first}; date +%s%N >{last}"
                sent = time.time_ns()
                item = on.submit(["/bin/sh", "-c", script])
                view = on.wait_done(item)
                starts.append((int(first.read_text()) - sent) / 1e6)
                times = view["times_ms"]
                known = max(times.get("succeeded", 0), times.get("failed", 0))
                ends.append(max(known - int(last.read_text()) / 1e6, 0.0))
    for what, values, wanted, peer in (
        ("enqueue → first instruction, p50 / p90", starts, "15 / 30 ms", "6200 / 9800 ms"),
        ("end → server knows, p50 / p90", ends, "10 / 25 ms", "10000 ms"),
    ):
        figure = f"{percentile(values, 0.5):.1f} / {percentile(values, 0.9):.1f} ms"
        row(what, figure, wanted, peer)


if __name__ == "__main__":
    main()
