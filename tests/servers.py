"""A real server in a process of its own, for whoever tests against one.

    with running_server(tmp_path) as server:
        server.call("POST", "/entities", json={"name": "team", "kind": "team"})

The folder keeps its state: leave the context and enter it again for a restart.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

_PROGRAM = """
import sys
from launchyard.bootstrap.server import ServerOptions, run_server
from launchyard.ports.programs import ProgramError
host, port, state, key = sys.argv[1:5]
try:
    options = ServerOptions(host=host, port=int(port), state_dir=state, admin_key_file=key)
    sys.exit(run_server(options))
except ProgramError as error:
    print(error, error.remedy, file=sys.stderr)
    sys.exit(error.code)
"""
LIMIT_S = 120.0


@dataclass
class RunningServer:
    """A server that answers; `admin_key` may do everything everywhere."""

    url: str
    admin_key: str
    state: Path
    log: Path
    process: subprocess.Popen[str]
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def api(self) -> str:
        """Where the REST interface begins."""
        return f"{self.url}/api/v1"

    def ask(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> requests.Response:
        """Call the REST interface, as the administrator unless a *key* is given ("" for none)."""
        sent = dict(headers or {})
        if key != "":
            sent.setdefault("Authorization", f"Bearer {key or self.admin_key}")
        more.setdefault("timeout", LIMIT_S)
        url = f"{self.api}{path}" if path.startswith("/") else f"{self.url}/{path}"
        return self.session.request(method, url, headers=sent, **more)

    def call(self, method: str, path: str, **more: Any) -> Any:
        """Call the REST interface; return the document of an answer that has to be a success."""
        answer = self.ask(method, path, **more)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def make_queue(self, entity: str = "team", queue: str = "main", **more: Any) -> None:
        """Make a team and a queue of it; a team that is there already is no trouble."""
        self.ask("POST", "/entities", json={"name": entity, "kind": "team"})
        body = {"name": queue, "resource": "local-process", "config": {}} | more
        self.call("POST", f"/entities/{entity}/queues", json=body)

    def make_key(self, role: str, entity: str = "team", user: str = "ada") -> str:
        """Make a key; return its text."""
        body = {"user": user, "entity": entity, "role": role}
        return str(self.call("POST", "/keys", json=body)["key"])

    def submit(self, *argv: str, queue: str = "main", entity: str = "team") -> str:
        """Put a command on a queue; return the item's id."""
        spec = {"project": "p", "overrides": {"entry_point": list(argv or ("true",))}}
        path = f"/entities/{entity}/queues/{queue}/items"
        return str(self.call("POST", path, json={"spec": spec})["id"])

    def said(self) -> str:
        """Return what the server wrote to its log."""
        return self.log.read_text(errors="replace")

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        self.process.terminate()
        return self.process.wait(LIMIT_S)

    def kill(self) -> None:
        """End it without a chance to say goodbye."""
        self.process.kill()
        self.process.wait()


def start_program(folder: Path, port: int = 0, host: str = "127.0.0.1") -> subprocess.Popen[str]:
    """Start the server program with its state in *folder*; it may still fail."""
    words = [host, str(port), str(folder / "state"), str(folder / "admin.key")]
    with (folder / "server.log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *words],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )


@contextlib.contextmanager
def running_server(folder: Path, port: int = 0) -> Iterator[RunningServer]:
    """Run a server with its state in *folder*, on a port of the system's choice."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    process = start_program(folder, port)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert " at http://" in line, f"{line}{log.read_text()}"
        url = line.split(" at ")[1].strip()
        key = (folder / "admin.key").read_text().strip()
        server = RunningServer(url, key, folder / "state", log, process)
        with server.session:
            yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        process.stdout.close()
