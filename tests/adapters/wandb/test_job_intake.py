"""Items whose launch names a job: reading it must neither lose the item nor hold up others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from launchyard.domain.exchange import ClaimAnswer, ItemGrant
from launchyard.domain.spec import command_of, parse_spec
from launchyard.ports.launch_server import ServerError
from tests.adapters.wandb.agent_kit import SPEC, Side
from tests.adapters.wandb.jobs_kit import NAME, access, add_code, completed
from tests.programs import LIMIT_S
from tests.wandb_server import Item, WandbServer

SLOW = "/storage/"


@pytest.fixture
def hasty(wandb_server: WandbServer, tmp_path: Path) -> Iterator[Side]:
    """Give an agent that has half a second to read a job."""
    made = Side(wandb_server, tmp_path / "wandb", more={"job_read_s": 0.5})
    made.hello()
    yield made
    made.close()


def push(server: WandbServer) -> Item:
    """Put a launch of the job on the queue, which says nothing itself."""
    spec = {"entity": "ent", "project": "proj", "resource": "local-process", "job": NAME}
    return server.push("q1", spec)


def command(grant: ItemGrant) -> tuple[str, ...]:
    """Return what an item runs."""
    assert isinstance(grant.spec, dict)
    return tuple(command_of(parse_spec(grant.spec)))


def claims(side: Side, count: int, free: int) -> list[ItemGrant]:
    """Claim as long as it takes to get *count* items."""
    found: list[ItemGrant] = []
    until = time.monotonic() + LIMIT_S
    while len(found) < count and time.monotonic() < until:
        found += side.claim(free=free - len(found), wait_s=5).items
    return found


def test_slow_jobs_are_read_side_by_side_and_hold_up_nobody(
    side: Side, wandb_server: WandbServer
) -> None:
    """What names no job is there at once, while all the others are being read."""
    add_code(wandb_server, {"train.py": b""})
    wandb_server.slow(LIMIT_S, path=SLOW)
    named = [push(wandb_server) for _ in range(3)]
    plain = wandb_server.push("q1", SPEC)
    (first,) = claims(side, 1, free=4)
    assert first.item == plain.id
    wandb_server.wait_for(lambda s: s.waiting == 3)
    wandb_server.let_go()
    found = claims(side, 3, free=3)
    assert {grant.item for grant in found} == {item.id for item in named}
    assert {command(grant) for grant in found} == {("python", "train.py")}
    side.launch(*found)
    assert [item.acks for item in named] == [1, 1, 1]


def test_a_job_that_is_not_read_in_time_leaves_its_item_alone(
    hasty: Side, wandb_server: WandbServer
) -> None:
    """It is given back by silence, well before its lease ends, and is tried again."""
    add_code(wandb_server, {"train.py": b""})
    wandb_server.slow(LIMIT_S, path=SLOW)
    item = push(wandb_server)
    assert hasty.claim(free=1, wait_s=1.5).items == ()
    _until_read(hasty)
    assert (item.state, item.acks, item.error) == ("LEASED", 0, None)
    assert hasty.again().hello().leases == ()
    wandb_server.let_go()
    found: list[ItemGrant] = []
    while not found:  # half a second may be too short once more
        item.lease_until = 0.0
        found += hasty.claim(free=1, wait_s=2.0).items
    assert [grant.item for grant in found] == [item.id]
    assert len(item.popped_at) >= 2


def _until_read(side: Side) -> None:
    """Claim until no job is being read any more; nothing comes of it."""
    while side.port._intake._jobs.held():
        assert side.claim(free=1, wait_s=0.5).items == ()


def test_what_is_read_takes_slots(side: Side, wandb_server: WandbServer) -> None:
    """No more is popped than there is room for once it is read."""
    add_code(wandb_server, {"train.py": b""})
    wandb_server.slow(0.2, path=SLOW)
    items = [push(wandb_server) for _ in range(4)]
    found: list[ClaimAnswer] = []
    waiting = threading.Thread(target=lambda: found.append(side.claim(free=2, wait_s=20)))
    waiting.start()
    wandb_server.wait_for(lambda _: any(item.popped_at for item in items))
    waiting.join()
    assert len(found[0].items) in {1, 2}
    assert sum(bool(item.popped_at) for item in items) <= 2


def test_an_item_that_was_read_too_late_is_not_run(side: Side, wandb_server: WandbServer) -> None:
    """By then the server may have given it to another agent."""
    add_code(wandb_server, {"train.py": b""})
    wandb_server.slow(LIMIT_S, path=SLOW)
    item = push(wandb_server)
    intake = side.port._intake._jobs
    assert side.claim(free=1, wait_s=0.0).items == ()
    (held,) = intake.held()
    assert held.item == item.id
    intake._reading[item.id].item = replace(held, popped_ms=held.popped_ms - 60_000)
    wandb_server.let_go()
    _until_read(side)
    assert item.acks == 0


def test_a_limit_that_is_met_by_a_job_read_silences_all(
    side: Side, wandb_server: WandbServer
) -> None:
    """A server counts the requests of a key, whatever they are for."""
    add_code(wandb_server, {"train.py": b""})
    wandb_server.rate_limit(20, field="project", times=1)
    push(wandb_server)
    assert side.claim(free=1, wait_s=0.0).items == ()
    until = time.monotonic() + LIMIT_S
    while not (pause_s := side.port._line.graphql.pause_s()) and time.monotonic() < until:
        side.claim(free=0, wait_s=0.05)
    assert pause_s
    wandb_server.requests.clear()
    with pytest.raises(ServerError, match="asked for silence"):
        side.beat()
    assert side.claim(free=1, wait_s=0.0).items == ()
    assert wandb_server.requests == []


def test_a_job_is_read_when_a_silence_is_over(wandb_server: WandbServer) -> None:
    """Which somebody else was asked for; nothing is sent before."""
    add_code(wandb_server, {"train.py": b""})
    given = access(wandb_server)
    given.quiet.ask(0.4)
    begun = time.monotonic()
    assert completed({"entity": "ent", "job": NAME}, given)["job"] == "ent/proj/train:v0"
    assert wandb_server.requests[0].at - begun >= 0.4
