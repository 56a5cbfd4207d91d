"""Containers: enqueue → first instruction, beside `docker run` of the same image there.

The two are measured in turns, so that both meet the same machine; times in which its host had
stopped it are taken out, and shown. The job writes the clock down, where this program can read it.
"""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.rig import ENTITY, Server, add_target, agent, percentile, row, server
from bench.stalls import Clock, machine
from tests.rig.dockerd import DOCKER, Docker, docker_daemon
from tests.rig.small_image import load_small_image

JOBS = int(os.environ.get("BENCH_DOCKER_JOBS", "40"))
WANTED = 1.3
QUEUE = "containers"


def main() -> None:
    """Measure and print."""
    with (
        machine() as clock,
        tempfile.TemporaryDirectory() as name,
        docker_daemon(Path(name)) as docker,
        server(Path(name)) as on,
    ):
        folder = Path(name)
        image = load_small_image(docker, folder)
        # Its containers share a folder with this program.
        config = {"network": "none", "volume": [f"{folder}:/bench"]}
        target = {"host": f"unix://{docker.socket}"}
        add_target(on, folder, QUEUE, "local-container", target=target, config=config)
        with agent(on, folder, 8, queue=QUEUE):
            ways = (_ours(on, image, folder), _plain(docker, image, folder))
            spans: tuple[list[tuple[int, int]], ...] = ([], [])
            for number in range(JOBS + 2):
                for way, found in zip(ways, spans, strict=True):
                    span = way(number)
                    if number > 1:  # the first ones find nothing warm
                        found.append(span)
        _print(clock, *spans)


def _ours(on: Server, image: str, folder: Path) -> Callable[[int], tuple[int, int]]:
    """Return what sends a job, waits for its end, and says when it was sent and began, in ns."""

    def run(number: int) -> tuple[int, int]:
        time.sleep(random.uniform(0.05, 0.15))  # noqa: S311  # spacing, not secrecy
        into = f"ours-{number}"
        entry = ["/bin/sh", "-c", f"date +%s%N >/bench/{into}"]
        overrides = {"entry_point": entry}
        spec = {"project": "b", "docker": {"docker_image": image}, "overrides": overrides}
        sent = time.time_ns()
        found = on.call("POST", f"/entities/{ENTITY}/queues/{QUEUE}/items", json={"spec": spec})
        on.wait_done(found["id"])
        return sent, int((folder / into).read_text())

    return run


def _plain(docker: Docker, image: str, folder: Path) -> Callable[[int], tuple[int, int]]:
    """Return what does the same with docker's own client."""

    def run(number: int) -> tuple[int, int]:
        time.sleep(random.uniform(0.05, 0.15))  # noqa: S311  # spacing, not secrecy
        into = f"plain-{number}"
        words = [DOCKER, "-H", f"unix://{docker.socket}", "run", "--rm", "--init"]
        words += ["--network=none", f"--volume={folder}:/bench", image]
        sent = time.time_ns()
        subprocess.run([*words, "/bin/sh", "-c", f"date +%s%N >/bench/{into}"], check=True)
        return sent, int((folder / into).read_text())

    return run


def _print(clock: Clock, ours: list[tuple[int, int]], plain: list[tuple[int, int]]) -> None:
    ms = [[clock.awake_ms(*span) for span in spans] for spans in (ours, plain)]
    by_clock = [[(end - begun) / 1e6 for begun, end in spans] for spans in (ours, plain)]
    awake, clocked = (
        [(percentile(one, 0.5), percentile(one, 0.9)) for one in pair] for pair in (ms, by_clock)
    )
    ratio = awake[0][0] / max(awake[1][0], 0.001)
    figures = f"{ratio:.2f} ({awake[0][0]:.0f} / {awake[1][0]:.0f} ms"
    figures += f"; p90 {awake[0][1]:.0f} / {awake[1][1]:.0f} ms"
    figures += f"; by the clock {clocked[0][0]:.0f} / {clocked[1][0]:.0f} ms"
    figures += f", the machine stood still {clock.share():.0%} of it)"
    what = "Docker no-op, enqueue → first instruction over `docker run`, p50"
    row(what, figures, f"{WANTED}", "5900 ms")


if __name__ == "__main__":
    main()
