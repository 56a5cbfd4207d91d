"""Latency of an idle, warm agent: enqueue → first instruction, and end → the server knows.

The job is `/bin/sh` telling this program by a FIFO that it is there, and this program looks at the
clock: to start `date` for it takes longer than to start the shell. Job, server, agent and this
program share the machine. Times in which the machine's host had stopped it are taken out, and
shown. After each job the same command is started by hand: what that takes is the machine's own, and
ours is to be read beside it.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.rig import Server, agent, percentile, row, server
from bench.stalls import Clock, machine

JOBS = 200
_CALM_NS = 5_000_000


def main() -> None:
    """Measure and print."""
    with (
        machine() as clock,
        tempfile.TemporaryDirectory() as folder,
        server(Path(folder)) as on,
        agent(on, Path(folder), 8),
        _fifo(Path(folder)) as told,
    ):
        on.wait_done(on.submit(["/bin/true"]))
        spans, own = [], []
        for _ in range(JOBS):
            spans.append(_one(on, told))
            own.append(_by_hand(told))
        starts = [(sent, ran) for sent, ran, _ in spans]
        ends = [(ran, known) for _, ran, known in spans]
        _print("`sh` by hand → first instruction", clock, own, ("–", "–"))
        _print("enqueue → first instruction", clock, starts, ("15 / 30 ms", "6200 / 9800 ms"))
        _print("end → server knows", clock, ends, ("10 / 25 ms", "10000 ms"))


@dataclass(frozen=True)
class _Told:
    """A FIFO to which a job writes."""

    script: str
    fd: int

    def wait(self) -> int:
        """Wait for a job's word and return the time, in ns."""
        os.read(self.fd, 1)
        return time.time_ns()


@contextlib.contextmanager
def _fifo(folder: Path) -> Iterator[_Told]:
    path = folder / "told"
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR)
    try:
        yield _Told(f"echo >{path}", fd)
    finally:
        os.close(fd)


def _one(on: Server, told: _Told) -> tuple[int, int, int]:
    """Run a job; return when it was sent, ran and was known to have ended, in ns.

    It ends with its first instruction.
    """
    time.sleep(random.uniform(0.05, 0.15))  # noqa: S311  # spacing, not secrecy
    sent = time.time_ns()
    item = on.submit(["/bin/sh", "-c", told.script])
    ran = told.wait()
    return sent, ran, on.wait_done(item)["times_ms"]["done"] * 1_000_000


def _by_hand(told: _Told) -> tuple[int, int]:
    """Start what a job does, as plainly as can be; return when it was begun and ran, in ns."""
    begun = time.time_ns()
    with subprocess.Popen(["/bin/sh", "-c", told.script]):
        return begun, told.wait()


def _print(what: str, clock: Clock, spans: list[tuple[int, int]], wanted: tuple[str, str]) -> None:
    awake = [clock.awake_ms(*span) for span in spans]
    clocked = [max(0.0, (end - begun) / 1e6) for begun, end in spans]
    calm = [
        ms for ms, span in zip(clocked, spans, strict=True) if not clock.stopped_ms(*_around(span))
    ]
    figures = [_figure(ms) for ms in (awake, clocked, calm)]
    note = f" (by the clock {figures[1]}, the machine stood still {clock.share():.0%} of it;"
    note += f" {len(calm)} that met no stop: {figures[2]})"
    row(f"{what}, p50 / p90", figures[0] + note, *wanted)


def _around(span: tuple[int, int]) -> tuple[int, int]:
    """Return *span* with some time before: what has just been stopped finds its caches cold."""
    return span[0] - _CALM_NS, span[1]


def _figure(ms: list[float]) -> str:
    return f"{percentile(ms, 0.5):.1f} / {percentile(ms, 0.9):.1f} ms" if ms else "none"


if __name__ == "__main__":
    main()
