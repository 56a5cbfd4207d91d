"""The launch server and attempt files ports against the real server."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from launchyard.adapters.archive.archives import TarArchives
from launchyard.adapters.client.files import RestAttemptFiles
from launchyard.adapters.client.operator import RestOperator
from launchyard.adapters.client.server import RestLaunchServer
from launchyard.domain.archive import Limits
from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import (
    AgentHello,
    Caller,
    ClaimAnswer,
    ClaimRequest,
    Fact,
    Heartbeat,
    ItemGrant,
    Launching,
    LeaseRef,
    Place,
    Reclaim,
    ReclaimVerdict,
    Release,
    Report,
    Verdict,
)
from launchyard.domain.item import ItemState
from launchyard.domain.reason import Reason
from launchyard.ports.launch_server import LogCursorError, ServerError, StaleAgentError
from launchyard.ports.operator import LogAddress
from tests.servers import RunningServer

QUEUE = "main"
PLACE = Place(scope="host:here", name="ly-one-a1")


@pytest.fixture
def agent(server: RunningServer) -> Iterator[RestLaunchServer]:
    """Give the port."""
    made = RestLaunchServer(server.url, server.make_key("agent"))
    yield made
    made.close()


@pytest.fixture
def files(server: RunningServer) -> Iterator[RestAttemptFiles]:
    """Give the port."""
    made = RestAttemptFiles(server.url, server.make_key("agent"))
    yield made
    made.close()


def _hello(agent: RestLaunchServer, known: str = "") -> Caller:
    """Register."""
    grant = agent.hello(
        AgentHello(
            agent=known,
            name="tester",
            entity="team",
            queues=(QUEUE,),
            scopes=("host:here",),
            max_jobs=8,
            hostname="here",
            version="0",
        )
    )
    return Caller(agent=grant.agent, epoch=grant.epoch)


def _claim(agent: RestLaunchServer, caller: Caller, name: str, wait_s: float = 0) -> ClaimAnswer:
    return agent.claim(
        ClaimRequest(caller=caller, claim_id=name, queues=(QUEUE,), free=1, wait_s=wait_s)
    )


def _grant(agent: RestLaunchServer, caller: Caller, server: RunningServer) -> ItemGrant:
    """Submit an item and claim it."""
    item = server.submit("true")
    (grant,) = _claim(agent, caller, f"claim-{item}").items
    assert grant.item == item
    return grant


def _lease(grant: ItemGrant) -> LeaseRef:
    return LeaseRef(item=grant.item, attempt=grant.attempt, token=grant.token)


def _end(grant: ItemGrant, seq: int) -> Report:
    fact = Fact(
        at_ms=1,
        state=AttemptState.SUCCEEDED,
        place=PLACE,
        reason=Reason.COMPLETED,
        exit_code=0,
        logs_complete=True,
    )
    return Report(lease=_lease(grant), seq=seq, fact=fact)


def test_an_item_from_claim_to_end(agent: RestLaunchServer, server: RunningServer) -> None:
    """The whole conversation of one attempt, each answer read into its value."""
    caller = _hello(agent)
    grant = _grant(agent, caller, server)
    assert grant.spec == server.call("GET", f"/items/{grant.item}")["spec"]
    beat = agent.heartbeat(Heartbeat(caller=caller, leases=(_lease(grant),)))
    assert beat.ttl_s > 0
    assert not beat.unlisted
    (launching,) = agent.launching(caller, [Launching(lease=_lease(grant), place=PLACE)])
    assert launching.verdict is Verdict.TAKEN
    gap, taken = agent.report(caller, [_end(grant, 5), _end(grant, 1)])
    assert (gap.verdict, taken.verdict) == (Verdict.GAP, Verdict.TAKEN)
    view = server.call("GET", f"/items/{grant.item}")
    assert (view["state"], view["attempt_state"]) == ("done", "succeeded")
    reclaim = Reclaim(caller=caller, item=grant.item, attempt=1, place=PLACE)
    assert agent.reclaim(reclaim).verdict is ReclaimVerdict.OVER
    agent.goodbye(caller)


def test_an_item_given_back_is_claimed_again(
    agent: RestLaunchServer, server: RunningServer
) -> None:
    """Released before LAUNCHING it is the same attempt once more."""
    caller = _hello(agent)
    grant = _grant(agent, caller, server)
    release = Release(lease=_lease(grant), state=AttemptState.CLAIMED)
    (answer,) = agent.release(caller, [release])
    assert answer.verdict is Verdict.TAKEN
    (again,) = _claim(agent, caller, "again").items
    assert (again.item, again.attempt) == (grant.item, grant.attempt)
    agent.launching(caller, [Launching(lease=_lease(again), place=PLACE)])
    agent.report(caller, [_end(again, 1)])


def test_a_waiting_claim_is_ended_from_another_thread(
    agent: RestLaunchServer, server: RunningServer
) -> None:
    """Abort uses a connection of its own, while the first one waits."""
    caller = _hello(agent)
    answers: list[ClaimAnswer] = []
    waiting = threading.Thread(target=lambda: answers.append(_claim(agent, caller, "long", 30)))
    waiting.start()
    # An abort that overtakes its claim ends it all the same, so there is nothing to wait for.
    while waiting.is_alive():
        agent.abort_claim(caller, "long")
        waiting.join(0.05)
    assert answers == [ClaimAnswer()]


def test_an_old_start_is_refused(agent: RestLaunchServer) -> None:
    """The second hello of one agent raises its epoch."""
    first = _hello(agent)
    second = _hello(agent, first.agent)
    assert second.epoch > first.epoch
    with pytest.raises(StaleAgentError):
        agent.heartbeat(Heartbeat(caller=first, leases=()))


def test_an_empty_batch_asks_nobody(agent: RestLaunchServer) -> None:
    """Not even who the caller is."""
    assert list(agent.report(Caller(agent="nobody", epoch=1), [])) == []


def test_a_wrong_key_is_no_matter_of_time(server: RunningServer) -> None:
    """An agent must not try again for ever with it."""
    stranger = RestLaunchServer(server.url, "x" * 40)
    with pytest.raises(ServerError) as caught:
        _hello(stranger)
    assert (caught.value.status, caught.value.retry) == (401, False)
    assert "x" * 40 not in str(caught.value)
    stranger.close()


def test_an_unknown_queue_gets_a_near_name(agent: RestLaunchServer) -> None:
    """Told at the hello, before anything is claimed."""
    hello = AgentHello(
        agent="",
        name="lost",
        entity="team",
        queues=("mian",),
        scopes=(),
        max_jobs=1,
        hostname="h",
        version="0",
    )
    with pytest.raises(ServerError) as caught:
        agent.hello(hello)
    assert caught.value.status == 404
    assert "main" in f"{caught.value} {caught.value.remedy}"


def test_logs_go_up_in_order_and_come_down(
    agent: RestLaunchServer,
    files: RestAttemptFiles,
    operator: RestOperator,
    server: RunningServer,
) -> None:
    """A wrong start is answered with the server's cursor; the log comes back as it was."""
    caller = _hello(agent)
    grant = _grant(agent, caller, server)
    assert files.append_log(grant.item, 1, "job", 0, b"one\n") == 4
    with pytest.raises(LogCursorError) as caught:
        files.append_log(grant.item, 1, "job", 9, b"late\n")
    assert (caught.value.cursor, caught.value.full) == (4, False)
    assert files.append_log(grant.item, 1, "job", 4, "zwölf\n".encode()) == 11
    agent.launching(caller, [Launching(lease=_lease(grant), place=PLACE)])
    agent.report(caller, [_end(grant, 1)])
    address = LogAddress(item=grant.item)
    assert b"".join(operator.logs(address)) == "one\nzwölf\n".encode()
    assert "".join(chunk.text for chunk in operator.follow_logs(address)) == "one\nzwölf\n"
    assert [view.state for view in operator.events(grant.item)][-1] is ItemState.DONE


@pytest.mark.parametrize("data", [b"", b"x" * 3_000_000])
def test_outputs_arrive_whole(
    agent: RestLaunchServer,
    files: RestAttemptFiles,
    operator: RestOperator,
    server: RunningServer,
    data: bytes,
) -> None:
    """Empty ones too, under names with spaces and folders, and a repeat replaces."""
    caller = _hello(agent)
    grant = _grant(agent, caller, server)
    files.put_output(grant.item, 1, "plots/the best.png", io.BytesIO(b"first"))
    files.put_output(grant.item, 1, "plots/the best.png", io.BytesIO(data))
    (found,) = operator.outputs(grant.item)
    assert (found.path, found.size_b) == ("plots/the best.png", len(data))
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert b"".join(operator.read_output(grant.item, found.path)) == data
    agent.launching(caller, [Launching(lease=_lease(grant), place=PLACE)])
    agent.report(caller, [_end(grant, 1)])


def test_an_archive_is_sent_once(
    files: RestAttemptFiles, operator: RestOperator, tmp_path: Path
) -> None:
    """The second upload finds it there; the agent gets the same bytes."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text("print(1)\n")
    packed = tmp_path / "code.tar.gz"
    contents = TarArchives().pack(str(tmp_path / "code"), str(packed), Limits())
    with packed.open("rb") as file:
        assert operator.put_archive(contents.sha256, file)
        assert not operator.put_archive(contents.sha256, file)
    with files.open_archive(contents.sha256) as back:
        assert back.read() == packed.read_bytes()
    with pytest.raises(FileNotFoundError):
        files.open_archive("0" * 64)
