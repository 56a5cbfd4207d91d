"""Latency of an idle, warm agent: enqueue → first instruction, and end → the server knows.

The job is `/bin/sh` writing the clock; job, server, agent and this program share the machine.
Times in which the machine's host had stopped it are taken out, and shown. After each job the same
command is started by hand: what that takes is the machine's own, and ours is to be read beside it.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
import time
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
    ):
        on.wait_done(on.submit(["/bin/true"]))
        spans, own = [], []
        for n in range(JOBS):
            spans.append(_one(on, Path(folder), n))
            own.append(_by_hand(Path(folder)))
        starts = [(sent, first) for sent, first, _, _ in spans]
        ends = [(last, known) for _, _, last, known in spans]
        _print("`sh` by hand → first instruction", clock, own, ("–", "–"))
        _print("enqueue → first instruction", clock, starts, ("15 / 30 ms", "6200 / 9800 ms"))
        _print("end → server knows", clock, ends, ("10 / 25 ms", "10000 ms"))


def _one(on: Server, folder: Path, n: int) -> tuple[int, int, int, int]:
    """Run a job; return when it was sent, began, ended and was known to have ended, in ns."""
    time.sleep(random.uniform(0.05, 0.15))  # noqa: S311  # spacing, not secrecy
    first, last = folder / f"{n}.first", folder / f"{n}.last"
    script = f"date +%s%N >{first}; date +%s%N >{last}"
    sent = time.time_ns()
    view = on.wait_done(on.submit(["/bin/sh", "-c", script]))
    return sent, int(first.read_text()), int(last.read_text()), view["times_ms"]["done"] * 1_000_000


def _by_hand(folder: Path) -> tuple[int, int]:
    """Start what a job does, as plainly as can be; return when it was begun and began, in ns."""
    first = folder / "by-hand"
    begun = time.time_ns()
    subprocess.run(["/bin/sh", "-c", f"date +%s%N >{first}"], check=True)
    return begun, int(first.read_text())


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
