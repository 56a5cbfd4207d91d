"""Jobs that were preempted: back on their queue once, and as what they were."""

from __future__ import annotations

import time

import pytest

from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import Verdict
from launchyard.domain.reason import Reason
from launchyard.ports.launch_server import ServerError
from tests.adapters.wandb.agent_kit import SPEC, THERE, Side
from tests.wandb_server import WandbServer
from tests.wandb_server.faults import Fault

S = AttemptState


def test_a_preempted_job_goes_back_with_its_run_and_priority(
    side: Side, wandb_server: WandbServer
) -> None:
    """The same run, one resume more, and the place that it had; a key of its own goes along."""
    queue = wandb_server.queue("q2", mode="V0", resource="local-process", config={"nice": 3})
    item = wandb_server.push(
        "q2", {**SPEC, "author": "ann", "_wandb_api_key": "k" * 40}, priority=0
    )
    side.queues = ("q2",)
    grant = side.one()
    side.launch(grant)
    wandb_server.run(item.run_name or "")
    side.end(grant, S.PREEMPTED, Reason.PREEMPTED)
    (again,) = (i for i in wandb_server.items if i.id != item.id)
    assert (again.queue, again.priority) == (queue.id, 0)
    assert again.spec["run_id"] == item.run_name
    assert again.spec["_resume_count"] == 1
    assert again.spec["author"] == "ann"
    assert again.spec["resource_args"] == {"local-process": {"nice": 3}}
    resumed = side.claim(free=1, wait_s=5).items[0]
    assert resumed.run_id == item.run_name


def test_template_values_go_along_with_a_preempted_job(
    side: Side, wandb_server: WandbServer
) -> None:
    """A server may want them with every launch on such a queue; the job's arguments stay."""
    config = {"cpus": "{{cpus}}", "nice": 3}
    wandb_server.queue("q2", mode="V0", resource="local-process", config=config)
    wandb_server.push("q2", SPEC, values={"cpus": 2})
    side.queues = ("q2",)
    grant = side.one()
    side.launch(grant)
    side.end(grant, S.PREEMPTED, Reason.PREEMPTED)
    again = wandb_server.items[-1]
    assert again.template_values == {"cpus": 2}
    assert again.spec["resource_args"] == {"local-process": {"cpus": "2", "nice": 3}}


@pytest.mark.parametrize("known", ["priority", ""])
def test_an_older_server_tells_less_of_an_item(
    side: Side, wandb_server: WandbServer, known: str
) -> None:
    """What it does not know is not sent either, and the job is on its queue again."""
    wandb_server.push("q1", SPEC)
    grant = side.one()
    side.launch(grant)
    refusal = 'Cannot query field "{}" on type "RunQueueItem".'
    lacking = ["templateVariableValues", *([] if known else ["priority"])]
    for name in lacking:
        wandb_server.graphql_error(refusal.format(name), field="project", times=1, after=1)
    side.end(grant, S.PREEMPTED, Reason.PREEMPTED)
    (push,) = wandb_server.seen("pushToRunQueueByName")
    assert push.variables.get("priority") == (2 if known else None)
    assert "templateVariableValues" not in push.variables


def test_a_push_whose_answer_was_lost_is_not_repeated(
    side: Side, wandb_server: WandbServer
) -> None:
    """Two pushes would be two jobs of one run; so people are told to look."""
    item = wandb_server.push("q1", SPEC)
    grant = side.one()
    side.launch(grant)
    wandb_server.lose_answer(field="pushToRunQueueByName", times=1)
    with pytest.raises(ServerError):
        side.end(grant, S.PREEMPTED, Reason.PREEMPTED)
    assert side.end(grant, S.PREEMPTED, Reason.PREEMPTED).verdict is Verdict.TAKEN
    assert len(wandb_server.seen("pushToRunQueueByName")) == 1
    assert item.error is not None
    assert "look for the run" in item.error["message"]


@pytest.mark.parametrize("limit", ["before", "on it"])
def test_a_push_into_a_silence_is_made_when_it_is_over(
    side: Side, wandb_server: WandbServer, limit: str
) -> None:
    """Nothing was put on a queue by what was not sent, or turned away by a limit of rates."""
    item = wandb_server.push("q1", SPEC)
    grant = side.one()
    side.launch(grant)
    if limit == "before":
        last = {"RateLimit-Remaining": "0", "RateLimit-Reset": "0.3"}
        told = '{"data": {"project": null}}'
        fault = Fault(status=200, headers=last, body=told, field="project", after=1, times=1)
        wandb_server.faults.add(fault)
    else:
        wandb_server.rate_limit(0.3, field="pushToRunQueueByName", times=1)
    with pytest.raises(ServerError) as silence:
        side.end(grant, S.PREEMPTED, Reason.PREEMPTED)
    assert silence.value.retry
    time.sleep(side.port._line.graphql.pause_s())
    assert side.end(grant, S.PREEMPTED, Reason.PREEMPTED).verdict is Verdict.TAKEN
    assert item.error is None
    assert wandb_server.items[-1].spec["run_id"] == item.run_name


def test_a_push_that_found_no_connection_is_made_when_there_is_one(
    side: Side, wandb_server: WandbServer
) -> None:
    """What was refused at the door was not heard; so nobody has to look for the run."""
    item = wandb_server.push("q1", SPEC)
    grant = side.one()
    side.launch(grant)
    wandb_server.faults.add(Fault(field="project", after=1, times=1, cut_b=10**6, deaf=True))
    with pytest.raises(ServerError, match="cannot be reached") as gone:
        side.end(grant, S.PREEMPTED, Reason.PREEMPTED)
    assert gone.value.retry
    assert "GetRunQueueItem" in [request.operation for request in wandb_server.requests]
    wandb_server.down()
    wandb_server.up()
    assert side.end(grant, S.PREEMPTED, Reason.PREEMPTED).verdict is Verdict.TAKEN
    assert item.error is None
    assert wandb_server.items[-1].spec["run_id"] == item.run_name


def test_a_job_whose_key_is_lost_is_not_put_back_nor_its_log_shown(
    side: Side, wandb_server: WandbServer
) -> None:
    """Pushed without its key it would run as somebody else; and nobody can mask a lost key."""
    key = "k" * 40
    item = wandb_server.push("q1", {**SPEC, "_wandb_api_key": key})
    side.launch(side.one(), place=THERE)
    wandb_server.run(item.run_name or "")
    again = side.again()
    (grant,) = again.hello().leases
    again.port._line.tails.append_log(item.id, 1, "job", 0, f"key {key}\n".encode())
    assert again.end(grant, S.PREEMPTED, Reason.PREEMPTED).verdict is Verdict.TAKEN
    assert wandb_server.seen("pushToRunQueueByName") == []
    assert item.error is not None
    assert "launch it again" in item.error["message"]
    assert wandb_server.files == {}


def test_how_a_preempted_item_was_queued_is_asked_for_again(
    side: Side, wandb_server: WandbServer
) -> None:
    """A server that is unwell for a moment is not one that has no priorities."""
    wandb_server.queue("q2", mode="V0", resource="local-process", config={})
    wandb_server.push("q2", SPEC, priority=0)
    side.queues = ("q2",)
    grant = side.one()
    side.launch(grant)
    wandb_server.graphql_error("timeout", field="project", alias="project", times=1, after=1)
    with pytest.raises(ServerError, match="timeout"):
        side.end(grant, S.PREEMPTED, Reason.PREEMPTED)
    side.end(grant, S.PREEMPTED, Reason.PREEMPTED)
    assert wandb_server.items[-1].priority == 0
