"""Registration, and what a start takes up again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launchyard.adapters.wandb.line import NO_KEY
from launchyard.domain.exchange import Verdict
from launchyard.domain.item import ItemState
from launchyard.ports.launch_server import ServerError
from tests.adapters.wandb.agent_kit import PLACE, SPEC, THERE, Side, lease
from tests.wandb_server import WandbServer


def test_an_agent_is_registered_with_little_about_it(
    wandb_server: WandbServer, tmp_path: Path
) -> None:
    """The server hears of entity, queues and limits, and nothing of clouds and registries."""
    side = Side(wandb_server, tmp_path)
    grant = side.hello(entity="")
    (agent,) = wandb_server.agents
    assert grant.agent == agent.id
    assert agent.hostname == "box"
    assert set(json.loads(agent.config or "{}")) == {
        "entity",
        "max_jobs",
        "max_schedulers",
        "name",
        "queues",
    }
    side.port.close()
    assert agent.status == "KILLED"


def test_a_start_that_cannot_be_is_said_in_words(wandb_server: WandbServer, tmp_path: Path) -> None:
    """Queues that are not there, entities, and keys: with a status that ends the agent."""
    side = Side(wandb_server, tmp_path / "a", queues=("q1", "q9"))
    with pytest.raises(ServerError, match="no queue q9; it has q1") as found:
        side.hello()
    assert (found.value.retry, found.value.status) == (False, 404)
    with pytest.raises(ServerError, match="queues of nobody cannot be seen"):
        side.hello(entity="nobody")
    side.port.close()
    stranger = Side(wandb_server, tmp_path / "b", more={"key": lambda: "no" * 20})
    with pytest.raises(ServerError, match="does not take the API key") as refused:
        stranger.hello()
    stranger.port.close()
    assert (refused.value.retry, refused.value.status) == (False, 401)


def test_a_start_takes_up_what_the_one_before_had(side: Side, wandb_server: WandbServer) -> None:
    """What was acked is still ours, with its place; what was popped alone is acked now."""
    first, second = wandb_server.push("q1", SPEC), wandb_server.push("q1", SPEC)
    grants = {g.item: g for g in side.claim(free=2, wait_s=5).items}
    while len(grants) < 2:
        grants |= {g.item: g for g in side.claim(free=1, wait_s=5).items}
    side.launch(grants[first.id], place=THERE)
    again = side.again()
    held = {g.item: g for g in again.hello().leases}
    assert held[first.id].state is ItemState.LAUNCHED
    assert held[first.id].place == THERE
    assert held[second.id].state is ItemState.CLAIMED
    assert held[second.id].run_id == grants[second.id].run_id == second.run_name
    assert second.state == "CLAIMED"


def test_a_popped_item_that_is_anothers_by_now_is_forgotten(
    side: Side, wandb_server: WandbServer
) -> None:
    """Its ack is refused; nothing is reported of it, as it is none of ours."""
    item = wandb_server.push("q1", SPEC)
    grant = side.one()
    item.state, item.run_name = "CLAIMED", "another"
    again = side.again()
    assert again.hello().leases == ()
    (answer,) = again.launch(grant)
    assert answer.verdict is Verdict.STALE
    assert item.error is None


def test_an_ack_whose_answer_was_lost_counts(side: Side, wandb_server: WandbServer) -> None:
    """A second ack is always refused: the item itself says whose it is."""
    item = wandb_server.push("q1", SPEC)
    grant = side.one()
    wandb_server.lose_answer(field="ackRunQueueItem", times=1)
    with pytest.raises(ServerError) as unheard:
        side.launch(grant)
    assert unheard.value.retry
    (answer,) = side.launch(grant)
    assert answer.verdict is Verdict.TAKEN
    assert (item.state, item.acks) == ("CLAIMED", 2)


@pytest.mark.parametrize("words", ["internal error", "the item cannot be claimed"])
def test_an_ack_that_met_an_error_may_have_been_heard(
    side: Side, wandb_server: WandbServer, words: str
) -> None:
    """The item itself says whose it is; forgotten it would be claimed for ever."""
    items = [wandb_server.push("q1", SPEC) for _ in range(2)]
    grants = [side.one(), side.one()]
    wandb_server.graphql_error(words, field="ackRunQueueItem", alias="x1", times=1)
    if words.startswith("internal"):
        with pytest.raises(ServerError, match=words) as unwell:
            side.launch(*grants)
        assert unwell.value.retry
        assert [held.acked for held in side.port._line.book.all()] == [True, False]
    assert {answer.verdict for answer in side.launch(*grants)} == {Verdict.TAKEN}
    assert [item.state for item in items] == ["CLAIMED", "CLAIMED"]


def test_a_look_up_that_met_an_error_is_made_again(side: Side, wandb_server: WandbServer) -> None:
    """Nothing is forgotten because a server was unwell for a moment."""
    wandb_server.push("q1", SPEC)
    grant = side.one()
    wandb_server.lose_answer(field="ackRunQueueItem", times=1)
    wandb_server.graphql_error("internal error", field="project", alias="x0", times=1)
    for _ in range(2):
        with pytest.raises(ServerError):
            side.launch(grant)
    (answer,) = side.launch(grant)
    assert answer.verdict is Verdict.TAKEN


def test_a_submitters_key_is_written_nowhere(side: Side, wandb_server: WandbServer) -> None:
    """It is given to the job; after a crash an item that was not launched goes back."""
    key = "k" * 40
    item = wandb_server.push("q1", {**SPEC, "_wandb_api_key": key, "author": "ann"})
    grant = side.one()
    assert grant.secrets["WANDB_API_KEY"] == key
    assert grant.secrets["WANDB_BASE_URL"] == wandb_server.base_url
    assert grant.submitter == "ann"
    written = b"".join(p.read_bytes() for p in side.folder.rglob("*") if p.is_file())
    assert key.encode() not in written
    again = side.again()
    assert again.hello().leases == ()
    assert (item.state, item.acks) == ("LEASED", 0)


def test_a_launched_item_whose_key_is_lost_fails_with_words(
    side: Side, wandb_server: WandbServer
) -> None:
    """Acked and not launched: no other agent gets it, and with our key it must not run."""
    item = wandb_server.push("q1", {**SPEC, "_wandb_api_key": "k" * 40})
    grant = side.one()
    side.port.launching(side.caller, [])
    side.launch(grant, place=PLACE)
    book = side.port._line.book
    book.change(grant.item, place=None)
    again = side.again()
    assert again.hello().leases == ()
    assert item.state == "FAILED"
    assert item.error is not None
    assert "launch it again" in item.error["message"]
    assert lease(grant).item == item.id


def test_an_item_on_the_shelf_whose_key_is_lost_fails_with_words(
    side: Side, wandb_server: WandbServer
) -> None:
    """A drain gave it back after its ack: the next start must not run it with our key.

    An ack of which nobody heard is looked into first: what is not ours is not failed.
    """
    given = {**SPEC, "_wandb_api_key": "k" * 40}
    items = [wandb_server.push("q1", given) for _ in range(3)]
    acked, unheard, lost = side.one(), side.one(), side.one()
    side.launch(acked)
    side.port._line.book.change(acked.item, place=None)
    wandb_server.lose_answer(field="ackRunQueueItem", times=2)
    for grant in (unheard, lost):
        with pytest.raises(ServerError):
            side.launch(grant)
    items[2].run_name = "another"
    for grant in (acked, unheard, lost):
        side.give_back(grant)
    again = side.again()
    assert again.hello().leases == ()
    assert again.claim(free=3).items == ()
    assert [item.state for item in items] == ["FAILED", "FAILED", "CLAIMED"]
    for item in items[:2]:
        assert "launch it again" in (item.error or {})["message"]


def test_an_item_with_a_key_waits_on_the_shelf_of_the_same_start(
    side: Side, wandb_server: WandbServer
) -> None:
    """Nothing is lost there: the key is in this process's memory."""
    key = "k" * 40
    wandb_server.push("q1", {**SPEC, "_wandb_api_key": key})
    grant = side.one()
    side.port._line.book.change(grant.item, acked=True)
    side.give_back(grant)
    assert side.one().secrets["WANDB_API_KEY"] == key


def test_a_job_whose_key_is_lost_gets_none_of_ours(side: Side, wandb_server: WandbServer) -> None:
    """It was on its way to its target at a crash, and may be submitted by the next start."""
    wandb_server.push("q1", {**SPEC, "_wandb_api_key": "k" * 40})
    side.launch(side.one())
    (known,) = side.again().hello().leases
    assert known.secrets["WANDB_API_KEY"] == NO_KEY != wandb_server.api_key
