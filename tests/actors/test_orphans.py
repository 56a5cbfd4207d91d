"""What is on a target and no attempt's, and what is there since before a start."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from launchyard.adapters.http.operations_html import status_html
from launchyard.adapters.local.runner import LocalConfig, LocalRunner
from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.naming import Owner, labels, target_name
from launchyard.domain.reason import Reason
from launchyard.ports.families import CANCEL_DURATION, JOBS_ADOPTED, ORPHANS_FOUND
from launchyard.ports.metrics import Family
from launchyard.ports.runner import Launch
from tests.actors.kit import LIMIT_S, TARGET, Bench, Running, gated, until
from tests.actors.server import ScriptedServer
from tests.adapters.local.plans import local_plan

S = AttemptState


@pytest.fixture
def server() -> ScriptedServer:
    """Return a server without items."""
    return ScriptedServer()


@pytest.fixture
def bench(tmp_path_factory: pytest.TempPathFactory, server: ScriptedServer) -> Bench:
    """Return a place for agents of that server that look often."""
    return Bench(tmp_path_factory.mktemp("bench"), server, {"orphans_every_s": 0.05})


def total(running: Running, family: Family, suffix: str = "_total") -> dict[str, float]:
    """Return a family's numbers by the value of their last label."""
    found = running.agent.session.metrics.snapshot()
    mine = [one for one in found if one.family == family and one.suffix == suffix]
    return {one.labels[family.labels[-1]]: one.value for one in mine if one.value}


@contextmanager
def left_behind(bench: Bench, installation: str, item: str) -> Iterator[None]:
    """Leave a running process of an attempt that no agent knows; see at the end that it lives."""
    bench.target()
    runner = LocalRunner(LocalConfig(root=str(bench.folder / "local")))
    owner = Owner(installation=installation, item=item, attempt=1, agent="before")
    name = target_name(installation, item, 1)
    plan = local_plan(bench.folder / "jobs" / name, "exec sleep 600")
    deadline = time.clock_gettime(time.CLOCK_BOOTTIME) + LIMIT_S
    launch = Launch(owner=owner, name=name, labels=labels(owner, ""), plan=plan, deadline=deadline)
    handle = runner.submit(launch)
    until(lambda: runner.observe(handle).state is S.RUNNING, "its start")
    try:
        yield
        assert runner.observe(handle).state is S.RUNNING
    finally:
        runner.cancel(handle, 0.0, Reason.CANCELLED)
        until(lambda: runner.observe(handle).state in ENDS, "its end")


def test_an_orphan_is_told_and_left(bench: Bench, server: ScriptedServer) -> None:
    """It is counted once, shown for as long as it is there, and other installations' are not."""
    server.enqueue("a", *gated(bench.folder / "m"))
    with (
        left_behind(bench, server.installation, "ghost"),
        left_behind(bench, "theirs", "other"),
        bench.running() as running,
    ):
        server.wait_state("a", S.RUNNING)
        until(lambda: running.agent.view.status().orphans, "the orphan")
        (view,) = running.agent.view.status().orphans
        assert (view.target, view.item, view.state) == (TARGET, "ghost", S.RUNNING)
        until(lambda: total(running, ORPHANS_FOUND) == {"ignored": 1}, "its count")
        assert "ghost" in status_html(running.agent.view.status(), 0)
        (bench.folder / "m.go").touch()
        assert server.wait_end("a").state is S.SUCCEEDED


def test_what_is_adopted_and_cancelled_is_counted(bench: Bench, server: ScriptedServer) -> None:
    """One ran on, one ended while nobody looked; the first is cancelled then."""
    server.enqueue("a", "/bin/sleep", "600")
    server.enqueue("b", *gated(bench.folder / "m"))
    with bench.running() as running:
        for item in "ab":
            server.wait_state(item, S.RUNNING)
        server.away = True
        for _ in range(3):
            running.agent.signal(15)
        running.wait()
    (bench.folder / "m.go").touch()
    runner = LocalRunner(LocalConfig(root=str(bench.folder / "local")))
    handles = {o.owner.item: o.handle for o in runner.list_owned(server.installation, "agent")}
    until(lambda: runner.observe(handles["b"]).state in ENDS, "an end that nobody sees")
    server.away = False
    with bench.running() as running:
        assert server.wait_end("b").state is S.SUCCEEDED
        until(lambda: len(total(running, JOBS_ADOPTED)) == 2, "both")
        assert total(running, JOBS_ADOPTED) == {"adopted": 1, "finished_meanwhile": 1}
        server.cancel("a")
        assert server.wait_end("a").state is S.CANCELLED
        counted = {TARGET: 1}
        until(lambda: total(running, CANCEL_DURATION, "_count") == counted, "its count")
