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


@dataclass(frozen=True, slots=True)
class RunRef:
    """A run of any entity."""

    entity: str
    project: str
    run: str


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


def register(made: Registration) -> Operation:
    """Make an agent known; it gets a name from the server."""
    text = (
        "mutation createLaunchAgent($entity: String!, $project: String!, $queues: [ID!]!,"
        " $hostname: String!, $agentConfig: JSONString, $version: String) {"
        " createLaunchAgent(input: {entityName: $entity, projectName: $project,"
        " runQueues: $queues, hostname: $hostname, agentConfig: $agentConfig, version: $version})"
        " { launchAgentId } }"
    )
    variables: dict[str, Json] = {
        "entity": made.entity,
        "project": QUEUES_PROJECT,
        "queues": list(made.queues),
        "hostname": made.hostname,
        "agentConfig": json.dumps(dict(made.config)),
        "version": made.version,
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
    return _made("mutation", "popFromRunQueue", declared, fields, variables)


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
    return _made("mutation", "ackRunQueueItem", declared, fields, variables)


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
    return _made("query", "GetRunQueueItem", declared, fields, variables)


def priority(entity: str, queue: str, item: str) -> Operation:
    """Ask for an item's priority, which not every server tells."""
    text = (
        "query GetRunQueueItem($projectName: String!, $entityName: String!, $runQueue: String!,"
        " $itemId: ID!) { project(name: $projectName, entityName: $entityName)"
        " { runQueue(name: $runQueue) { runQueueItem(id: $itemId) { id state priority } } } }"
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
    return _made("mutation", "failRunQueueItem", declared, fields, variables)


def runs(asked: Sequence[RunRef], what: str, agent_id: str = "") -> Operation:
    """Ask *what* of each run; with an agent, too, whether it is to stop."""
    declared, fields = [], []
    variables: dict[str, Json] = {}
    if agent_id:
        declared.append("$agentId: ID!")
        variables["agentId"] = agent_id
        fields.append(f"{AGENT}: launchAgent(id: $agentId) {{ id stopPolling }}")
    places = list(dict.fromkeys((ref.entity, ref.project) for ref in asked))
    for number, (entity, project) in enumerate(places):
        declared += [f"$entity{number}: String!", f"$project{number}: String!"]
        variables |= {f"entity{number}": entity, f"project{number}": project}
    for number, ref in enumerate(asked):
        place = places.index((ref.entity, ref.project))
        declared.append(f"$run{number}: String!")
        variables[f"run{number}"] = ref.run
        fields.append(
            f"{alias(number)}: project(name: $project{place}, entityName: $entity{place})"
            f" {{ run(name: $run{number}) {{ {what} }} }}"
        )
    return _made("query", "RunState", declared, fields, variables)


def sweep(entity: str, project: str, name: str) -> Operation:
    """Ask whether a sweep goes on."""
    text = (
        "query GetSweepState($entity: String, $project: String, $sweep: String!) {"
        " project(name: $project, entityName: $entity) { sweep(sweepName: $sweep) { state } } }"
    )
    variables: dict[str, Json] = {"entity": entity, "project": project, "sweep": name}
    return Operation(name="GetSweepState", text=text, variables=variables)


def push(
    entity: str, queue: str, spec: Mapping[str, Json], priority: int | None = None
) -> Operation:
    """Put a launch on a queue."""
    declared = ["$entityName: String!", "$projectName: String!", "$queueName: String!"]
    declared.append("$runSpec: JSONString!")
    variables: dict[str, Json] = {
        "entityName": entity,
        "projectName": QUEUES_PROJECT,
        "queueName": queue,
        "runSpec": json.dumps(dict(spec)),
    }
    more = ""
    if priority is not None:
        declared.append("$priority: Int")
        variables["priority"] = priority
        more = ", priority: $priority"
    field = (
        "pushToRunQueueByName(input: {entityName: $entityName, projectName: $projectName,"
        f" queueName: $queueName, runSpec: $runSpec{more}}}) {{ runQueueItemId }}"
    )
    return _made("mutation", "pushToRunQueueByName", declared, [field], variables)


def upsert_runs(made: Sequence[tuple[RunRef, Mapping[str, Json]]], kind: str = "") -> Operation:
    """Make runs known that are not, each with its configuration."""
    declared, fields = ["$jobType: String"], []
    variables: dict[str, Json] = {"jobType": kind or None}
    for number, (ref, config) in enumerate(made):
        declared += [
            f"$name{number}: String",
            f"$project{number}: String",
            f"$entity{number}: String",
            f"$config{number}: JSONString",
        ]
        variables |= {
            f"name{number}": ref.run,
            f"project{number}": ref.project,
            f"entity{number}": ref.entity,
            f"config{number}": json.dumps(dict(config)),
        }
        fields.append(
            f"{alias(number)}: upsertBucket(input: {{name: $name{number},"
            f" modelName: $project{number}, entityName: $entity{number},"
            f" config: $config{number}, jobType: $jobType}}) {{ bucket {{ id name }} inserted }}"
        )
    return _made("mutation", "UpsertBucket", declared, fields, variables)


def upload(ref: RunRef, files: Sequence[str]) -> Operation:
    """Ask where files of a run go."""
    text = (
        "mutation CreateRunFiles($entity: String!, $project: String!, $run: String!,"
        " $files: [String!]!) { createRunFiles(input: {entityName: $entity,"
        " projectName: $project, runName: $run, files: $files})"
        " { runID uploadHeaders files { name uploadUrl } } }"
    )
    variables: dict[str, Json] = {
        "entity": ref.entity,
        "project": ref.project,
        "run": ref.run,
        "files": list(files),
    }
    return Operation(name="CreateRunFiles", text=text, variables=variables)


def _made(
    kind: str,
    name: str,
    declared: Sequence[str],
    fields: Sequence[str],
    variables: Mapping[str, Json],
) -> Operation:
    head = f"({', '.join(declared)})" if declared else ""
    text = f"{kind} {name}{head} {{ {' '.join(fields)} }}"
    return Operation(name=name, text=text, variables=variables)
