"""The root fields: what each query and mutation reads from or does to the state."""

from __future__ import annotations

import json
from typing import Any

from tests.wandb_server.answers import Answers
from tests.wandb_server.records import Artifact, Queue, Sweep, opaque
from tests.wandb_server.state import RefusedError, State

_SUCCESS = {"success": True, "clientMutationId": None}
_REFUSED = {"success": False, "clientMutationId": None}


class Operations:
    """The root value: graphql-core calls the method that is named like the field."""

    def __init__(self, state: State, answers: Answers, viewer: str) -> None:
        self._state = state
        self._answers = answers
        self._viewer = viewer

    def fields(self) -> dict[str, Any]:
        """Give every root field with its function."""
        return {n: getattr(self, n) for n in dir(self) if not n.startswith("_") and n != "fields"}

    # Queries

    def viewer(self, _info: Any) -> Any:
        return self._answers.viewer(self._viewer)

    def serverInfo(self, _info: Any) -> Any:  # noqa: N802
        return {"cliVersionInfo": {"max_cli_version": "9.0.0"}, "features": []}

    def entity(self, _info: Any, name: str) -> Any:
        return self._answers.entity(name)

    def project(self, _info: Any, name: str = "", entityName: str = "") -> Any:  # noqa: N803
        return self._answers.project(entityName or self._viewer, name or "uncategorized")

    model = project

    def launchAgent(self, _info: Any, id: str) -> Any:  # noqa: A002, N802
        return self._answers.agent(self._state.agents.get(id))

    def artifact(self, _info: Any, id: str) -> Any:  # noqa: A002
        return self._answers.artifact(self._state.artifacts.get(id))

    # Agents and items

    def createLaunchAgent(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        known = set(self._state.queues)
        if strange := set(input["runQueues"]) - known:
            raise RefusedError(f"no queues {sorted(strange)}")
        agent = self._state.add_agent(
            hostname=input["hostname"],
            queues=input["runQueues"],
            config=input.get("agentConfig"),
            version=input.get("version"),
        )
        return {"launchAgentId": agent.id}

    def updateLaunchAgent(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        agent = self._state.agents.get(input["launchAgentId"])
        if agent is None:
            return _REFUSED
        agent.stop_polling = input.get("stopPolling", agent.stop_polling)
        self._state.status(agent, input.get("agentStatus"))
        return _SUCCESS

    def popFromRunQueue(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        agent_id = input.get("launchAgentId")
        if agent_id is not None and agent_id not in self._state.agents:
            raise RefusedError(f"no agent {agent_id}")
        item = self._state.pop(input["entityName"], input["queueName"], agent_id)
        return None if item is None else {"runQueueItemId": item.id, "runSpec": item.spec}

    def ackRunQueueItem(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        return {"success": self._state.ack(input["runQueueItemId"], input["runName"])}

    def failRunQueueItem(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        error = {
            "message": input.get("message") or "",
            "stage": input.get("stage") or "",
            "filePaths": input.get("filePaths") or [],
        }
        return {"success": self._state.fail(input["runQueueItemId"], error)}

    def updateRunQueueItemWarning(  # noqa: N802
        self,
        _info: Any,
        input: dict[str, Any],  # noqa: A002
    ) -> Any:
        item = self._state.items.get(input["runQueueItemId"])
        if item is None:
            return _REFUSED
        item.warnings.append(
            {
                "message": input["message"],
                "stage": input["stage"],
                "filePaths": input.get("filePaths") or [],
            }
        )
        return _SUCCESS

    def pushToRunQueue(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        queue = self._state.queues.get(input["queueID"])
        return {"runQueueItemId": self._push(queue, input).id}

    def pushToRunQueueByName(  # noqa: N802
        self,
        _info: Any,
        input: dict[str, Any],  # noqa: A002
    ) -> Any:
        item = self._push(self._state.queue(input["entityName"], input["queueName"]), input)
        return {"runQueueItemId": item.id, "runSpec": json.dumps(item.spec)}

    def _push(self, queue: Queue | None, asked: dict[str, Any]) -> Any:
        if queue is None:
            raise RefusedError("no such queue")
        values = json.loads(asked.get("templateVariableValues") or "null")
        return self._state.push(queue, json.loads(asked["runSpec"]), asked.get("priority"), values)

    def deleteFromRunQueue(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        gone = self._state.items.pop(input["runQueueItemId"], None)
        return _REFUSED if gone is None else _SUCCESS

    # Queues

    def deleteRunQueues(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        found = [self._state.queues.pop(q, None) for q in input["queueIDs"]]
        return _SUCCESS if all(found) else _REFUSED

    def createDefaultResourceConfig(  # noqa: N802
        self,
        _info: Any,
        input: dict[str, Any],  # noqa: A002
    ) -> Any:
        identity = str(self._state.number())
        variables = json.loads(input.get("templateVariables") or "{}") or {}
        self._state.configs[identity] = {
            "id": identity,
            "resource": input["resource"],
            "config": json.loads(input["config"]),
            "templateVariables": [
                {"name": name, "schema": json.dumps(one["schema"], separators=(",", ":"))}
                for name, one in variables.items()
            ],
        }
        return {"defaultResourceConfigID": identity, "success": True}

    def createRunQueue(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        queue = self._state.add_queue(input["entityName"], input["queueName"])
        queue.access = input["access"]
        self._configure(
            queue, input.get("prioritizationMode"), input.get("defaultResourceConfigID")
        )
        return {"success": True, "queueID": queue.id}

    def upsertRunQueue(self, info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        made = self.createDefaultResourceConfig(
            info,
            {
                "resource": input["resourceType"],
                "config": input["resourceConfig"],
                "templateVariables": input.get("templateVariables"),
            },
        )
        queue = self._state.add_queue(input["entityName"], input["queueName"])
        queue.external_links = input.get("externalLinks")
        self._configure(queue, input.get("prioritizationMode"), made["defaultResourceConfigID"])
        return {"success": True, "configSchemaValidationErrors": []}

    def _configure(self, queue: Queue, mode: str | None, config_id: str | None) -> None:
        queue.mode = mode or "DISABLED"
        queue.config_id = config_id
        config = self._state.configs.get(config_id or "")
        if config is not None:
            queue.resource = config["resource"]
            queue.config = config["config"]["resource_args"].get(queue.resource) or {}

    def upsertModel(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        project = self._answers.project(input["entityName"], input["name"])
        return {"project": project, "model": project, "inserted": True}

    # Runs and sweeps

    def upsertBucket(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        entity = input.get("entityName") or self._viewer
        project = input.get("modelName") or "uncategorized"
        name = input.get("name") or f"run{self._state.number()}"
        run = self._state.run(entity, project, name)
        inserted = run is None
        run = self._state.run(entity, project, name, make=True)
        if run is None:  # only for the type checker: it was made
            raise RefusedError(name)
        if run.state == "pending" or inserted:
            run.state = "running"
        run.config = input.get("config") or run.config
        run.summary = input.get("summaryMetrics") or run.summary
        run.job_type = input.get("jobType") or run.job_type
        run.display_name = input.get("displayName") or run.display_name
        return {"bucket": self._answers.run(run), "inserted": inserted}

    def createRunFiles(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        where = (input["entityName"], input["projectName"], input["runName"])
        run = self._state.run(*where)
        if run is None:
            raise RefusedError(f"no run {'/'.join(where)}")
        files = [self._answers.file(run.file(name), name) for name in input["files"]]
        return {"runID": run.id, "uploadHeaders": [], "files": files}

    def deleteRun(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        run = self._state.run_by_id(input["id"])
        if run is not None:
            del self._state.runs[run.entity, run.project, run.name]
        return _REFUSED if run is None else _SUCCESS

    def stopRun(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        run = self._state.run_by_id(input["id"])
        if run is None:
            return _REFUSED
        run.stopped = True
        return _SUCCESS

    def upsertSweep(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        key = (input["entityName"], input["projectName"], input["id"])
        made = Sweep(entity=key[0], project=key[1], name=key[2])
        sweep = self._state.sweeps.setdefault(key, made)
        sweep.state = input.get("state") or sweep.state
        return {"sweep": self._answers.sweep(*key)}

    # Artifacts

    def createArtifact(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        names = input.get("artifactCollectionNames") or [input.get("artifactCollectionName")]
        where = (input["entityName"], input["projectName"], names[0])
        same = [a for a in self._state.versions(*where) if a.digest == input["digest"]]
        artifact = same[0] if same else self._new_artifact(where, input)
        return {"artifact": self._answers.artifact(artifact)}

    def _new_artifact(self, where: tuple[str, str, str], asked: dict[str, Any]) -> Artifact:
        artifact = self._state.add_artifact(*where, asked["artifactTypeName"])
        artifact.state, artifact.digest = "PENDING", asked["digest"]
        artifact.metadata = asked.get("metadata") or "{}"
        artifact.description = asked.get("description")
        self._state.alias(artifact, [a["alias"] for a in asked.get("aliases") or ()])
        return artifact

    def createArtifactManifest(  # noqa: N802
        self,
        _info: Any,
        input: dict[str, Any],  # noqa: A002
    ) -> Any:
        identity = input["artifactID"]
        file = self._answers.file(f"manifest/{identity}", input["name"])
        return {"artifactManifest": {"id": opaque("ArtifactManifest", identity), "file": file}}

    def createArtifactFiles(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        nodes = []
        for asked in input["artifactFiles"]:
            artifact = self._state.artifacts[asked["artifactID"]]
            node = self._answers.file(f"artifact/{artifact.id}/{asked['name']}", asked["name"])
            nodes.append({"node": {**node, "artifact": {"id": artifact.id}}})
        return {"files": {"edges": nodes, "pageInfo": {"hasNextPage": False}}}

    def commitArtifact(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        artifact = self._state.artifacts[input["artifactID"]]
        artifact.state = "COMMITTED"
        return {"artifact": self._answers.artifact(artifact)}

    def useArtifact(self, _info: Any, input: dict[str, Any]) -> Any:  # noqa: A002, N802
        where = (input["entityName"], input["projectName"], input["runName"])
        run = self._state.run(*where, make=True)
        if run is not None:
            run.used.append(input["artifactID"])
        artifact = self._state.artifacts.get(input["artifactID"])
        return {"artifact": self._answers.artifact(artifact)}
