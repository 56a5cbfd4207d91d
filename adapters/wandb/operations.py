"""The GraphQL documents: our own words for the operations of W&B's launch interface.

Where many things are asked for or done at once, one document has a field for each under a name
of its own: `x0`, `x1`… in the order of what was given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from launchyard.adapters.wandb.graphql import Operation
from launchyard.domain.documents import Json
from launchyard.domain.wandb_items import QUEUES_PROJECT

STATUS: Final = "status"
AGENT: Final = "agent"
_STATUS: Final = (
    "updateLaunchAgent(input: {launchAgentId: $agentId, agentStatus: $agentStatus}) { success }"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is told of an item: that it failed, or a warning; `files` are paths of our own run."""

    item: str
    message: str
    stage: str
    files: tuple[str, ...] = ()
    failed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A start of an agent on queues with these ids."""

    entity: str
    queues: Sequence[str]
    hostname: str
    config: Mapping[str, Json]
    version: str


def alias(number: int) -> str:
    """Return the name of the field about the given number."""
    return f"x{number}"


def viewer() -> Operation:
    """Ask whose key this is."""
    return Operation(name="Viewer", text="query Viewer { viewer { id entity username } }")


def queues(entity: str) -> Operation:
    """Ask for the queues of *entity*."""
    text = (
        "query ProjectRunQueues($entity: String!, $projectName: String!) {"
        " project(entityName: $entity, name: $projectName)"
        " { runQueues { id name createdBy access } } }"
    )
    variables: dict[str, Json] = {"entity": entity, "projectName": QUEUES_PROJECT}
    return Operation(name="ProjectRunQueues", text=text, variables=variables)


def register(start: Registration) -> Operation:
    """Make an agent known; it gets a name from the server."""
    text = (
        "mutation createLaunchAgent($entity: String!, $project: String!, $queues: [ID!]!,"
        " $hostname: String!, $agentConfig: JSONString, $version: String) {"
        " createLaunchAgent(input: {entityName: $entity, projectName: $project,"
        " runQueues: $queues, hostname: $hostname, agentConfig: $agentConfig, version: $version})"
        " { launchAgentId } }"
    )
    variables: dict[str, Json] = {
        "entity": start.entity,
        "project": QUEUES_PROJECT,
        "queues": list(start.queues),
        "hostname": start.hostname,
        "agentConfig": json.dumps(dict(start.config)),
        "version": start.version,
    }
    return Operation(name="createLaunchAgent", text=text, variables=variables)


def agent(agent_id: str) -> Operation:
    """Ask what the server knows of an agent."""
    text = (
        "query LaunchAgent($agentId: ID!)"
        " { launchAgent(id: $agentId) { id name agentStatus stopPolling } }"
    )
    return Operation(name="LaunchAgent", text=text, variables={"agentId": agent_id})


def status(agent_id: str, word: str) -> Operation:
    """Tell an agent's status, which is its sign of life."""
    text = (
        f"mutation updateLaunchAgent($agentId: ID!, $agentStatus: String) {{ {STATUS}: {_STATUS} }}"
    )
    variables: dict[str, Json] = {"agentId": agent_id, "agentStatus": word}
    return Operation(name="updateLaunchAgent", text=text, variables=variables)


def pop(entity: str, agent_id: str, asked: Sequence[str], word: str = "") -> Operation:
    """Ask for an item of each queue in *asked*; with a *word*, tell the status on the way."""
    names = list(dict.fromkeys(asked))
    variables: dict[str, Json] = {
        "entity": entity,
        "project": QUEUES_PROJECT,
        "agentId": agent_id,
        **{f"queue{number}": name for number, name in enumerate(names)},
    }
    declared = ["$entity: String!", "$project: String!", "$agentId: ID!"]
    declared += [f"$queue{number}: String!" for number in range(len(names))]
    fields = [
        f"{alias(number)}: popFromRunQueue(input: {{entityName: $entity, projectName: $project,"
        f" queueName: $queue{names.index(name)}, launchAgentId: $agentId}})"
        " { runQueueItemId runSpec }"
        for number, name in enumerate(asked)
    ]
    if word:
        declared.append("$agentStatus: String")
        variables["agentStatus"] = word
        fields.insert(0, f"{STATUS}: {_STATUS}")
    return made("mutation", "popFromRunQueue", declared, fields, variables)


def ack(items: Sequence[tuple[str, str]]) -> Operation:
    """Say of each item which run it becomes: from then on it is ours."""
    declared, fields = [], []
    variables: dict[str, Json] = {}
    for number, (item, run) in enumerate(items):
        declared += [f"$item{number}: ID!", f"$run{number}: String!"]
        variables |= {f"item{number}": item, f"run{number}": run}
        fields.append(
            f"{alias(number)}: ackRunQueueItem(input: {{runQueueItemId: $item{number},"
            f" runName: $run{number}}}) {{ success }}"
        )
    return made("mutation", "ackRunQueueItem", declared, fields, variables)


def items(entity: str, asked: Sequence[tuple[str, str]]) -> Operation:
    """Ask for the state of items, each by its queue and id."""
    declared = ["$entity: String!", "$project: String!"]
    variables: dict[str, Json] = {"entity": entity, "project": QUEUES_PROJECT}
    fields = []
    for number, (queue, item) in enumerate(asked):
        declared += [f"$queue{number}: String!", f"$item{number}: ID!"]
        variables |= {f"queue{number}": queue, f"item{number}": item}
        fields.append(
            f"{alias(number)}: project(name: $project, entityName: $entity)"
            f" {{ runQueue(name: $queue{number})"
            f" {{ runQueueItem(id: $item{number}) {{ id state associatedRunId }} }} }}"
        )
    return made("query", "GetRunQueueItem", declared, fields, variables)


def standing(entity: str, queue: str, item: str, what: str) -> Operation:
    """Ask *what* of how an item was put on its queue, which not every server tells."""
    text = (
        "query GetRunQueueItem($projectName: String!, $entityName: String!, $runQueue: String!,"
        " $itemId: ID!) { project(name: $projectName, entityName: $entityName)"
        f" {{ runQueue(name: $runQueue) {{ runQueueItem(id: $itemId) {{ id state {what} }} }} }} }}"
    )
    variables: dict[str, Json] = {
        "projectName": QUEUES_PROJECT,
        "entityName": entity,
        "runQueue": queue,
        "itemId": item,
    }
    return Operation(name="GetRunQueueItem", text=text, variables=variables)


def notes(told: Sequence[Note]) -> Operation:
    """Fail items or warn on them."""
    declared, fields = [], []
    variables: dict[str, Json] = {}
    for number, note in enumerate(told):
        declared += [
            f"$item{number}: ID!",
            f"$message{number}: String!",
            f"$stage{number}: String!",
            f"$files{number}: [String!]",
        ]
        variables |= {
            f"item{number}": note.item,
            f"message{number}": note.message,
            f"stage{number}": note.stage,
            f"files{number}": list(note.files) or None,
        }
        name = "failRunQueueItem" if note.failed else "updateRunQueueItemWarning"
        fields.append(
            f"{alias(number)}: {name}(input: {{runQueueItemId: $item{number},"
            f" message: $message{number}, stage: $stage{number}, filePaths: $files{number}}})"
            " { success }"
        )
    return made("mutation", "failRunQueueItem", declared, fields, variables)


def made(
    kind: str,
    name: str,
    declared: Sequence[str],
    fields: Sequence[str],
    variables: Mapping[str, Json],
) -> Operation:
    """Return a document with *fields*, for which *variables* are *declared*."""
    head = f"({', '.join(declared)})" if declared else ""
    text = f"{kind} {name}{head} {{ {' '.join(fields)} }}"
    return Operation(name=name, text=text, variables=variables)
