"""What a W&B server hears of the ends of items."""

from __future__ import annotations

import json
import threading

import pytest

from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import (
    Fact,
    ItemGrant,
    Report,
    Verdict,
)
from launchyard.domain.reason import Reason
from launchyard.ports.launch_server import ServerError
from tests.adapters.wandb.agent_kit import SPEC, Side, lease
from tests.wandb_server import WandbServer

S = AttemptState


def test_a_job_that_ends_well_without_wandb_is_done(side: Side, wandb_server: WandbServer) -> None:
    """Its run is made and ended with code 0: that is what it was."""
    item = wandb_server.push("q1", SPEC)
    grant = side.one()
    side.launch(grant)
    assert side.end(grant, S.SUCCEEDED, Reason.COMPLETED, exit_code=0).verdict is Verdict.TAKEN
    run = wandb_server.run(item.run_name or "")
    assert run.state == "finished"
    assert json.loads(run.config)["_wandb"]["value"]["launch_trace_id"] == item.id
    assert item.error is None
    assert side.again().hello().leases == ()


def test_a_run_of_another_entity_is_reported_too(side: Side, wandb_server: WandbServer) -> None:
    """Where a run goes is its launch's matter; its item is ours."""
    item = wandb_server.push("q1", {**SPEC, "entity": "team"})
    grant = side.one()
    side.launch(grant)
    side.end(grant, S.FAILED, Reason.EXIT_CODE, exit_code=2)
    assert item.error is not None
    assert item.error["message"] == "the job failed with exit code 2"


def test_a_failure_brings_the_end_of_its_log(side: Side, wandb_server: WandbServer) -> None:
    """As a file of the agent's own run, without the key that the job printed."""
    item = wandb_server.push("q1", SPEC)
    grant = side.one()
    side.launch(grant)
    tails = side.port._line.tails
    tails.append_log(item.id, 1, "job", 0, f"key {wandb_server.api_key}\noh no\n".encode())
    side.end(grant, S.FAILED, Reason.EXIT_CODE, exit_code=3)
    assert item.state == "FAILED"
    assert item.error is not None
    assert item.error["stage"] == "run"
    assert item.error["filePaths"] == [f"{item.id}/error/error.log"]
    (sent,) = (data for path, data in wandb_server.files.items() if path.endswith("error.log"))
    assert b"oh no" in sent
    assert wandb_server.api_key.encode() not in sent
    assert tails.tail(item.id, 1) == b""


def test_a_failure_without_a_place_for_files_is_told_all_the_same(
    side: Side, wandb_server: WandbServer
) -> None:
    """The file is a help; the failure is what counts."""
    item = wandb_server.push("q1", SPEC)
    grant = side.one()
    side.port._line.tails.append_log(item.id, 1, "job", 0, b"oh no\n")
    wandb_server.fail(500, field="createRunFiles")
    side.end(grant, S.FAILED, Reason.EXIT_CODE, exit_code=3)
    assert item.state == "FAILED"


def test_warnings_are_told_once_and_per_item(side: Side, wandb_server: WandbServer) -> None:
    """Two items with the same trouble each have their warning."""
    items = [wandb_server.push("q1", SPEC) for _ in range(2)]
    grants = [side.one(), side.one()]
    fact = Fact(at_ms=1, state=S.PENDING, detail="no node has a GPU free")
    for grant in (*grants, *grants):
        side.report(grant, fact)
    assert [len(item.warnings) for item in items] == [1, 1]
    assert items[0].warnings[0]["message"] == "no node has a GPU free"


def test_many_ends_cost_few_requests(side: Side, wandb_server: WandbServer) -> None:
    """All runs are asked about in one request, and all failures told in one."""
    items = [wandb_server.push("q1", SPEC) for _ in range(20)]
    grants: list[ItemGrant] = []
    while len(grants) < len(items):
        grants += side.claim(free=20, wait_s=5).items
    side.launch(*grants)
    wandb_server.requests.clear()
    facts = [Fact(at_ms=1, state=S.FAILED, reason=Reason.EXIT_CODE, logs_complete=True)] * 20
    batch = [Report(lease=lease(g), seq=1, fact=f) for g, f in zip(grants, facts, strict=True)]
    side.port.report(side.caller, batch)
    assert {item.state for item in items} == {"FAILED"}
    assert len(wandb_server.requests) == 2


def _ended(side: Side, wandb_server: WandbServer, count: int, state: AttemptState) -> list[Report]:
    """Run as many items as that, and return the reports of their ends."""
    for _ in range(count):
        wandb_server.push("q1", SPEC)
    grants: list[ItemGrant] = []
    while len(grants) < count:
        grants += side.claim(free=count, wait_s=5).items
    side.launch(*grants)
    wandb_server.requests.clear()
    reason = Reason.COMPLETED if state is S.SUCCEEDED else Reason.EXIT_CODE
    fact = Fact(at_ms=1, state=state, reason=reason, logs_complete=True)
    return [Report(lease=lease(grant), seq=1, fact=fact) for grant in grants]


def test_runs_are_ended_side_by_side(side: Side, wandb_server: WandbServer) -> None:
    """Each has an address of its own, so one after the other would be a round trip for each."""
    batch = _ended(side, wandb_server, 6, S.SUCCEEDED)
    wandb_server.slow(120, path="/file_stream")
    telling = threading.Thread(target=side.port.report, args=(side.caller, batch))
    telling.start()
    wandb_server.wait_for(lambda s: s.waiting == 6)
    wandb_server.let_go()
    telling.join()
    assert {run.state for run in wandb_server.state.runs.values()} == {"finished"}
    assert [r.operation for r in wandb_server.requests if r.operation] == [
        "RunState",
        "UpsertBucket",
    ]


def test_a_run_whose_end_was_not_heard_is_ended_again(
    side: Side, wandb_server: WandbServer
) -> None:
    """The others of its batch are known by their runs, and nothing is told twice."""
    batch = _ended(side, wandb_server, 4, S.SUCCEEDED)
    wandb_server.fail(503, path="/file_stream", times=1)
    with pytest.raises(ServerError) as unheard:
        side.port.report(side.caller, batch)
    assert unheard.value.retry
    answers = side.port.report(side.caller, batch)
    assert {answer.verdict for answer in answers} == {Verdict.TAKEN}
    assert {run.state for run in wandb_server.state.runs.values()} == {"finished"}
    assert sum(r.path.endswith("/file_stream") for r in wandb_server.requests) == 5


def test_a_run_whose_state_could_not_be_told_is_asked_for_again(
    side: Side, wandb_server: WandbServer
) -> None:
    """It may well have begun: a run made in its place would take its configuration away."""
    item = wandb_server.push("q1", SPEC)
    grant = side.one()
    side.launch(grant)
    run = wandb_server.run(item.run_name or "")
    run.config, run.state = '{"lr": {"value": 1}}', "finished"
    wandb_server.graphql_error("internal error", field="project", alias="x0", times=1)
    with pytest.raises(ServerError, match="internal error") as unwell:
        side.end(grant, S.SUCCEEDED, Reason.COMPLETED, exit_code=0)
    assert unwell.value.retry
    assert side.end(grant, S.SUCCEEDED, Reason.COMPLETED, exit_code=0).verdict is Verdict.TAKEN
    assert wandb_server.seen("upsertBucket") == []
    assert run.config == '{"lr": {"value": 1}}'
