"""How an agent ends: by signal, by command, by a newer start, with and without its server."""

from __future__ import annotations

from pathlib import Path

import pytest

from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import Command, CommandKind
from launchyard.domain.item import ItemState
from launchyard.domain.reason import Reason
from launchyard.ports.launch_server import ServerError
from tests.actors.kit import Bench, gated, once, runs_of, shown, until
from tests.actors.server import ScriptedServer

S = AttemptState
TERM, QUIT = 15, 3


@pytest.fixture
def server() -> ScriptedServer:
    """Return a server whose leases hold for long."""
    return ScriptedServer()


@pytest.fixture
def bench(tmp_path: Path, server: ScriptedServer) -> Bench:
    """Return a folder for agents of that server."""
    return Bench(tmp_path, server)


def test_an_idle_agent_ends_at_once(bench: Bench, server: ScriptedServer) -> None:
    """Its waiting claim is ended, and the server hears goodbye."""
    with bench.running() as running:
        server.wait(lambda: "claim" in server.calls or server._latest, "the claim")
        running.agent.signal(TERM)
        assert running.wait() == (0, "")
    assert "abort" in server.calls
    assert server.gone


def test_running_jobs_are_left_and_adopted_by_the_next_start(
    bench: Bench, server: ScriptedServer
) -> None:
    """Released with their place; the next agent is offered them and goes on."""
    server.enqueue("a", *gated(bench.folder / "m"))
    with bench.running() as running:
        server.wait_state("a", S.RUNNING)
        running.agent.signal(TERM)
        assert running.wait() == (0, "")
    assert server.items["a"].holder == ""
    assert server.items["a"].grant.state is ItemState.LAUNCHED
    server.items["a"].holder = "agent-1"
    with bench.running():
        (bench.folder / "m.go").touch()
        assert server.wait_end("a").state is S.SUCCEEDED
    assert runs_of(bench.folder / "m") == 1


def test_what_is_not_launched_goes_back_to_its_place(bench: Bench, server: ScriptedServer) -> None:
    """Claimed items are queued again, as the same attempt."""
    for n in range(3):
        server.enqueue(f"i{n}", *gated(bench.folder / f"m{n}"))
    with bench.running(max_jobs=3, max_launches=0) as running:
        server.wait(lambda: all(i.claims for i in server.items.values()), "the claims")
        running.agent.signal(TERM)
        assert running.wait() == (0, "")
    states = {one.grant.state for one in server.items.values()}
    assert states == {ItemState.QUEUED}
    assert all(one.grant.attempt == 1 for one in server.items.values())


def test_a_second_signal_cancels_what_is_bound_to_this_host(
    bench: Bench, server: ScriptedServer
) -> None:
    """The first one waits for it here, because the configuration says so."""
    bench.rules = {"host_bound_on_exit": "wait"}
    server.enqueue("a", "/bin/sleep", "600")
    with bench.running() as running:
        server.wait_state("a", S.RUNNING)
        running.agent.signal(TERM)
        until(lambda: running.agent.view.state == "draining", "the drain")
        assert running.thread.is_alive()
        running.agent.signal(TERM)
        assert server.wait_end("a").state is S.CANCELLED
        assert running.wait() == (0, "")


def test_what_outlasts_the_drain_is_preempted(bench: Bench, server: ScriptedServer) -> None:
    """With `wait` nothing is left running when the time is over: the container takes it along."""
    bench.rules = {"host_bound_on_exit": "wait", "drain_timeout_s": 0.2}
    server.enqueue("a", "/bin/sleep", "600")
    with bench.running() as running:
        server.wait_state("a", S.RUNNING)
        running.agent.signal(TERM)
        assert running.wait() == (0, "")
    (end,) = server.items["a"].ends
    assert (end.state, end.reason) == (S.PREEMPTED, Reason.PREEMPTED)
    assert "agent" in end.detail


def test_a_third_signal_ends_at_once(bench: Bench, server: ScriptedServer) -> None:
    """Nothing is waited for; the journal has it all."""
    bench.rules = {"host_bound_on_exit": "wait"}
    server.enqueue("a", *gated(bench.folder / "m"))
    with bench.running() as running:
        server.wait_state("a", S.RUNNING)
        server.away = True
        for _ in range(3):
            running.agent.signal(TERM)
        assert running.wait()[0] == 1
    server.away = False
    (bench.folder / "m.go").touch()
    with bench.running():
        assert server.wait_end("a").state in {S.SUCCEEDED, S.CANCELLED}
    assert runs_of(bench.folder / "m") == 1


def test_sigquit_waits_for_every_job(bench: Bench, server: ScriptedServer) -> None:
    """And takes no new one meanwhile."""
    server.enqueue("a", *gated(bench.folder / "m"))
    with bench.running() as running:
        server.wait_state("a", S.RUNNING)
        running.agent.signal(QUIT)
        until(lambda: running.agent.view.state == "draining", "the drain")
        server.enqueue("b", "/bin/true")
        (bench.folder / "m.go").touch()
        assert running.wait() == (0, "")
    assert server.items["a"].ends[0].state is S.SUCCEEDED
    assert server.items["b"].claims == 0


def test_jobs_are_cancelled_where_the_configuration_says_so(
    bench: Bench, server: ScriptedServer
) -> None:
    """`host_bound_on_exit: cancel`."""
    bench.rules = {"host_bound_on_exit": "cancel"}
    server.enqueue("a", "/bin/sleep", "600")
    with bench.running() as running:
        server.wait_state("a", S.RUNNING)
        running.agent.signal(TERM)
        assert running.wait() == (0, "")
    assert server.items["a"].ends[0].state is S.CANCELLED


def test_a_drain_without_the_server_is_75_and_the_next_start_reports(
    bench: Bench, server: ScriptedServer
) -> None:
    """What the server has not heard is in the journal."""
    server.enqueue("a", *gated(bench.folder / "m"))
    with bench.running() as running:
        server.wait_state("a", S.RUNNING)
        server.away = True
        (bench.folder / "m.go").touch()
        until(lambda: running.agent.view.status().attempts[0].state is S.SUCCEEDED, "the end")
        running.agent.signal(TERM)
        code, text = running.wait()
        assert code == 75
        assert "journal" in text
    server.away = False
    with bench.running():
        assert server.wait_end("a").state is S.SUCCEEDED
    assert runs_of(bench.folder / "m") == 1


def test_a_drain_that_the_server_asks_for(bench: Bench, server: ScriptedServer) -> None:
    """As the first signal would."""
    with bench.running() as running:
        server.wait(lambda: server._latest, "the claim")
        with server._change():
            server.commands.append(Command(kind=CommandKind.DRAIN))
        assert running.wait() == (0, "")


def test_a_pause_takes_nothing_new_until_it_is_resumed(
    bench: Bench, server: ScriptedServer
) -> None:
    """What runs goes on, and the pause shows."""
    server.enqueue("a", *gated(bench.folder / "m"))
    with bench.running() as running:
        server.wait_state("a", S.RUNNING)
        with server._change():
            server.commands.append(Command(kind=CommandKind.PAUSE))
        until(lambda: running.agent.view.state == "paused", "the pause")
        assert shown(running.agent) == ["paused"]
        (bench.folder / "m.go").touch()
        assert server.wait_end("a").state is S.SUCCEEDED
        server.enqueue("b", *once(bench.folder / "n"))
        idle = "waits for work, 0 slots free"
        until(lambda: idle in (v.doing for v in running.agent.view.status().actors), "quiet")
        server.wait(lambda: server.items["b"].grant.state is ItemState.QUEUED, "b given back")
        assert runs_of(bench.folder / "n") == 0
        with server._change():
            server.commands.append(Command(kind=CommandKind.RESUME))
        assert server.wait_end("b").state is S.SUCCEEDED


def test_a_newer_start_ends_this_one(bench: Bench, server: ScriptedServer) -> None:
    """It says so, touches nothing more, and its jobs live."""
    server.enqueue("a", *gated(bench.folder / "m"))
    with bench.running() as running:
        server.wait_state("a", S.RUNNING)
        with server._change():
            server.epoch += 1
            server._latest = ""
        code, text = running.wait()
    assert code == 1
    assert "newer start" in text
    (bench.folder / "m.go").touch()
    with bench.running():
        assert server.wait_end("a").state is S.SUCCEEDED
    assert runs_of(bench.folder / "m") == 1


@pytest.mark.parametrize(("status", "code"), [(401, 4), (403, 4), (404, 5), (422, 1)])
def test_a_refused_hello_ends_with_its_reason(
    bench: Bench, server: ScriptedServer, status: int, code: int
) -> None:
    """A wrong key is 4, an unknown queue 5; the remedy is in the words."""
    server.fail["hello"] = ServerError("no", retry=False, status=status, remedy="do this")
    with bench.running() as running:
        assert running.wait() == (code, "no: do this")


def test_an_agent_that_never_met_its_server_ends_when_told(
    bench: Bench, server: ScriptedServer
) -> None:
    """Nothing is lost, so it is a good end."""
    server.away = True
    with bench.running() as running:
        server.wait(lambda: "hello" in server.calls, "a try")
        running.agent.signal(TERM)
        assert running.wait() == (0, "")
