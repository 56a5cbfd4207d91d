"""The real programs, started as processes, for acceptance and chaos tests.

Everything waits for an event of the program (a readiness page, an item's event, a process's end),
never for a fixed time.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import requests

PROGRAM = (sys.executable, "-m", "launchyard")
ENTITY = "team"
QUEUE = "main"
LIMIT_S = 240.0
_PORTS: Final = range(20_000, 32_000)  # the system gives to whoever wants any only higher ones


def free_port() -> int:
    """Return a port that nobody listens on, or is given here until this process's end."""
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("", port))
            if _hold(f"launchyard-tests-port-{port}"):
                return port


def _hold(name: str) -> bool:
    """Take a name that only one process of this machine can have; tell whether it was free."""
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0{name}")
    except OSError:
        mark.close()
        return False
    mark.detach()  # nobody closes it: the system does so at this process's end
    return True


def is_ok(url: str) -> bool:
    """Tell whether *url* answers with a success; who is not there, or too slow, does not."""
    try:
        return requests.get(url, timeout=10).ok
    except requests.RequestException:
        return False


def until(
    ready: Callable[[], bool], what: str | Callable[[], str], limit_s: float = LIMIT_S
) -> None:
    """Look until *ready*; fail naming *what*, asked for by then, when the time is over."""
    stop = time.monotonic() + limit_s
    while not ready():
        if time.monotonic() > stop:
            name = what if isinstance(what, str) else what()
            raise AssertionError(f"{name}: not within {limit_s:.0f} s")
        time.sleep(0.02)


def clean_environment(home: Path) -> dict[str, str]:
    """Return this process's variables without ours, with *home* as every kind of home."""
    ours = ("LAUNCHYARD", "WANDB", "XDG_", "PYTHONDONT")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    homes = ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")
    return kept | {name: str(home) for name in homes}


@dataclass
class Program:
    """One of our programs, with what it printed."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.process.pid

    def said(self) -> str:
        """Return everything that it printed so far."""
        return self.log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it without a chance to say goodbye."""
        self.process.kill()
        self.process.wait()

    def wait(self, limit_s: float = LIMIT_S) -> int:
        """Wait for its end; return its exit code."""
        return self.process.wait(limit_s)

    def stop(self) -> int:
        """End it in the regular way, by force only when that fails."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                return self.process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.wait()

    def children(self) -> list[int]:
        """Return the ids of its child processes that are still there."""
        # By their parent: a thread's own list goes away with the thread, midway in reading it.
        found: list[int] = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                if int(stat.read_text().rpartition(")")[2].split()[1]) == self.pid:
                    found.append(int(stat.parent.name))
        return found


def start(
    folder: Path, name: str, words: list[str], env: Mapping[str, str] | None = None
) -> Program:
    """Start `launchyard <words>` with its output in `<folder>/<name>.log`."""
    log = folder / f"{name}.log"
    variables = clean_environment(folder) | dict(env or {})
    with log.open("ab") as out:
        process = subprocess.Popen([*PROGRAM, *words], env=variables, stdout=out, stderr=out)
    return Program(process, log)


@dataclass
class Yard:
    """A server that can be killed and started again, and agents on its queue."""

    folder: Path
    port: int = field(default_factory=free_port)
    server_words: tuple[str, ...] = ()
    queue: str = QUEUE
    server: Program | None = None
    agents: dict[str, Program] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    through: int = 0
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def url(self) -> str:
        """Where the server is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def key_file(self) -> Path:
        """Where the administrator's key is kept."""
        return self.folder / "admin.key"

    def start_server(self, env: Mapping[str, str] | None = None, *, wait: bool = True) -> Program:
        """Start the server and, unless told otherwise, wait until it is ready."""
        words = ["server", "--port", str(self.port), "--state-dir", str(self.folder / "server")]
        words += ["--admin-key-file", str(self.key_file), *self.server_words]
        self.server = program = start(self.folder, "server", words, env)
        if not wait:
            return program
        until(lambda: program.process.poll() is not None or self._ready(), "server")
        assert program.process.poll() is None, program.said()
        self.session.headers["Authorization"] = f"Bearer {self.key_file.read_text().strip()}"
        return program

    def _ready(self) -> bool:
        return is_ok(f"{self.url}/readyz") and self.key_file.exists()

    def make_queue(self, **more: Any) -> None:
        """Make the team and its queue."""
        known = [entity["name"] for entity in self.call("GET", "/entities")["entities"]]
        if ENTITY not in known:
            self.call("POST", "/entities", json={"name": ENTITY, "kind": "team"})
        queue = {"name": self.queue, "resource": "local-process", "config": {}} | more
        self.call("POST", f"/entities/{ENTITY}/queues", json=queue)

    def start_agent(
        self, name: str = "agent", jobs: int | None = 8, env: Mapping[str, str] | None = None
    ) -> Program:
        """Start an agent, by its configuration without *jobs*; starts of a name share a state."""
        port = self.through or self.port
        words = ["agent", "-q", self.queue, "-e", ENTITY, "--name", name]
        words += ["-j", str(jobs)] if jobs is not None else []
        words += ["--server", f"http://127.0.0.1:{port}", "--key-file", str(self.key_file)]
        words += ["--state-dir", str(self.folder / name), "--operations-port", str(free_port())]
        self.agents[name] = program = start(self.folder, name, words, {**self.env, **(env or {})})
        return program

    def call(self, method: str, path: str, **more: Any) -> Any:
        """Call the REST interface; return the JSON answer."""
        answer = self.session.request(method, f"{self.url}/api/v1{path}", timeout=LIMIT_S, **more)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def submit(self, *argv: str, **more: Any) -> str:
        """Put a command on the queue; return the item's id."""
        spec = {"project": "p", "overrides": {"entry_point": list(argv)}} | more
        path = f"/entities/{ENTITY}/queues/{self.queue}/items"
        return str(self.call("POST", path, json={"spec": spec})["id"])

    def item(self, item: str) -> dict[str, Any]:
        """Return an item's view."""
        return dict(self.call("GET", f"/items/{item}"))

    def wait_for(
        self, item: str, seen: Callable[[dict[str, Any]], bool], limit_s: float = LIMIT_S
    ) -> dict[str, Any]:
        """Follow an item's events until *seen* is true of it; return it then.

        A server that goes away meanwhile is asked again.
        """
        stop = time.monotonic() + limit_s
        view: dict[str, Any] = {}
        while time.monotonic() < stop:
            try:
                for view in self._events(item, stop - time.monotonic()):
                    if seen(view):
                        return view
            except requests.RequestException:
                until(self._ready, "server", max(stop - time.monotonic(), 0.1))
        pytest_fail = f"{item} stays {view.get('state')}/{view.get('attempt_state')}: {view}"
        raise AssertionError(pytest_fail)

    def _events(self, item: str, limit_s: float) -> Iterator[dict[str, Any]]:
        url = f"{self.url}/api/v1/items/{item}/events"
        with self.session.get(url, stream=True, timeout=max(limit_s, 0.1)) as stream:
            stream.raise_for_status()
            for line in stream.iter_lines(chunk_size=1):
                if line.startswith(b"data:"):
                    yield dict(json.loads(line[5:]))

    def wait_done(self, item: str, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """Wait for an item's end."""
        return self.wait_for(item, lambda view: view["state"] == "done", limit_s)

    def wait_running(self, item: str, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """Wait until an item runs (or is over)."""
        return self.wait_for(
            item, lambda v: v["attempt_state"] == "running" or v["state"] == "done", limit_s
        )

    def log_of(self, item: str) -> str:
        """Return the job's log, once it is complete."""
        self.wait_for(item, lambda view: bool(view["logs_complete"]))
        url = f"{self.url}/api/v1/items/{item}/logs"
        return self.session.get(url, timeout=LIMIT_S).content.decode()

    @contextlib.contextmanager
    def beside(self, queue: str) -> Iterator[Yard]:
        """Make another queue on the same server; its agents are stopped at the end."""
        made = replace(self, queue=queue, server=None, agents={})
        made.make_queue()
        try:
            yield made
        finally:
            made.close()

    def close(self) -> None:
        """Stop everything."""
        for program in self.agents.values():
            program.stop()
        if self.server:
            self.server.stop()


@contextlib.contextmanager
def yard(folder: Path, *server_words: str) -> Iterator[Yard]:
    """Run a server with an empty queue; agents are started by the test."""
    made = Yard(folder, server_words=server_words)
    try:
        made.start_server()
        made.make_queue()
        yield made
    finally:
        made.close()


def once(marker: Path, seconds: str = "0") -> tuple[str, ...]:
    """Return a command that adds one line to *marker* when it begins and one when it ends."""
    script = f'echo begun >>"{marker}"; sleep {seconds}; echo ended >>"{marker}"'
    return ("/bin/sh", "-c", script)


def ran_once(marker: Path) -> bool:
    """Tell whether the job of `once` ran exactly once, to its end."""
    return marker.exists() and marker.read_text() == "begun\nended\n"
