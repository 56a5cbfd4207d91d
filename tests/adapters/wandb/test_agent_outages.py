"""A W&B server that is away without a word: connections hang, and nothing is refused."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from launchyard.adapters.wandb.connections import Patience
from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import Answer, Fact, ItemGrant, Report, Verdict
from launchyard.domain.reason import Reason
from launchyard.ports.launch_server import ServerError
from tests.adapters.wandb.agent_kit import SPEC, Side, lease
from tests.wandb_server import WandbServer
from tests.wandb_server.relay import Relay

S = AttemptState
PATIENCE = Patience(connect_s=1.0, read_s=4.0, short_connect_s=0.5, short_read_s=1.0)
LIMIT_S = 60.0


@pytest.fixture
def relay(wandb_server: WandbServer) -> Iterator[Relay]:
    """Give a way to the stand-in that can fall silent."""
    with Relay(wandb_server.port) as made:
        yield made


def running(side: Side, server: WandbServer, count: int) -> list[ItemGrant]:
    """Launch as many items as that."""
    for _ in range(count):
        server.push("q1", SPEC)
    grants: list[ItemGrant] = []
    while len(grants) < count:
        grants += side.claim(free=count, wait_s=5).items
    side.launch(*grants)
    return grants


def succeed(side: Side, grants: list[ItemGrant]) -> list[Answer]:
    """Report that jobs without a run of their own have ended well."""
    fact = Fact(at_ms=1, state=S.SUCCEEDED, reason=Reason.COMPLETED, logs_complete=True)
    batch = [Report(lease=lease(grant), seq=1, fact=fact) for grant in grants]
    return list(side.port.report(side.caller, batch))


def told(side: Side, grants: list[ItemGrant]) -> set[Verdict]:
    """Report that, and again while nobody hears it; a loaded machine may be slower than a look."""
    until = time.monotonic() + LIMIT_S
    while True:
        try:
            return {answer.verdict for answer in succeed(side, grants)}
        except ServerError:
            if time.monotonic() > until:
                raise


def test_silence_is_looked_into_with_little_and_ended_on_new_connections(
    wandb_server: WandbServer, relay: Relay, tmp_path: Path
) -> None:
    """While it lasts a report costs a moment; after it every thread leaves its connection behind.

    Nothing of the ends was sent into the silence, once it was known.
    """
    side = Side(wandb_server, tmp_path, more={"base_url": relay.url, "patience": PATIENCE})
    side.hello()
    first, then = running(side, wandb_server, 8), running(side, wandb_server, 8)
    succeed(side, first)
    relay.freeze()
    with pytest.raises(ServerError, match="did not answer in time"):
        side.beat()
    relay.swallowed = b""
    for _ in range(2):
        with pytest.raises(ServerError, match="did not answer in time") as silent:
            succeed(side, then)
        assert silent.value.retry
    assert relay.swallowed.count(b"query Viewer") == 2
    assert b"RunState" not in relay.swallowed
    relay.thaw()
    relay.swallowed = b""
    assert told(side, then) == {Verdict.TAKEN}
    assert relay.swallowed == b""
    assert {run.state for run in wandb_server.state.runs.values()} == {"finished"}
    assert len(wandb_server.state.runs) == 16
    side.close()


def test_connections_that_are_not_taken_are_given_up_soon(
    wandb_server: WandbServer, tmp_path: Path
) -> None:
    """As when every packet to a server is dropped; its return is seen by the next look."""
    side = Side(wandb_server, tmp_path, more={"patience": PATIENCE})
    side.hello()
    grants = running(side, wandb_server, 1)
    wandb_server.down()
    with (
        socket.create_server(("127.0.0.1", wandb_server.port), backlog=0) as full,
        socket.create_connection(full.getsockname()),
    ):
        for _ in range(2):
            with pytest.raises(ServerError, match="cannot be reached") as away:
                succeed(side, grants)
            assert away.value.retry
    wandb_server.up()
    assert told(side, grants) == {Verdict.TAKEN}
    side.close()


def test_a_server_that_is_slow_is_not_taken_for_away_for_ever(
    wandb_server: WandbServer, tmp_path: Path
) -> None:
    """A heartbeat waits for longer than a look does; when it has heard, reports wait as well."""
    side = Side(wandb_server, tmp_path, more={"patience": PATIENCE})
    side.hello()
    grants = running(side, wandb_server, 1)
    wandb_server.down()
    with pytest.raises(ServerError):
        succeed(side, grants)
    wandb_server.up()
    wandb_server.slow(1.5)
    with pytest.raises(ServerError, match="did not answer in time"):
        succeed(side, grants)
    side.beat()
    looks = len(wandb_server.seen("viewer"))
    wandb_server.let_go()
    assert told(side, grants) == {Verdict.TAKEN}
    assert len(wandb_server.seen("viewer")) == looks
    side.close()


def test_an_end_of_what_may_be_anothers_by_now_is_told_of_ours_alone(
    side: Side, wandb_server: WandbServer
) -> None:
    """What ended before its ack, and long ago, is acked first: a refusal says whose it is."""
    ours, lost = wandb_server.push("q1", SPEC), wandb_server.push("q1", SPEC)
    grants = [side.one(), side.one()]
    book = side.port._line.book
    for held in book.all():
        book.change(held.item, popped_ms=held.popped_ms - 60_000)
    lost.state, lost.run_name = "CLAIMED", "another"
    fact = Fact(at_ms=1, state=S.REJECTED, reason=Reason.REVIEW_REJECTED, logs_complete=True)
    for grant in grants:
        assert side.report(grant, fact).verdict is Verdict.TAKEN
    assert (ours.state, lost.state, lost.error) == ("FAILED", "CLAIMED", None)
    assert book.all() == ()
