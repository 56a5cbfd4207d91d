"""When the machine stood still: a virtual machine may be stopped by its host, clocks running on.

    with machine() as clock:
        ...
        clock.awake_ms(begun_ns, ended_ns)

A process that ticks every two milliseconds, ahead of all others where the system lets it, writes
down the gaps in its ticking. While it is late, nothing else ran either, so a span of time less its
gaps is what the programs took. Times are of `time.time_ns`.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

_TICKER = """
import contextlib, os, sys, time
with contextlib.suppress(OSError):
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
with open(sys.argv[1], "w", buffering=1) as gaps:
    print("ticking", flush=True)
    last = time.time_ns()
    while True:
        time.sleep(0.002)
        now = time.time_ns()
        if now - last > 8_000_000:
            gaps.write(f"{last + 2_000_000} {now}\\n")
        last = now
"""


@dataclass
class Clock:
    """Tells spans of time in which this machine ran from those in which it was stopped."""

    path: Path
    begun_ns: int = field(default_factory=time.time_ns)

    def stopped_ms(self, begun_ns: int, ended_ns: int) -> float:
        """Return for how many milliseconds of a span the machine stood still."""
        total = 0
        for line in self.path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                first, last = map(int, line.split())
                total += max(0, min(last, ended_ns) - max(first, begun_ns))
        return total / 1e6

    def awake_ms(self, begun_ns: int, ended_ns: int) -> float:
        """Return how many milliseconds of a span the machine ran; negative spans are empty."""
        return max(0.0, (ended_ns - begun_ns) / 1e6 - self.stopped_ms(begun_ns, ended_ns))

    def share(self, begun_ns: int = 0) -> float:
        """Return for which part of the time since *begun_ns* (or its own start) it stood still."""
        begun, now = begun_ns or self.begun_ns, time.time_ns()
        return self.stopped_ms(begun, now) * 1e6 / max(now - begun, 1)


@contextlib.contextmanager
def machine() -> Iterator[Clock]:
    """Watch the machine for as long as the context lasts."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "gaps"
        command = [sys.executable, "-S", "-c", _TICKER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ticker:
            if ticker.stdout is not None:
                ticker.stdout.readline()
            try:
                yield Clock(path)
            finally:
                ticker.kill()
