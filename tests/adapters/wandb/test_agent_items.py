"""Items of a W&B server, from the pop to the end."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

import pytest

from launchyard.adapters.wandb.intake import REST_S
from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import (
    AgentStanding,
    ClaimAnswer,
    CommandKind,
    Heartbeat,
    ItemGrant,
    Refusal,
    Verdict,
)
from launchyard.ports.launch_server import ServerError
from tests.adapters.wandb.agent_kit import SPEC, THERE, Side
from tests.wandb_server import WandbServer

S = AttemptState


def test_one_request_asks_every_queue(side: Side, wandb_server: WandbServer) -> None:
    """And never for more items than there are slots."""
    for name in ("q2", "q3"):
        wandb_server.queue(name)
    side.queues = ("q1", "q2", "q3")
    side.claim(free=2)
    (request,) = wandb_server.seen("popFromRunQueue")
    assert request.fields.count("popFromRunQueue") == 2
    assert request.fields[0] == "updateLaunchAgent"


def test_one_slot_does_for_many_queues(side: Side, wandb_server: WandbServer) -> None:
    """They are asked in turn; a claim with fewer slots than queues ends soon for a newer one."""
    side.queues = ("q1", "q2", "q3")
    for name in side.queues:
        wandb_server.queue(name)
    wandb_server.push("q3", SPEC)
    found: list[str] = []
    for _ in range(12):
        found += [grant.queue for grant in side.claim(free=1, wait_s=20).items]
        if found:
            break
    assert found == ["q3"]


def test_a_backlog_fills_all_slots(side: Side, wandb_server: WandbServer) -> None:
    """The first item shows that there is more; then one request brings what the slots take."""
    for _ in range(12):
        wandb_server.push("q1", SPEC)
    assert len(side.claim(free=8).items) == 1
    assert len(side.claim(free=7).items) == 7
    assert len(wandb_server.seen("popFromRunQueue")) == 2


def test_a_claim_without_slots_asks_for_nothing(side: Side, wandb_server: WandbServer) -> None:
    """It waits until a newer claim, or its abort, ends it."""
    wandb_server.push("q1", SPEC)
    found: list[ClaimAnswer] = []
    waiting = threading.Thread(target=lambda: found.append(side.claim(free=0, wait_s=600)))
    waiting.start()
    assert side.one()
    while waiting.is_alive():  # it may have begun after that one
        side.claim(free=0)
        waiting.join(0.05)
    assert found == [ClaimAnswer()]


def test_stop_requests_come_with_the_heartbeat(side: Side, wandb_server: WandbServer) -> None:
    """For runs and for the agent, in one request for all."""
    item = wandb_server.push("q1", SPEC)
    grant = side.one()
    side.launch(grant)
    wandb_server.stop_run(item.run_name or "")
    wandb_server.stop_agent(wandb_server.agents[0])
    wandb_server.requests.clear()
    commands = side.beat().commands
    assert {c.kind for c in commands} == {CommandKind.DRAIN, CommandKind.CANCEL}
    assert len(wandb_server.seen("launchAgent")) == 1
    assert wandb_server.agents[0].status == "RUNNING"


def test_an_item_that_waits_is_acked_before_its_lease_ends(
    side: Side, wandb_server: WandbServer
) -> None:
    """A build takes longer than the server's minute; what is another's by now is given up."""
    mine, lost = wandb_server.push("q1", SPEC), wandb_server.push("q1", SPEC)
    side.one()
    grant = side.one()
    lost.state, lost.run_name = "CLAIMED", "another"
    book = side.port._line.book
    for held in book.all():
        book.change(held.item, popped_ms=held.popped_ms - 20_000)
    stale = side.beat().stale
    assert [ref.item for ref in stale] == [grant.item] == [lost.id]
    assert mine.state == "CLAIMED"


def test_what_is_given_back_before_its_ack_returns_by_itself(
    side: Side, wandb_server: WandbServer
) -> None:
    """There is no un-pop: the server's lease ends."""
    item = wandb_server.push("q1", SPEC)
    assert side.give_back(side.one()).verdict is Verdict.TAKEN
    assert (item.state, item.acks) == ("LEASED", 0)
    assert side.again().hello().leases == ()


def test_what_is_given_back_after_its_ack_is_kept_here(
    side: Side, wandb_server: WandbServer
) -> None:
    """Nobody else could run it: it waits on our shelf, also for the agent's next start."""
    wandb_server.push("q1", SPEC)
    grant = side.one()
    side.port._line.book.change(grant.item, acked=True)
    assert side.give_back(grant).verdict is Verdict.TAKEN
    again = side.again()
    assert again.hello().leases == ()
    (known,) = again.claim(free=1).items
    assert known.item == grant.item
    assert known.token > grant.token
    assert known.run_id == grant.run_id


def test_what_runs_stays_with_its_agent(side: Side, wandb_server: WandbServer) -> None:
    """There is no hand-over, so the journal keeps it, and the next start adopts it."""
    wandb_server.push("q1", SPEC)
    grant = side.one()
    side.launch(grant, place=THERE)
    assert side.give_back(grant, place=THERE).verdict is Verdict.REFUSED
    assert [lease.item for lease in side.again().hello().leases] == [grant.item]


def test_schedulers_have_a_limit_and_nothing_spins(side: Side, wandb_server: WandbServer) -> None:
    """One over it goes back when its lease ends, and its queue is left alone meanwhile."""
    words = {"entry_point": ["wandb", "scheduler", "s"]}
    items = [wandb_server.push("q1", {**SPEC, "overrides": words}) for _ in range(4)]
    side.one()
    assert side.claim(free=3, wait_s=1.5).items == ()
    assert [item.state for item in items].count("PENDING") >= 2
    assert len(wandb_server.seen("popFromRunQueue")) <= 3


@pytest.mark.parametrize(("most", "taken"), [(-1, 4), (0, 0)])
def test_schedulers_without_a_limit_and_none_at_all(tmp_path: Path, most: int, taken: int) -> None:
    """-1 takes all that there are slots for; 0 takes none, however soon a server offers them again.

    Other queues are served meanwhile.
    """
    with WandbServer(lease_s=0.05) as server:
        side = Side(server, tmp_path, ("q1", "q2"), more={"max_schedulers": most})
        for name in side.queues:
            server.queue(name)
        side.hello()
        begun = time.monotonic()
        words = {"entry_point": ["wandb", "scheduler", "s"]}
        items = [server.push("q1", {**SPEC, "overrides": words}) for _ in range(4)]
        grants: list[ItemGrant] = []
        while found := side.claim(free=6, wait_s=1.5).items:
            side.launch(*found)
            grants += found
        assert len(grants) == taken == sum(item.acks for item in items)
        plain = server.push("q2", SPEC)
        assert side.one().item == plain.id
        asked = [r for r in server.seen("popFromRunQueue") if "q1" in r.variables.values()]
        assert most == -1 or len(asked) <= 1 + (time.monotonic() - begun) / REST_S
        side.close()
        assert server.complaints == []


def test_a_run_of_a_sweep_that_is_over_does_not_begin(
    side: Side, wandb_server: WandbServer
) -> None:
    """The item says why."""
    wandb_server.sweep("s1", state="FINISHED")
    wandb_server.push("q1", {**SPEC, "sweep_id": "s1"})
    (answer,) = side.launch(side.one())
    assert answer.verdict is Verdict.REFUSED
    assert answer.detail == "the sweep s1 is finished, so no run begins"


def test_a_queue_whose_target_is_refused_is_left_alone(
    side: Side, wandb_server: WandbServer
) -> None:
    """While a breaker is open no item is popped for it."""
    wandb_server.push("q1", SPEC)
    side.one()
    standing = AgentStanding(refusing={"local-process": Refusal(reason="circuit_open")})
    side.port.heartbeat(Heartbeat(caller=side.caller, leases=(), standing=standing))
    waiting = wandb_server.push("q1", SPEC)
    assert side.claim(free=1, wait_s=1.2).items == ()
    assert waiting.state == "PENDING"


def test_a_server_that_asks_for_silence_gets_it(side: Side, wandb_server: WandbServer) -> None:
    """Nothing at all is sent before its pause is over."""
    wandb_server.rate_limit(0.6, times=1)
    wandb_server.push("q1", SPEC)
    with pytest.raises(ServerError):
        side.claim(free=1)
    [limited] = wandb_server.seen("popFromRunQueue")
    with contextlib.suppress(ServerError):
        side.beat()
    assert side.one()
    later = [request for request in wandb_server.requests if request.at > limited.ended]
    assert later
    assert all(request.at - limited.ended >= 0.6 for request in later)


def test_nothing_overwrites_the_last_word(side: Side, wandb_server: WandbServer) -> None:
    """An agent that has said KILLED is not POLLING again."""
    side.beat()
    side.port.goodbye(side.caller)
    side.beat()
    side.port.close()
    assert [word for _, word in wandb_server.agents[0].statuses] == ["POLLING", "KILLED"]


def test_a_status_that_was_on_its_way_is_not_the_last_word(
    side: Side, wandb_server: WandbServer
) -> None:
    """What a server heard late is put right before the agent is gone."""
    wandb_server.slow(20, field="updateLaunchAgent", times=1)
    late = threading.Thread(target=side.beat)
    late.start()
    wandb_server.wait_for(lambda s: s.waiting == 1)
    side.port.goodbye(side.caller)
    wandb_server.let_go()
    late.join()
    assert [word for _, word in wandb_server.agents[0].statuses] == ["KILLED", "POLLING"]
    side.port.close()
    assert wandb_server.agents[0].status == "KILLED"


def test_the_last_word_waits_for_the_end_of_a_short_silence(
    side: Side, wandb_server: WandbServer
) -> None:
    """A server that limits rates hears it all the same, and not before its time."""
    wandb_server.rate_limit(0.4, times=1)
    with pytest.raises(ServerError):
        side.beat()
    limited = wandb_server.requests[-1].ended
    side.port.close()
    assert wandb_server.agents[0].status == "KILLED"
    assert wandb_server.requests[-1].at - limited >= 0.4


def test_a_record_that_was_removed_is_made_anew(side: Side, wandb_server: WandbServer) -> None:
    """An agent outlives whoever tidies up on the server."""
    wandb_server.state.agents.clear()
    side.beat()
    assert len(wandb_server.agents) == 1
