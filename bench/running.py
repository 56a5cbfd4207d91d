"""How much an agent with 200 running jobs asks of its server."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

import requests

from bench.rig import Server, agent, row, server

JOBS = 200
MINUTE_S = 60.0


def served(on: Server) -> int:
    """Return how many agent requests the server has answered so far."""
    text = requests.get(f"{on.url}/metrics", timeout=5).text
    total = 0.0
    for line in text.splitlines():
        if line.startswith("launchyard_http_requests_total{") and "/agents/" in line:
            total += float(re.split(r"\s", line)[-1])
    return int(total)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as on:
        items = [on.submit(["/bin/sleep", "600"]) for _ in range(JOBS)]
        with agent(on, Path(folder), JOBS):
            for item in items:
                while on.item(item)["attempt_state"] != "running":
                    time.sleep(0.05)
            time.sleep(2)
            before = served(on)
            time.sleep(MINUTE_S)
            asked = served(on) - before
            for item in items:
                on.call("POST", f"/items/{item}/cancel")
            for item in items:
                on.wait_done(item)
    row(f"{JOBS} running jobs: requests a minute", str(asked), "10", "1215")
    print("(a claim that waits counts when it is answered)")


if __name__ == "__main__":
    main()
