"""A real server and a real agent for the benchmarks, as the processes that users run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

PROGRAM = (sys.executable, "-m", "launchyard")
ENTITY = "local"
QUEUE = "bench"


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Server:
    """A running server with an administrator's session."""

    url: str
    key_file: Path
    process: subprocess.Popen[bytes]
    session: requests.Session = field(default_factory=requests.Session)

    def call(self, method: str, path: str, **more: Any) -> Any:
        """Call the REST interface and return the JSON answer."""
        answer = self.session.request(method, f"{self.url}/api/v1{path}", timeout=70, **more)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def submit(self, argv: list[str], queue: str = QUEUE) -> str:
        """Put a job without source on the queue; return its id."""
        spec = {"project": "bench", "overrides": {"entry_point": argv}}
        path = f"/entities/{ENTITY}/queues/{queue}/items"
        return str(self.call("POST", path, json={"spec": spec})["id"])

    def item(self, item: str) -> dict[str, Any]:
        """Return an item's view."""
        return dict(self.call("GET", f"/items/{item}"))

    def wait_done(self, item: str) -> dict[str, Any]:
        """Wait until *item* is done, by the server's events; return its last view."""
        url = f"{self.url}/api/v1/items/{item}/events"
        with self.session.get(url, stream=True, timeout=120) as stream:
            for line in stream.iter_lines():
                if line.startswith(b"data:"):
                    view = json.loads(line[5:])
                    if view.get("state") == "done":
                        return dict(view)
        raise RuntimeError(f"the events of {item} ended before its end")


def environment(home: Path) -> dict[str, str]:
    """Return this process's variables without ours, with *home* as every kind of home."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("LAUNCHYARD", "WANDB", "PYTHONDONT"))
    }
    return kept | {"HOME": str(home), "XDG_STATE_HOME": str(home), "XDG_CONFIG_HOME": str(home)}


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Server]:
    """Run a server with an empty database, a queue `bench` and an administrator's key."""
    port = free_port()
    key_file = folder / "admin.key"
    log = (folder / "server.log").open("wb")
    command = [*PROGRAM, "server", "--port", str(port), "--state-dir", str(folder / "server")]
    command += ["--admin-key-file", str(key_file)]
    process = subprocess.Popen(command, env=environment(folder), stdout=log, stderr=log)
    running = Server(f"http://127.0.0.1:{port}", key_file, process)
    try:
        _until(lambda: _ready(running), "the server")
        running.session.headers["Authorization"] = f"Bearer {key_file.read_text().strip()}"
        known = [entity["name"] for entity in running.call("GET", "/entities")["entities"]]
        if ENTITY not in known:
            running.call("POST", "/entities", json={"name": ENTITY, "kind": "team"})
        queues = running.call("GET", f"/entities/{ENTITY}/queues")["queues"]
        if QUEUE not in [queue["name"] for queue in queues]:
            queue = {"name": QUEUE, "resource": "local-process", "config": {}}
            running.call("POST", f"/entities/{ENTITY}/queues", json=queue)
        yield running
    finally:
        stop(process)


def add_target(
    on: Server, folder: Path, queue: str, resource: str, *, target: Any, config: Any
) -> None:
    """Make a queue for *resource* with *config*, and tell later agents of its *target*."""
    body = {"name": queue, "resource": resource, "config": config}
    on.call("POST", f"/entities/{ENTITY}/queues", json=body)
    file = folder / "wandb" / "launch-config.yaml"
    file.parent.mkdir()
    file.write_text(json.dumps({"targets": {resource: target}}))


@contextlib.contextmanager
def agent(
    on: Server, folder: Path, jobs: int, name: str = "agent", queue: str = QUEUE
) -> Iterator[subprocess.Popen[bytes]]:
    """Run an agent on a queue; it is drained at the end."""
    log = (folder / f"{name}.log").open("wb")
    command = [*PROGRAM, "agent", "-q", queue, "-e", ENTITY, "-j", str(jobs), "--server", on.url]
    command += ["--key-file", str(on.key_file), "--state-dir", str(folder / name)]
    command += ["--operations-port", str(free_port()), "--name", name]
    process = subprocess.Popen(command, env=environment(folder), stdout=log, stderr=log)
    try:
        yield process
    finally:
        stop(process)


def _ready(running: Server) -> bool:
    if running.process.poll() is not None:
        raise RuntimeError("the server ended; see server.log")
    try:
        return requests.get(f"{running.url}/readyz", timeout=1).ok and running.key_file.exists()
    except (requests.ConnectionError, requests.Timeout):
        return False


def _until(ready: Any, what: str, limit_s: float = 30) -> None:
    stop = time.monotonic() + limit_s
    while not ready():
        if time.monotonic() > stop:
            raise RuntimeError(f"{what} was not ready within {limit_s:.0f} s")
        time.sleep(0.02)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a program in the regular way, by force only when that fails."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def percentile(values: list[float], part: float) -> float:
    """Return the value below which *part* (0 to 1) of *values* lie."""
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


def row(what: str, figure: str, wanted: str, peer: str = "–") -> None:
    """Print one line of the table."""
    print(f"| {what} | {peer} | {wanted} | {figure} |", flush=True)
