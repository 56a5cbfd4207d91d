"""The real program in a home of its own, and an agent whose every step the test decides."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from launchyard.adapters.client.files import RestAttemptFiles
from launchyard.adapters.client.server import RestLaunchServer
from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import (
    AgentHello,
    Caller,
    ClaimRequest,
    Fact,
    ItemGrant,
    Launching,
    LeaseRef,
    Place,
    Report,
)
from launchyard.domain.reason import Reason
from tests.servers import RunningServer

PROGRAM = (sys.executable, "-m", "launchyard")
LIMIT_S = 200


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as a document."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """What it printed, as NDJSON."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Home:
    """A person's home folder with its variables."""

    folder: Path
    server: RunningServer | None = None
    env: dict[str, str] = field(default_factory=dict)

    def variables(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of this person's programs."""
        kept = ("PATH", "LANG", "VIRTUAL_ENV", "TMPDIR")
        base = {name: os.environ[name] for name in kept if name in os.environ}
        homes = ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")
        base |= {name: str(self.folder) for name in homes} | {"PYTHONWARNINGS": "error"}
        if self.server is not None:
            key_file = self.server.state.parent / "admin.key"
            base |= {"LAUNCHYARD_SERVER": self.server.url, "LAUNCHYARD_KEY_FILE": str(key_file)}
            base |= {"LAUNCHYARD_ENTITY": "team"}
        return base | self.env | dict(more or {})

    def run(self, *words: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Done:
        """Run one command to its end."""
        done = subprocess.run(
            [*PROGRAM, *words],
            input=stdin,
            env=self.variables(env),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def begin(self, *words: str, **more: Any) -> subprocess.Popen[str]:
        """Start a command that goes on."""
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(
            [*PROGRAM, *words], env=self.variables(), cwd=self.folder, text=True, **more
        )


class Driver:
    """An agent that does one thing at a time, when the test says so."""

    _names = itertools.count()

    def __init__(self, server: RunningServer, queue: str) -> None:
        key = server.make_key("agent")
        self._port, self._files = (
            RestLaunchServer(server.url, key),
            RestAttemptFiles(server.url, key),
        )
        self.name = f"driver{next(self._names)}"
        self._queue = queue
        hello = AgentHello(
            agent="",
            name=self.name,
            entity="team",
            queues=(queue,),
            scopes=("host:test",),
            max_jobs=4,
            hostname="test",
            version="0",
        )
        grant = self._port.hello(hello)
        self._caller = Caller(agent=grant.agent, epoch=grant.epoch)
        self._seq = 0
        self._grant: ItemGrant | None = None

    @property
    def lease(self) -> LeaseRef:
        """The lease of the item at hand."""
        assert self._grant is not None
        return LeaseRef(item=self._grant.item, attempt=self._grant.attempt, token=self._grant.token)

    def claim(self) -> str:
        """Wait for an item and take it; return its id."""
        request = ClaimRequest(
            caller=self._caller,
            claim_id=f"{self.name}-{time.monotonic_ns()}",
            queues=(self._queue,),
            free=1,
            wait_s=60,
        )
        (self._grant,) = self._port.claim(request).items
        self._seq = self._grant.seq
        return self._grant.item

    def tell(self, state: AttemptState, **more: Any) -> None:
        """Report a state."""
        self._seq += 1
        place = Place(scope="host:test", name=f"job-{self.lease.item[-8:]}")
        if state is AttemptState.RUNNING:
            self._port.launching(self._caller, [Launching(lease=self.lease, place=place)])
        fact = Fact(at_ms=time.time_ns() // 1_000_000, state=state, place=place, **more)
        self._port.report(self._caller, [Report(lease=self.lease, seq=self._seq, fact=fact)])

    def log(self, text: str, start: int = 0, source: str = "job") -> int:
        """Ship log text; return where the next begins."""
        lease = self.lease
        return self._files.append_log(lease.item, lease.attempt, source, start, text.encode())

    def output(self, path: str, data: bytes) -> None:
        """Leave a file."""
        self._files.put_output(self.lease.item, self.lease.attempt, path, io.BytesIO(data))

    def end(self, state: AttemptState = AttemptState.SUCCEEDED, **more: Any) -> None:
        """Report the end, logs complete."""
        reason = more.pop("reason", Reason.COMPLETED)
        self.tell(state, reason=reason, logs_complete=True, **more)

    def close(self) -> None:
        """Say goodbye."""
        self._port.goodbye(self._caller)
        self._port.close()
        self._files.close()
