"""An agent in a thread of the test, with real worker processes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from launchyard.actors.agent import Agent, AgentParts
from launchyard.actors.desk import BUILD, Rules
from launchyard.actors.identity import Identity
from launchyard.adapters.local.target import LocalTarget, LocalTargetConfig
from launchyard.adapters.prometheus.metrics import PrometheusMetrics
from launchyard.adapters.sqlite.journal import SqliteJournal
from launchyard.adapters.system.clock import SystemClock
from launchyard.domain.admission import Limits
from launchyard.ports.families import PROCESS_STATE
from launchyard.ports.journal import Journal
from launchyard.ports.launch_server import LaunchServer
from launchyard.ports.policy import NoPolicy, Policy
from launchyard.ports.target import HostSpec

TARGET = "local-process"
LIMIT_S = 120.0


def until(ready: Callable[[], object], what: str, limit_s: float = LIMIT_S) -> None:
    """Look until *ready*; for what no event tells of, such as a file that a job writes."""
    stop = time.monotonic() + limit_s
    while not ready():
        assert time.monotonic() < stop, what
        time.sleep(0.01)


@dataclass
class Running:
    """An agent that runs in a thread."""

    agent: Agent
    thread: threading.Thread
    result: list[tuple[int, str]] = field(default_factory=list)

    def wait(self, limit_s: float = LIMIT_S) -> tuple[int, str]:
        """Wait for its end; return its exit code and last words."""
        self.thread.join(limit_s)
        assert not self.thread.is_alive(), self.agent.dump()
        return self.result[0]

    def host_pids(self) -> list[int]:
        """Return the ids of its worker processes."""
        views = self.agent.view.status().actors
        return [int(v.doing.split()[1]) for v in views if v.doing.startswith("process ")]


@dataclass
class Bench:
    """A folder in which agents follow each other."""

    folder: Path
    server: LaunchServer
    rules: Mapping[str, Any] = field(default_factory=dict)
    journal: Callable[[str], Journal] = SqliteJournal
    entry: str = "tests.actors.hosts:run_host"
    policy: Policy = field(default_factory=NoPolicy)
    look_s: float = 10.0

    def target(self) -> LocalTarget:
        """Return the real target with the test's run host."""
        root = self.folder / "local"
        root.mkdir(exist_ok=True)
        (self.folder / "files").mkdir(exist_ok=True)
        host = HostSpec(name=TARGET, entry=self.entry, spec=str(self.folder))
        return LocalTarget(LocalTargetConfig(root=str(root), host=host))

    def make(self, **limits: int) -> Agent:
        """Return an agent that has not begun."""
        rules = Rules(
            limits=replace(Limits(max_jobs=8), **limits),
            jobs_folder=str(self.folder / "jobs"),
            **self.rules,
        )
        (self.folder / "jobs").mkdir(exist_ok=True)
        me = Identity(name="me", entity="team", queues=("q",), version="0")
        return Agent(
            AgentParts(
                identity=me,
                server=self.server,
                journal=self.journal(str(self.folder)),
                clock=SystemClock(),
                metrics=PrometheusMetrics(),
                targets={TARGET: self.target()},
                build=HostSpec(
                    name=BUILD, entry="tests.actors.hosts:build_host", spec=str(self.folder)
                ),
                rules=rules,
                policy=self.policy,
                look_s=self.look_s,
            )
        )

    @contextlib.contextmanager
    def running(self, **limits: int) -> Iterator[Running]:
        """Run an agent; one that still runs at the end is told to end at once."""
        agent = self.make(**limits)
        result: list[tuple[int, str]] = []
        thread = threading.Thread(target=lambda: result.append(agent.run()), daemon=True)
        running = Running(agent, thread, result)
        thread.start()
        try:
            yield running
        finally:
            for _ in range(3):
                agent.signal(15)
            running.wait()

    def log_of(self, item: str) -> str:
        """Return what was shipped of a job's log."""
        path = self.folder / "files" / f"{item}-1-main.log"
        return path.read_text() if path.exists() else ""


def shown(agent: Agent) -> list[str]:
    """Return the states that a scrape would find the agent in."""
    agent.view.refresh()
    found = (one for one in agent.session.metrics.snapshot() if one.family is PROCESS_STATE)
    return [one.labels["state"] for one in found if one.value]


def once(marker: Path, then: str = "") -> tuple[str, str, str]:
    """Return a command that leaves one line for each time it is run."""
    return ("/bin/sh", "-c", f"echo ran >>{marker}; {then}")


def gated(marker: Path) -> tuple[str, str, str]:
    """Return such a command that ends when `<marker>.go` is there."""
    return once(marker, f"while [ ! -e {marker}.go ]; do sleep 0.02; done")


def runs_of(marker: Path) -> int:
    """Tell how often the command ran."""
    return len(marker.read_text().split()) if marker.exists() else 0
