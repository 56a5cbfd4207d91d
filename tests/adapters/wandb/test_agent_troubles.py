"""What a W&B server may do to an agent: pauses, half answers, silence, and being something else."""

from __future__ import annotations

import logging
import socket
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from launchyard.adapters.wandb.graphql import LONGEST_PAUSE_S
from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import CommandKind, Heartbeat, ItemGrant, Verdict
from launchyard.domain.reason import Reason
from launchyard.ports.launch_server import ServerError
from tests.adapters.wandb.agent_kit import SPEC, Side
from tests.wandb_server import WandbServer
from tests.wandb_server.faults import Fault

S = AttemptState


@pytest.mark.parametrize(
    ("status", "headers", "pause_s"),
    [
        (429, {"Retry-After": "30"}, 30.0),
        (503, {"Retry-After": "DATE"}, 60.0),
        (429, {"RateLimit-Remaining": "0", "RateLimit-Reset": "20"}, 20.0),
        (429, {"Retry-After": "86400"}, LONGEST_PAUSE_S),
        (503, {"Retry-After": "soon"}, 0.0),
        (502, {}, 0.0),
    ],
)
def test_every_way_to_ask_for_silence_is_understood(
    side: Side, wandb_server: WandbServer, status: int, headers: dict[str, str], pause_s: float
) -> None:
    """Seconds, dates, and limits of rates; no server silences an agent for a day."""
    date = formatdate(time.time() + 60, usegmt=True)
    given = {name: date if value == "DATE" else value for name, value in headers.items()}
    wandb_server.faults.add(Fault(status=status, headers=given, times=1))
    with pytest.raises(ServerError) as told:
        side.claim(free=1)
    assert told.value.retry
    assert pause_s * 0.5 <= side.port._line.graphql.pause_s() <= pause_s
    wandb_server.requests.clear()
    if pause_s:
        assert side.claim(free=1).items == ()
        with pytest.raises(ServerError, match="asked for silence"):
            side.launch(_never_popped(side, wandb_server))
        assert wandb_server.requests == []


def test_a_store_that_asks_for_silence_does_not_silence_the_server(
    side: Side, wandb_server: WandbServer
) -> None:
    """Uploads lie elsewhere, and what limits them there is another matter."""
    with WandbServer() as store:
        store.rate_limit(60)
        with pytest.raises(ServerError) as limited:
            side.port._line.graphql.send("PUT", f"{store.base_url}/storage/run/x", b"log")
    assert limited.value.status == 429
    wandb_server.push("q1", SPEC)
    assert side.one()


def _never_popped(side: Side, server: WandbServer) -> ItemGrant:
    """Return a grant of an item that the agent holds, made without a request."""
    held = side.port._intake._read("q1", server.push("q1", SPEC).id, dict(SPEC))
    side.port._line.book.put(held)
    return side.port._line.grant_of(held)


def test_an_item_whose_pop_was_not_heard_comes_again(tmp_path: Path) -> None:
    """Its lease ends, and it runs once: the first pop was never acked."""
    with WandbServer() as server:
        server.queue("q1")
        side = Side(server, tmp_path)
        side.hello()
        item = server.push("q1", SPEC)
        server.cut(10, field="popFromRunQueue", times=1)
        with pytest.raises(ServerError) as half:
            side.claim(free=1)
        assert half.value.retry
        item.lease_until = 0.0
        grant = side.one()
        assert grant.item == item.id
        assert [answer.verdict for answer in side.launch(grant)] == [Verdict.TAKEN]
        assert (len(item.popped_at), item.acks) == (2, 1)
        side.close()
        assert server.complaints == []


def test_calls_go_on_when_a_server_is_back(side: Side, wandb_server: WandbServer) -> None:
    """What was to be told in its absence is told then, with all that ended meanwhile."""
    items = [wandb_server.push("q1", SPEC) for _ in range(3)]
    grants = [side.one() for _ in items]
    side.launch(*grants)
    wandb_server.down()
    for call in (side.beat, lambda: side.end(grants[0], S.FAILED, Reason.EXIT_CODE)):
        with pytest.raises(ServerError, match="cannot be reached") as gone:
            call()
        assert gone.value.retry
    wandb_server.up()
    for grant in grants:
        assert side.end(grant, S.FAILED, Reason.EXIT_CODE).verdict is Verdict.TAKEN
    assert {item.state for item in items} == {"FAILED"}
    assert side.again().hello().leases == ()


def test_what_is_no_w_and_b_server_is_told_apart(wandb_server: WandbServer, tmp_path: Path) -> None:
    """A page of a proxy, another address, and nobody: in words that say what to mend."""
    side = Side(wandb_server, tmp_path / "a")
    page = Fault(status=200, body="<html>log in</html>", times=1)
    wandb_server.faults.add(page)
    with pytest.raises(ServerError, match="is no W&B server") as other:
        side.hello()
    assert "WANDB_BASE_URL" in other.value.remedy
    moved = Fault(status=301, headers={"Location": "https://new.invalid/graphql"}, times=1)
    wandb_server.faults.add(moved)
    with pytest.raises(ServerError, match=r"sends on to https://new\.invalid") as elsewhere:
        side.hello()
    assert not elsewhere.value.retry
    assert [r.operation for r in wandb_server.requests] == ["Viewer", "Viewer"]
    side.port.close()


def test_many_running_jobs_are_looked_at_in_one_request(
    side: Side, wandb_server: WandbServer
) -> None:
    """Of two entities and projects; the one that is to stop is told apart."""
    items = [
        wandb_server.push("q1", {**SPEC, "entity": ("ent", "team")[n % 2], "project": f"p{n % 3}"})
        for n in range(30)
    ]
    grants: list[ItemGrant] = []
    while len(grants) < len(items):
        grants += side.claim(free=30, wait_s=5).items
    side.launch(*grants)
    wandb_server.stop_run(items[7].run_name or "", "p1", "team")
    wandb_server.requests.clear()
    commands = side.beat().commands
    assert [(c.kind, c.item) for c in commands] == [(CommandKind.CANCEL, items[7].id)]
    assert len([r for r in wandb_server.requests if r.operation == "RunState"]) == 1
    side.port.heartbeat(Heartbeat(caller=side.caller, leases=()))
    assert len([r for r in wandb_server.requests if r.operation == "RunState"]) == 1


def test_two_agents_get_each_item_once(
    side: Side, wandb_server: WandbServer, tmp_path: Path
) -> None:
    """They claim side by side, and the server's word decides."""
    other = Side(wandb_server, tmp_path / "other")
    other.hello()
    items = [wandb_server.push("q1", SPEC) for _ in range(24)]
    found: dict[int, list[str]] = {0: [], 1: []}

    def take(number: int, one: Side) -> None:
        while len(found[0]) + len(found[1]) < len(items):
            grants = one.claim(free=4, wait_s=0.8).items
            answers = one.launch(*grants)
            assert {answer.verdict for answer in answers} <= {Verdict.TAKEN}
            found[number] += [grant.item for grant in grants]

    threads = [threading.Thread(target=take, args=pair) for pair in enumerate((side, other))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert sorted(found[0] + found[1]) == sorted(item.id for item in items)
    assert [item.acks for item in items] == [1] * 24


def test_a_requeue_shows_no_key(
    side: Side, wandb_server: WandbServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither when it is made nor when the server refuses it, at any level of the log."""
    caplog.set_level(logging.DEBUG)
    key = "k" * 40
    wandb_server.push("q1", {**SPEC, "_wandb_api_key": key})
    wandb_server.push("q1", {**SPEC, "_wandb_api_key": key})
    first, second = side.one(), side.one()
    side.launch(first, second)
    side.end(first, S.PREEMPTED, Reason.PREEMPTED)
    assert wandb_server.items[-1].spec["_wandb_api_key"] == key
    wandb_server.graphql_error("no room", field="pushToRunQueueByName")
    with pytest.raises(ServerError):
        side.end(second, S.PREEMPTED, Reason.PREEMPTED)
    side.end(second, S.PREEMPTED, Reason.PREEMPTED)
    assert key not in caplog.text
    assert side.server.api_key not in caplog.text
    written = b"".join(p.read_bytes() for p in side.folder.rglob("*") if p.is_file())
    assert key.encode() not in written


def test_a_server_that_takes_no_connection_is_given_up_in_time(tmp_path: Path) -> None:
    """One that listens and says nothing costs a bounded time, not the agent."""
    with socket.create_server(("127.0.0.1", 0)) as deaf, WandbServer() as server:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        side = Side(server, tmp_path, more={"base_url": url})
        side.port._line.agent = "agent"
        begun = time.monotonic()
        side.port.close()
        assert time.monotonic() - begun < 60
