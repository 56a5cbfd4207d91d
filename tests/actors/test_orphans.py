"""What is on a target and no attempt's, and what is there since before a start."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from launchyard.adapters.http.operations_html import status_html
from launchyard.adapters.local.runner import LocalConfig, LocalRunner
from launchyard.bootstrap.reload import rules
from launchyard.domain.attempt import ENDS, AttemptState
from launchyard.domain.item import ItemState
from launchyard.domain.lease import Token
from launchyard.domain.naming import Owner, labels, target_name
from launchyard.domain.reason import Reason
from launchyard.ports.families import CANCEL_DURATION, JOBS_ADOPTED, ORPHANS_FOUND
from launchyard.ports.metrics import Family
from launchyard.ports.runner import Launch, Observation
from tests.actors.kit import LIMIT_S, TARGET, Bench, Running, gated, until
from tests.actors.server import ScriptedServer
from tests.adapters.local.plans import local_plan
from tests.domain.config.kit import config

S = AttemptState
DAY_S = 86_400.0


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


def orphans(running: Running) -> list[str]:
    """Return the items whose things are orphans now."""
    return [view.item for view in running.agent.view.status().orphans]


@contextmanager
def left_behind(
    bench: Bench, installation: str, item: str, old_s: float = 0.0
) -> Iterator[Callable[[], Observation]]:
    """Leave a running process of an attempt that no agent here has, and give a look at it."""
    bench.target()
    runner = LocalRunner(LocalConfig(root=str(bench.folder / "local")))
    owner = Owner(installation=installation, item=item, attempt=1, agent="before")
    name = target_name(installation, item, 1)
    plan = local_plan(bench.folder / "jobs" / name, "exec sleep 600")
    deadline = time.clock_gettime(time.CLOCK_BOOTTIME) + LIMIT_S
    launch = Launch(owner=owner, name=name, labels=labels(owner, ""), plan=plan, deadline=deadline)
    handle = runner.submit(launch)
    record, since = bench.folder / "local" / "runs" / name / "started", time.time() - old_s
    until(lambda: record.exists() and record.read_bytes(), "its start")
    os.utime(record, (since, since))
    try:
        yield lambda: runner.observe(handle)
    finally:
        runner.cancel(handle, 0.0, Reason.CANCELLED)
        until(lambda: runner.observe(handle).state in ENDS, "its end")


def held(server: ScriptedServer, item: str, holder: str) -> None:
    """Let an agent have started *item*; with no *holder* it was handed over to whoever comes."""
    server.enqueue(item, "true")
    one = server.items[item]
    started: dict[str, Any] = {
        "state": ItemState.LAUNCHED,
        "attempt_state": S.RUNNING,
        "token": Token(0, 1),
    }
    one.grant, one.holder = replace(one.grant, **started), holder


def test_an_orphan_is_told_and_left(bench: Bench, server: ScriptedServer) -> None:
    """It is counted once, shown for as long as it is there, and other installations' are not."""
    server.enqueue("a", *gated(bench.folder / "m"))
    with (
        left_behind(bench, server.installation, "ghost", DAY_S) as ghost,
        left_behind(bench, "theirs", "other", DAY_S) as other,
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
        assert ghost().state is other().state is S.RUNNING


def test_an_old_orphan_is_ended_and_removed_where_that_is_wanted(
    bench: Bench, server: ScriptedServer
) -> None:
    """A young one is only told of; another installation's and another agent's are neither."""
    bench.rules = {**bench.rules, "reap_orphans": True}
    server.enqueue("a", *gated(bench.folder / "m"))
    held(server, "theirs", "another agent")
    with (
        left_behind(bench, server.installation, "ghost", DAY_S) as ghost,
        left_behind(bench, server.installation, "young") as young,
        left_behind(bench, server.installation, "theirs", DAY_S) as theirs,
        left_behind(bench, "other", "other", DAY_S) as other,
        bench.running() as running,
    ):
        until(lambda: total(running, ORPHANS_FOUND) == {"reaped": 1}, "its removal")
        assert ghost().reason is Reason.HANDLE_UNKNOWN
        assert young().state is theirs().state is other().state is S.RUNNING
        until(lambda: orphans(running) == ["young"], "the one that is left")
        (bench.folder / "m.go").touch()
        assert server.wait_end("a").state is S.SUCCEEDED
        assert server.items["theirs"].holder == "another agent"


def test_what_nobody_has_is_taken_up(bench: Bench, server: ScriptedServer) -> None:
    """It was handed over to whoever comes: it is no orphan, and gets its end."""
    bench.rules = {**bench.rules, "reap_orphans": True}
    server.ttl_s = 6.0
    server.enqueue("a", *gated(bench.folder / "m"))
    held(server, "freed", "")
    with left_behind(bench, server.installation, "freed", DAY_S), bench.running() as running:
        server.wait_state("a", S.RUNNING)
        server.wait(lambda: server.items["freed"].holder == "agent-1", "a new holder")
        until(lambda: "freed" in [v.item for v in running.agent.view.status().attempts], "its row")
        server.cancel("freed")
        assert server.wait_end("freed").state is S.CANCELLED
        assert not total(running, ORPHANS_FOUND)
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


@pytest.mark.parametrize(
    ("server", "reaps"), [("http://example.org", True), ("wandb+https://example.org", False)]
)
def test_reaping_needs_a_server_that_knows_what_is_over(server: str, reaps: bool) -> None:
    """A W&B server knows nothing of what another agent took up, so the key is not obeyed there."""
    assert rules(config({"reap_orphans": True}), "", server).reap_orphans is reaps
    assert not rules(config(None), "", server).reap_orphans
