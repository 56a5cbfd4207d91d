"""Our agent on a W&B server: what it asks for, how soon it starts items, and how many a second."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.rig import percentile, row
from tests.programs import clean_environment
from tests.wandb_server import Item, WandbServer

QUEUES = tuple(f"q{n}" for n in range(1, 6))
QUIET_S = 60.0
SETTLE_S = 75.0
STARTS = 20
BATCH = 200
SLOTS = 8
LIMIT_S = 120.0


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
    spans = []
    with agent(on, folder, SLOTS, "starts"):
        first = push(on, "true")
        on.wait_for(lambda s: over(s, [first]), LIMIT_S)
        for n in range(STARTS):
            mark = folder / f"mark{n}"
            time.sleep(1.0 + n % 5 * 0.37)
            begun = time.time()
            item = push(on, f"date +%s.%N >{mark}", QUEUES[n % len(QUEUES)])
            on.wait_for(partial(over, items=[item]), LIMIT_S)
            spans.append(float(mark.read_text()) - begun)
    figure = f"p50 {percentile(spans, 0.5):.2f} s, worst {max(spans):.2f} s"
    row("W&B server, push → job starts, within 30 s of another", figure, "1.2 s", "6.2 s")


def rate(on: WandbServer, folder: Path) -> None:
    """Measure how many jobs a second 8 slots do, and print."""
    with agent(on, folder, SLOTS, "rate"):
        first = push(on, "true")
        on.wait_for(lambda s: over(s, [first]), LIMIT_S)
        begun = time.monotonic()
        items = [push(on, "true") for _ in range(BATCH)]
        on.wait_for(lambda s: over(s, items), LIMIT_S)
        span_s = time.monotonic() - begun
    row(f"W&B server, {BATCH} items, {SLOTS} slots", f"{BATCH / span_s:.0f}/s", "20/s", "0.81/s")


def running(on: WandbServer, folder: Path) -> None:
    """Measure what 200 running jobs cost, and print."""
    with agent(on, folder, -1, "running"):
        items = [push(on, "sleep 600") for _ in range(BATCH)]
        on.wait_for(lambda _: all(item.state == "CLAIMED" for item in items), LIMIT_S)
        figure = f"{requests_a_minute(on):.0f}"
        for item in items:
            on.run(item.run_name or "", "p").stopped = True
        on.wait_for(lambda _: _stopped(folder / "running"), LIMIT_S)
    row(f"W&B server, {BATCH} running: requests a minute", figure, "30", "1,215")


def _stopped(state: Path) -> bool:
    """Tell whether the agent holds nothing any more, by its adapter's own file."""
    held: set[str] = set()
    for line in (state / "wandb" / "items.jsonl").read_text().splitlines():
        change = json.loads(line)
        if "held" in change:
            held.add(change["held"]["item"])
        held.discard(change.get("gone", ""))
    return not held


def main() -> None:
    """Measure and print."""
    for part in (rate, starts, idle, running):
        with tempfile.TemporaryDirectory() as folder, server() as on:
            part(on, Path(folder))


if __name__ == "__main__":
    main()
