"""Queues and pushes, as the public API and `wandb launch` make them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.adapters.http.graphql.conftest import Client
from tests.servers import RunningServer

LISTED = """query L($e: String!) { project(name: "model-registry", entityName: $e) {
  runQueues { id name access createdBy } } }"""
ITEM = """query I($q: String!, $i: ID!) {
  project(name: "model-registry", entityName: "team") { runQueue(name: $q) {
    runQueueItem(id: $i) { id state associatedRunId error { message } } } } }"""
CONFIG = """query C($e: String!, $i: ID!) { entity(name: $e) { defaultResourceConfig(id: $i) {
  config resource templateVariables { name schema } } } }"""


def test_a_push_is_merged_with_its_queue(client: Client, queue: str) -> None:
    """The target comes from the queue, nulls at the top go, and the answer shows the whole."""
    spec: dict[str, Any] = dict.fromkeys(("docker", "git", "resource", "resource_args"))
    answer = client.push(queue, **spec)
    payload = answer["data"]["pushToRunQueueByName"]
    told = json.loads(payload["runSpec"])
    assert told["resource"] == "local-process"
    assert told["resource_args"] == {"local-process": {"env": {"A": "1"}}}
    assert (told["docker"], told["git"], told["entity"]) == ({}, {}, "team")
    found = client.item(payload["runQueueItemId"])
    assert (found["queue"], found["submitter"], found["state"]) == (queue, "admin", "queued")
    mine = {"local-process": {"env": {"B": "2"}}}
    told = json.loads(
        client.push(queue, resource_args=mine)["data"]["pushToRunQueueByName"]["runSpec"]
    )
    assert told["resource_args"]["local-process"]["env"] == {"A": "1", "B": "2"}


def test_a_launch_that_cannot_be_is_refused_with_the_reason(client: Client, queue: str) -> None:
    """In words that a person can act on, as over REST."""
    answer = client.push(queue, resource="kubernetes")
    assert "this queue's target is local-process" in answer["errors"][0]["message"]
    answer = client.push("none-such")
    assert "there is no queue" in answer["errors"][0]["message"]


def test_an_item_is_followed_and_deleted(client: Client, queue: str) -> None:
    """What is deleted is kept as cancelled, and no agent gets it."""
    item = client.pushed(queue)

    def state() -> str:
        found = client.data(ITEM, q=queue, i=item)["runQueue"]["runQueueItem"]
        return str(found["state"])

    assert state() == "PENDING"
    where = client.queue_id(queue)
    assert client.do("deleteFromRunQueue", "success", queueID=where, runQueueItemId=item)["success"]
    assert state() == "FAILED"
    assert client.item(item)["attempt_state"] == "cancelled"
    assert client.data(ITEM, q=queue, i="none")["runQueue"]["runQueueItem"] is None


def test_a_queue_is_made_changed_and_deleted(client: Client, numbers: Iterator[int]) -> None:
    """By way of a configuration that is made first, or all at once."""
    name = f"made{next(numbers)}"
    config = {"resource_args": {"local-container": {"env": {"A": "{{a}}"}}}}
    variables = {"a": {"schema": {"type": "string", "enum": ["x", "y"]}}}
    loose = client.do(
        "createDefaultResourceConfig",
        "defaultResourceConfigID success",
        entityName="team",
        resource="local-container",
        config=json.dumps(config),
        templateVariables=json.dumps(variables),
    )["defaultResourceConfigID"]
    assert client.data(CONFIG, e="team", i=loose)["defaultResourceConfig"]["config"] == config
    place = {"entityName": "team", "projectName": "model-registry", "queueName": name}
    made = client.do(
        "createRunQueue",
        "success queueID",
        **place,
        access="PROJECT",
        prioritizationMode="V0",
        defaultResourceConfigID=loose,
    )
    text = """query M($q: String!) { project(name: "model-registry", entityName: "team") {
      runQueue(name: $q) { id access defaultResourceConfigID prioritizationMode } } }"""
    shown = client.data(text, q=name)["runQueue"]
    assert (shown["access"], shown["prioritizationMode"]) == ("PROJECT", "V0")
    kept = client.data(CONFIG, e="team", i=shown["defaultResourceConfigID"])
    [variable] = kept["defaultResourceConfig"]["templateVariables"]
    assert json.loads(variable["schema"])["enum"] == ["x", "y"]
    values = {"templateVariableValues": json.dumps({"a": "y"}), "priority": 0}
    by_id = {
        "queueID": made["queueID"],
        "runSpec": json.dumps({"project": "p", "docker": {"docker_image": "x"}}),
    }
    item = client.do("pushToRunQueue", "runQueueItemId", **by_id, **values)["runQueueItemId"]
    assert client.item(item)["priority"] == 0
    client.do("deleteFromRunQueue", "success", queueID=made["queueID"], runQueueItemId=item)
    _change(client, place)
    assert client.do("deleteRunQueues", "success", queueIDs=[made["queueID"]])["success"]
    assert name not in {one["name"] for one in client.data(LISTED, e="team")["runQueues"]}


def _change(client: Client, place: dict[str, str]) -> None:
    """Give a queue a wrong configuration, which changes nothing, and then a good one."""
    wish = {"resourceType": "local-container", "resourceConfig": '{"env": 1}'}
    told = client.do("upsertRunQueue", "success configSchemaValidationErrors", **place, **wish)
    assert told["success"] is False
    assert "env" in told["configSchemaValidationErrors"][0]
    wish["resourceConfig"] = '{"env": {"A": "2"}}'
    assert client.do("upsertRunQueue", "success", **place, **wish)["success"]


# Of the team: viewer, submitter, agent and admin there, and an administrator of another entity.
# Of ada, a person: a submitter and an admin there who are not ada, ada, and one from elsewhere.
WANTED = {
    "look": ("yyyy-", "yyy-"),
    "push": ("-y-y-", "--y-"),
    "make": ("---y-", "-yy-"),
    "work": ("--yy-", "-yy-"),
    "run": ("-yyy-", "yyy-"),
}
ROLES = ("viewer", "submitter", "agent", "admin")


def _try(client: Client, what: str, entity: str, queue: str) -> bool:
    """Do one thing; tell whether it was let."""
    place = {"entityName": entity, "projectName": "model-registry"}
    match what:
        case "look":
            return client.data(LISTED, e=entity) is not None
        case "push":
            answer = client.push(queue, entity)
        case "make":
            wish = {"resourceType": "local-process", "resourceConfig": "{}"}
            answer = client.try_to("upsertRunQueue", "success", **place, queueName=queue, **wish)
        case "work":
            hello = {"runQueues": [], "hostname": "box"}
            answer = client.try_to("createLaunchAgent", "launchAgentId", **place, **hello)
        case _:
            answer = client.try_to("upsertBucket", "inserted", entityName=entity, name="r")
    return "errors" not in answer


@pytest.fixture(scope="module")
def keys(server: RunningServer) -> tuple[list[str], list[str]]:
    """Give the keys of the table's columns, for the team and for the person."""
    server.make_queue(queue="rights")
    server.make_queue(entity="ada", queue="rights")
    server.call("POST", "/entities", json={"name": "far", "kind": "team"})
    far = server.make_key("admin", "far", user="far")
    own = [("submitter", "bob"), ("admin", "bea"), ("admin", "ada")]
    return (
        [*(server.make_key(role, user=role) for role in ROLES), far],
        [*(server.make_key(role, "ada", user=user) for role, user in own), far],
    )


@pytest.mark.parametrize("what", list(WANTED))
def test_rights_hold_as_over_rest(
    client: Client, what: str, keys: tuple[list[str], list[str]]
) -> None:
    """A team's queue takes items from its members, a person's from its owner alone."""
    for entity, shown, wanted in zip(("team", "ada"), keys, WANTED[what], strict=True):
        marks = ""
        for key in shown:
            client.key = key
            marks += "y" if _try(client, what, entity, "rights") else "-"
        assert marks == wanted, (what, entity)


def test_a_personal_queue_says_so_and_a_team_has_none(client: Client) -> None:
    """`access: USER` belongs to a person's entity; for a team's it is refused with the reason."""
    listed = client.data(LISTED, e="ada")["runQueues"]
    assert {one["access"] for one in listed} == {"USER"}
    place = {"projectName": "model-registry", "queueName": "mine", "access": "USER"}
    answer = client.try_to("createRunQueue", "success", entityName="team", **place)
    assert "team is a team" in answer["errors"][0]["message"]
    assert client.do("createRunQueue", "success", entityName="ada", **place)["success"]
