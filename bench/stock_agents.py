"""Three stock `wandb launch-agent` processes on our server: is anything lost, or run twice?

python -m bench.stock_agents [ITEMS [SECONDS]]

Each job leaves its number in a file and tells of its run as W&B's client does, in two requests of
its own: a whole `wandb.init()` costs seconds of processor time, and would measure that alone.
When the time is over the queue is paused; what no agent has popped by then does not count.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.rig import ENTITY, QUEUE, Server, row, server
from bench.stalls import machine
from tests.stock_client import stock_environment, stock_python

AGENTS = 3
SLOTS = 40
ITEMS = 1000
TIME_S = 120.0
REST_S = 60.0
_HELD = {"claimed", "launching", "launched"}
_JOB = """
import base64, http.client, json, os, sys
env = os.environ
with open(sys.argv[1], "a") as marks:
    marks.write(sys.argv[2] + "\\n")
names = {"e": env["WANDB_ENTITY"], "p": env["WANDB_PROJECT"], "r": env["WANDB_RUN_ID"]}
key = base64.b64encode(b"api:" + env["WANDB_API_KEY"].encode()).decode()
line = http.client.HTTPConnection(env["WANDB_BASE_URL"].removeprefix("http://"))

def tell(path, body):
    line.request("POST", path, json.dumps(body), {"Authorization": "Basic " + key})
    answer = line.getresponse()
    said = answer.read()
    assert answer.status == 200, said

begin = '''mutation B($e: String!, $p: String!, $r: String!) { upsertBucket(input: {
  entityName: $e, modelName: $p, name: $r}) { inserted } }'''
tell("/graphql", {"query": begin, "variables": names})
stream = "/files/{e}/{p}/{r}/file_stream".format(**names)
tell(stream, {"files": {}, "complete": True, "exitcode": 0})
"""


@contextlib.contextmanager
def stock_agent(on: Server, folder: Path, name: str) -> Iterator[None]:
    """Run a stock agent on the queue `bench` until the block ends."""
    home = folder / name
    home.mkdir()
    wandb = stock_python().with_name("wandb")
    told = stock_environment(on.url, on.key_file.read_text().strip(), home)
    env = {**told, "PATH": f"{wandb.parent}:/usr/bin:/bin"}
    words = ["launch-agent", "-q", QUEUE, "-e", ENTITY, "--max-jobs", str(SLOTS)]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [str(wandb), *words],
            env=env,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield
        finally:
            process.kill()
            process.wait()


def submitted(on: Server, folder: Path, count: int) -> list[str]:
    """Queue *count* jobs; return their items."""
    script, marks = folder / "job.py", folder / "marks"
    script.write_text(_JOB)
    marks.touch()
    python = [sys.executable, "-S", str(script), str(marks)]
    return [on.submit([*python, str(number)]) for number in range(count)]


def views(on: Server) -> dict[str, dict[str, Any]]:
    """Return every item as it is now."""
    found: dict[str, dict[str, Any]] = {}
    before = ""
    while page := on.call("GET", f"/items?most=500&before={before}")["items"]:
        found |= {one["id"]: one for one in page}
        before = page[-1]["id"]
    return found


def settled(on: Server, states: set[str], limit_s: float) -> None:
    """Wait until no item is in one of *states*, or the time is over."""
    stop = time.monotonic() + limit_s
    while time.monotonic() < stop and any(one["state"] in states for one in views(on).values()):
        time.sleep(2.0)


def measure(on: Server, folder: Path, count: int, limit_s: float) -> None:
    """Let three agents share *count* items, and print what became of them."""
    items = submitted(on, folder, count)
    queue = f"/entities/{ENTITY}/queues/{QUEUE}"
    with contextlib.ExitStack() as stack:
        clock = stack.enter_context(machine())
        begun_ns = time.time_ns()
        for number in range(AGENTS):
            stack.enter_context(stock_agent(on, folder, f"agent{number}"))
        settled(on, {"queued", *_HELD}, limit_s)
        on.call("PATCH", queue, json={"paused": True})
        settled(on, _HELD, REST_S)
        span_s = (time.time_ns() - begun_ns) / 1e9
        ran_s = clock.awake_ms(begun_ns, time.time_ns()) / 1e3
    seen = views(on)
    ran = Counter(int(line) for line in (folder / "marks").read_text().split())
    taken = [n for n, item in enumerate(items) if seen[item]["state"] != "queued" or ran[n]]
    good = [n for n in taken if seen[items[n]]["attempt_state"] == "succeeded"]
    lost = sum(1 for n in taken if ran[n] == 0 or n not in set(good))
    doubled = sum(1 for times in ran.values() if times > 1)
    shares = sorted(Counter(seen[items[n]]["agent_name"] for n in taken).values())
    figure = f"{len(good)} of {len(taken)} succeeded, {lost} lost, {doubled} run twice; shares "
    figure += f"{shares}, in {ran_s:.0f} s (by the clock {span_s:.0f} s)"
    what = f"{AGENTS} stock agents on our server, {SLOTS} slots each"
    row(what, figure, "none lost, none twice")


def main(count: int = ITEMS, limit_s: float = TIME_S) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name, server(Path(name)) as on:
        measure(on, Path(name), count, limit_s)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:3]))
