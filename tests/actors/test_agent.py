"""The way of an item through an agent, on good days and on bad ones."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import tarfile
from pathlib import Path

import pytest

from launchyard.actors.facts import Reported
from launchyard.domain.attempt import AttemptState
from launchyard.domain.reason import Reason
from launchyard.ports.launch_server import ServerError
from tests.actors.kit import Bench, gated, once, runs_of, until
from tests.actors.server import ScriptedServer

S = AttemptState


@pytest.fixture
def server() -> ScriptedServer:
    """Return a server whose leases hold for long."""
    return ScriptedServer()


@pytest.fixture
def bench(tmp_path: Path, server: ScriptedServer) -> Bench:
    """Return a folder for agents of that server."""
    return Bench(tmp_path, server)


def test_an_item_is_run_reported_and_forgotten(bench: Bench, server: ScriptedServer) -> None:
    """One job, its log, its end; then the journal is empty again."""
    server.enqueue("a", "/bin/sh", "-c", "echo hello; exit 3")
    with bench.running() as running:
        end = server.wait_end("a")
        assert (end.state, end.reason, end.exit_code) == (S.FAILED, Reason.EXIT_CODE, 3)
        server.wait(lambda: any(f.logs_complete for f in server.items["a"].facts), "logs")
        until(lambda: not running.agent.view.status().attempts, "an empty table")
        assert bench.log_of("a") == "hello\n"
    journal = bench.journal(str(bench.folder))
    assert journal.load().entries == ()
    assert journal.load().outbox == ()
    journal.close()


def test_the_actors_of_a_worker_process_are_told_too(bench: Bench, server: ScriptedServer) -> None:
    """Each hangs under its process and says what it does, however the process is called."""
    server.enqueue("a", "/bin/sleep", "60")
    with bench.running() as running:
        view = running.agent.view
        for doing in ("watches 1", "follows 1 logs"):
            until(lambda word=doing: word in [v.doing for v in view.status().actors], doing)  # type: ignore[misc]
        under = {v.name: v for v in view.status().actors if v.parent == "local-process host"}
        assert {"launcher-0", "canceller", "watcher", "log shipper"} <= under.keys()
        assert all(v.alive and v.process == "local-process" for v in under.values())
        assert under["log shipper"].doing == "follows 1 logs"
        server.cancel("a")
        server.wait_end("a")


def test_many_items_keep_to_max_jobs(bench: Bench, server: ScriptedServer) -> None:
    """No slot is lost, and none is used twice: each job counts those that run with it."""
    here = bench.folder / "here"
    here.mkdir()
    for n in range(30):
        count = f"touch {here}/{n}; ls {here} | wc -l >{bench.folder}/c{n}; rm {here}/{n}"
        server.enqueue(f"i{n}", *once(bench.folder / f"m{n}", count))
    with bench.running(max_jobs=3):
        for n in range(30):
            assert server.wait_end(f"i{n}").state is S.SUCCEEDED
    assert all(runs_of(bench.folder / f"m{n}") == 1 for n in range(30))
    assert max(int((bench.folder / f"c{n}").read_text()) for n in range(30)) <= 3


@pytest.mark.parametrize("call", ["claim", "launching", "report", "heartbeat", "hello"])
def test_a_lost_answer_neither_loses_nor_doubles(
    bench: Bench, server: ScriptedServer, call: str
) -> None:
    """The call was carried out, and is repeated; the repeat means the same."""
    server.lose += [call, call]
    server.ttl_s = 8.0
    for n in range(3):
        server.enqueue(f"i{n}", *once(bench.folder / f"m{n}"))
    with bench.running():
        for n in range(3):
            assert server.wait_end(f"i{n}").state is S.SUCCEEDED
        server.wait(lambda: server.lost.count(call) == 2, f"two lost answers to {call}")
    assert all(runs_of(bench.folder / f"m{n}") == 1 for n in range(3))
    assert all(len(server.items[f"i{n}"].ends) == 1 for n in range(3))


def test_a_spec_that_cannot_be_planned_fails_with_words(
    bench: Bench, server: ScriptedServer
) -> None:
    """Its user reads what is wrong; nothing was started."""
    server.enqueue("a", docker={"docker_image": "x"})
    with bench.running():
        end = server.wait_end("a")
    assert (end.state, end.reason) == (S.FAILED, Reason.SPEC_INVALID)
    assert "container images" in end.detail
    assert end.logs_complete


def test_an_item_for_a_target_that_is_not_here_is_rejected(
    bench: Bench, server: ScriptedServer
) -> None:
    """With the names of those that are."""
    server.enqueue("a", "/bin/true", resource="docker")
    with bench.running():
        end = server.wait_end("a")
    assert (end.state, end.reason) == (S.REJECTED, Reason.TARGET_MISSING)
    assert "local-process" in end.detail


def test_a_running_job_is_cancelled(bench: Bench, server: ScriptedServer) -> None:
    """The command comes with a claim that waits without a slot."""
    server.enqueue("a", "/bin/sleep", "600")
    with bench.running(max_jobs=1):
        server.wait_state("a", S.RUNNING)
        server.cancel("a")
        end = server.wait_end("a")
    assert (end.state, end.reason) == (S.CANCELLED, Reason.CANCELLED)


def archive_in(folder: Path) -> str:
    """Put an archive of one file where the build host finds it; return its name."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("train.py"), io.BytesIO())
    digest = hashlib.sha256(data.getvalue()).hexdigest()
    folder.mkdir(exist_ok=True)
    (folder / digest).write_bytes(data.getvalue())
    return digest


def test_a_cancel_before_the_fenced_write_starts_nothing(
    bench: Bench, server: ScriptedServer
) -> None:
    """Also when the write is taken after all; what was fetched for it is taken away."""
    server.hold.add("launching")
    code = archive_in(bench.folder / "files")
    server.enqueue("a", *once(bench.folder / "m"), source={"archive": code})
    jobs = bench.folder / "jobs"
    with bench.running(max_jobs=2) as running:
        server.wait(lambda: server.items["a"].claims, "the claim")
        until(lambda: running.agent.view.status().limits[1].used, "the question")
        assert list(jobs.rglob("train.py"))
        server.cancel("a")
        assert server.wait_end("a").state is S.CANCELLED
        with server.changed:
            server.hold.clear()
            server.changed.notify_all()
        until(lambda: not running.agent.view.status().attempts, "an empty table")
        until(lambda: not list(jobs.rglob("train.py")), "the removal of its source")
    assert runs_of(bench.folder / "m") == 0


def test_a_time_limit_ends_a_job(bench: Bench, server: ScriptedServer) -> None:
    """TIMED_OUT, not CANCELLED: nobody asked for its end."""
    server.enqueue("a", "/bin/sleep", "600", timeout_s=1)
    with bench.running():
        end = server.wait_end("a")
    assert (end.state, end.reason) == (S.TIMED_OUT, Reason.RUN_TIMEOUT)


def test_a_submit_that_comes_after_its_lease_waits_for_the_next_one(
    bench: Bench, server: ScriptedServer
) -> None:
    """The run host starts nothing past the deadline; renewed, the same attempt goes on."""
    server.ttl_s = 6.0
    server.hold.add("launching")
    server.enqueue("a", *once(bench.folder / "m"))
    with bench.running() as running:
        server.wait(lambda: server.items["a"].claims, "the claim")
        until(lambda: running.agent.view.status().limits[1].used, "the question")
        server.fail["heartbeat"] = ServerError("not now", retry=True)
        until(lambda: running.agent.view.status().lease_s == 0.0, "the end of the lease")
        with server.changed:
            server.hold.clear()
            server.changed.notify_all()
        server.wait(lambda: server.items["a"].place, "the fenced write")
        del server.fail["heartbeat"]
        assert server.wait_end("a").state is S.SUCCEEDED
    assert runs_of(bench.folder / "m") == 1


def test_a_stale_token_is_reclaimed_and_the_outbox_goes_on(
    bench: Bench, server: ScriptedServer
) -> None:
    """Nobody adopted the attempt, so its holder gets it back and the job is not disturbed."""
    server.enqueue("a", *gated(bench.folder / "m"))
    with bench.running():
        server.wait_state("a", S.RUNNING)
        server.expire("a")
        (bench.folder / "m.go").touch()
        assert server.wait_end("a").state is S.SUCCEEDED
    assert runs_of(bench.folder / "m") == 1


def test_an_attempt_that_another_has_taken_up_is_stopped_here(
    bench: Bench, server: ScriptedServer
) -> None:
    """A host-bound job whose item is another's must not run on."""
    server.ttl_s = 8.0
    marker = bench.folder / "m"
    server.enqueue(
        "a",
        "/bin/sh",
        "-c",
        f"trap 'echo stopped >>{marker}; exit' TERM; "
        f"echo ran >>{marker}; while :; do sleep 0.05; done",
    )
    with bench.running() as running:
        server.wait_state("a", S.RUNNING)
        until(lambda: runs_of(marker) == 1, "the start")
        server.expire("a", holder="another")
        until(lambda: "stopped" in marker.read_text(), "the stop")
        until(lambda: not running.agent.view.status().attempts, "an empty table")
    assert server.items["a"].ends == []


def test_a_killed_run_host_is_replaced_and_adopts(bench: Bench, server: ScriptedServer) -> None:
    """The jobs run on without it, and their ends are noticed by the next one."""
    for n in range(3):
        server.enqueue(f"i{n}", *gated(bench.folder / f"m{n}"))
    with bench.running() as running:
        for n in range(3):
            server.wait_state(f"i{n}", S.RUNNING)
        for pid in running.host_pids():
            os.kill(pid, signal.SIGKILL)
        for n in range(3):
            (bench.folder / f"m{n}.go").touch()
            assert server.wait_end(f"i{n}").state is S.SUCCEEDED
    assert all(runs_of(bench.folder / f"m{n}") == 1 for n in range(3))


def test_a_host_that_cannot_work_fails_its_items_in_words(
    bench: Bench, server: ScriptedServer
) -> None:
    """An adapter whose package is missing says so once and for all."""
    bench.entry = "tests.actors.hosts:broken_host"
    server.enqueue("a", "/bin/true")
    with bench.running():
        end = server.wait_end("a")
    assert (end.state, end.reason) == (S.FAILED, Reason.TARGET_UNREACHABLE)
    assert "ImportError" in end.detail


def test_a_supervisor_that_dies_is_rebuilt_from_the_journal(
    bench: Bench, server: ScriptedServer
) -> None:
    """A bug costs the facts it met, and no job."""
    server.enqueue("a", *gated(bench.folder / "m"))
    with bench.running() as running:
        server.wait_state("a", S.RUNNING)
        running.agent.inbox.put(Reported(((None, None),)))  # type: ignore[arg-type]
        restarted = lambda: running.agent.view.status().actors[0].restarts  # noqa: E731
        until(restarted, "another supervisor")
        (bench.folder / "m.go").touch()
        assert server.wait_end("a").state is S.SUCCEEDED
        server.enqueue("b", "/bin/true")
        assert server.wait_end("b").state is S.SUCCEEDED
    assert runs_of(bench.folder / "m") == 1


def test_an_item_whose_reports_are_refused_holds_up_no_other(
    bench: Bench, server: ScriptedServer
) -> None:
    """It is set aside after five refusals, where people see it."""
    server.refuse.add("a")
    server.enqueue("a", "/bin/true")
    server.enqueue("b", "/bin/true")
    with bench.running() as running:
        assert server.wait_end("b").state is S.SUCCEEDED
        shown = running.agent.view.status
        until(lambda: any("set aside" in e.message for e in shown().errors), "the note")


def test_the_source_of_a_launch_is_fetched_first(bench: Bench, server: ScriptedServer) -> None:
    """A missing archive fails the attempt with its reason; nothing is started."""
    digest = "0" * 64
    server.enqueue("a", "/bin/true", source={"archive": digest})
    with bench.running():
        end = server.wait_end("a")
    assert (end.state, end.reason) == (S.FAILED, Reason.SOURCE_NOT_FOUND)
