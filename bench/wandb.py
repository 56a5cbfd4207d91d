"""Our agent on a W&B server: what it asks for, how fast and how often, and after an outage.

python -m bench.wandb [rate] [starts] [idle] [running] [outage[=SECONDS]]  (600 is the figure)
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from bench.rig import percentile, row
from bench.stalls import Clock, machine
from tests.programs import clean_environment
from tests.wandb_server import Item, WandbServer

QUEUES = tuple(f"q{n}" for n in range(1, 6))
QUIET_S = 60.0
SETTLE_S = 75.0
STARTS = 20
BATCH = 200
SLOTS = 8
LIMIT_S = 120.0
START_S = 400.0
"""How long so many jobs may take to begin on a machine that has much else to do."""

AWAY_S = 60.0
ENDING = 20


@contextlib.contextmanager
def agent(server: WandbServer, folder: Path, slots: int, name: str) -> Iterator[None]:
    """Run an agent on all queues of *server* until the block ends."""
    variables = {"WANDB_BASE_URL": server.base_url, "WANDB_API_KEY": server.api_key}
    words = [word for queue in QUEUES for word in ("-q", queue)]
    command = [sys.executable, "-m", "launchyard", "agent", *words, "-e", "ent", "-j", str(slots)]
    command += ["--operations-port", "0", "--state-dir", str(folder / name)]
    with (folder / f"{name}.log").open("wb") as log:
        env = clean_environment(folder) | variables
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


@contextlib.contextmanager
def server() -> Iterator[WandbServer]:
    """Give a stand-in with five queues."""
    with WandbServer() as made:
        for queue in QUEUES:
            made.queue(queue)
        yield made


def push(on: WandbServer, script: str, queue: str = QUEUES[0]) -> Item:
    """Queue a shell script."""
    words = {"entry_point": ["/bin/sh", "-c", script]}
    spec = {"entity": "ent", "project": "p", "uri": "placeholder", "resource": "local-process"}
    return on.push(queue, {**spec, "overrides": words})


def awake(clock: Clock, begun_ns: int) -> tuple[float, float]:
    """Return the seconds since *begun_ns* in which the machine ran, and those by the clock."""
    now = time.time_ns()
    return clock.awake_ms(begun_ns, now) / 1e3, (now - begun_ns) / 1e9


def over(on: WandbServer, items: list[Item]) -> bool:
    """Tell whether the server knows that all of them are over."""
    done = {run.name for run in on.state.runs.values() if run.state == "finished"}
    return all(item.run_name in done for item in items)


def requests_a_minute(on: WandbServer) -> float:
    """Return how many requests of any sort come in while nothing happens."""
    time.sleep(SETTLE_S)
    before = len(on.requests)
    time.sleep(QUIET_S)
    return (len(on.requests) - before) * 60 / QUIET_S


def idle(on: WandbServer, folder: Path) -> None:
    """Measure what five idle queues cost, and print."""
    with agent(on, folder, SLOTS, "idle"):
        figure = f"{requests_a_minute(on):.0f}"
    row("W&B server, 5 idle queues: requests a minute", figure, "12", "15 for one queue")


def starts(on: WandbServer, folder: Path) -> None:
    """Measure the time from an item's push to its first instruction, soon after another; print."""
    spans, clocked = [], []
    with machine() as clock, agent(on, folder, SLOTS, "starts"):
        first = push(on, "true")
        on.wait_for(lambda s: over(s, [first]), LIMIT_S)
        for n in range(STARTS):
            mark = folder / f"mark{n}"
            time.sleep(1.0 + n % 5 * 0.37)
            begun_ns = time.time_ns()
            item = push(on, f"date +%s%N >{mark}", QUEUES[n % len(QUEUES)])
            on.wait_for(partial(over, items=[item]), LIMIT_S)
            started_ns = int(mark.read_text())
            spans.append(clock.awake_ms(begun_ns, started_ns) / 1e3)
            clocked.append((started_ns - begun_ns) / 1e9)
    figure = f"p50 {percentile(spans, 0.5):.2f} s, worst {max(spans):.2f} s"
    figure += f" (by the clock {percentile(clocked, 0.5):.2f} s and {max(clocked):.2f} s)"
    row("W&B server, push → job starts, within 30 s of another", figure, "1.2 s", "6.2 s")


def rate(on: WandbServer, folder: Path) -> None:
    """Measure how many jobs a second 8 slots do, and print."""
    with machine() as clock, agent(on, folder, SLOTS, "rate"):
        first = push(on, "true")
        on.wait_for(lambda s: over(s, [first]), LIMIT_S)
        asked = len(on.requests)
        begun_ns = time.time_ns()
        items = [push(on, "true") for _ in range(BATCH)]
        on.wait_for(lambda s: over(s, items), LIMIT_S)
        ran_s, span_s = awake(clock, begun_ns)
        each = (len(on.requests) - asked) / BATCH
    figure = (
        f"{BATCH / ran_s:.0f}/s, {each:.1f} requests each (by the clock {BATCH / span_s:.0f}/s)"
    )
    row(f"W&B server, {BATCH} items, {SLOTS} slots", figure, "20/s", "0.81/s")


def running(on: WandbServer, folder: Path) -> None:
    """Measure what 200 running jobs cost, and print.

    A job that is claimed does not run yet: each says so itself, and only then the minute begins.
    """
    with gate(folder / "gate") as (wait, opened), agent(on, folder, -1, "running"):
        begun = folder / "begun"
        begun.touch()
        items = [push(on, f"echo >>{begun}; {wait}") for _ in range(BATCH)]
        on.wait_for(lambda _: begun.stat().st_size >= BATCH, START_S, "all begun")
        figure = f"{requests_a_minute(on):.0f}"
        row(f"W&B server, {BATCH} running: requests a minute", figure, "30", "1,215")
        opened()
        on.wait_for(partial(over, items=items), START_S, "all over")


@contextlib.contextmanager
def gate(pipe: Path) -> Iterator[tuple[str, Callable[[], int]]]:
    """Give the words with which jobs wait, and what lets them go; the end lets them go in any case.

    A line for each job lies in the pipe until the job comes: one that is late finds it, too. A
    pipe that was only opened and closed would let go of those alone that waited at that moment.
    """
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR)
    try:
        yield f"read word <{pipe}; true", partial(os.write, end, b"\n" * BATCH)
    finally:
        pipe.unlink()
        os.close(end)


def outage(on: WandbServer, folder: Path, away_s: float = AWAY_S) -> None:
    """Measure how soon all is told once a server is back in whose absence jobs ended; print."""
    go = folder / "go"
    wait = f"until [ -e {go} ]; do sleep 0.2; done; exit"
    with machine() as clock, agent(on, folder, ENDING, "outage"):
        good = [push(on, f"{wait} 0") for _ in range(ENDING // 2)]
        bad = [push(on, f"echo no; {wait} 3") for _ in range(ENDING - len(good))]
        claimed = (*good, *bad)
        on.wait_for(lambda _: all(item.state == "CLAIMED" for item in claimed), LIMIT_S)
        on.down()
        time.sleep(away_s / 2)
        go.touch()
        time.sleep(away_s / 2)
        begun_ns = time.time_ns()
        on.up()
        on.wait_for(
            lambda s: over(s, good) and all(item.state == "FAILED" for item in bad), LIMIT_S
        )
        ran_s, span_s = awake(clock, begun_ns)
    figure = f"{ran_s:.1f} s (by the clock {span_s:.1f} s)"
    what = f"W&B server gone for {away_s:.0f} s, {ENDING} jobs ending in it: told after its return"
    row(what, figure, "10 s", "never")


def main(asked: Sequence[str] = ()) -> None:
    """Measure what is *asked* for, or all, and print."""
    parts: dict[str, Callable[..., None]] = {
        part.__name__: part for part in (rate, starts, idle, running, outage)
    }
    for word in asked or parts:
        name, _, seconds = word.partition("=")
        more = (float(seconds),) if seconds else ()
        with tempfile.TemporaryDirectory() as folder, server() as on:
            parts[name](on, Path(folder), *more)


if __name__ == "__main__":
    main(sys.argv[1:])
