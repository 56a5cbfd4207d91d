"""The GraphQL documents about runs and sweeps, and those that put launches on queues."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from launchyard.adapters.wandb.graphql import Operation
from launchyard.adapters.wandb.operations import AGENT, alias, made
from launchyard.domain.documents import Json
from launchyard.domain.wandb_items import QUEUES_PROJECT


@dataclass(frozen=True, slots=True)
class RunRef:
    """A run of any entity."""

    entity: str
    project: str
    run: str


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
    return made("query", "RunState", declared, fields, variables)


@dataclass(frozen=True, slots=True)
class SweepRef:
    """A sweep of any entity."""

    entity: str
    project: str
    sweep: str


def sweeps(asked: Sequence[SweepRef]) -> Operation:
    """Ask of each sweep whether it goes on."""
    declared, fields = [], []
    variables: dict[str, Json] = {}
    for number, ref in enumerate(asked):
        names = (f"entity{number}", f"project{number}", f"sweep{number}")
        declared += [f"${names[0]}: String", f"${names[1]}: String", f"${names[2]}: String!"]
        variables |= dict(zip(names, (ref.entity, ref.project, ref.sweep), strict=True))
        fields.append(
            f"{alias(number)}: project(name: $project{number}, entityName: $entity{number})"
            f" {{ sweep(sweepName: $sweep{number}) {{ state }} }}"
        )
    return made("query", "GetSweepState", declared, fields, variables)


@dataclass(frozen=True, slots=True)
class Standing:
    """How an item was put on its queue, as far as the server tells: only that is sent again."""

    priority: int | None = None
    values: str = ""
    """What the submitter gave for the queue's template variables, as JSON."""


def push(entity: str, queue: str, spec: Mapping[str, Json], standing: Standing) -> Operation:
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
    if standing.priority is not None:
        declared.append("$priority: Int")
        variables["priority"] = standing.priority
        more = ", priority: $priority"
    if standing.values:
        declared.append("$templateVariableValues: JSONString")
        variables["templateVariableValues"] = standing.values
        more += ", templateVariableValues: $templateVariableValues"
    field = (
        "pushToRunQueueByName(input: {entityName: $entityName, projectName: $projectName,"
        f" queueName: $queueName, runSpec: $runSpec{more}}}) {{ runQueueItemId }}"
    )
    return made("mutation", "pushToRunQueueByName", declared, [field], variables)


def upsert_runs(wanted: Sequence[tuple[RunRef, Mapping[str, Json]]], kind: str = "") -> Operation:
    """Make runs known that are not, each with its configuration."""
    declared, fields = ["$jobType: String"], []
    variables: dict[str, Json] = {"jobType": kind or None}
    for number, (ref, config) in enumerate(wanted):
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
    return made("mutation", "UpsertBucket", declared, fields, variables)


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
