"""Records as the GraphQL objects that clients ask for.

Fields without arguments are values or functions of the resolve info; fields with arguments are
functions that take them by keyword, which is graphql-core's own way of resolving.
"""

from __future__ import annotations

from typing import Any

from tests.wandb_server.records import PROJECT, Agent, Artifact, Item, Queue, Run, opaque
from tests.wandb_server.state import State

WHEN = "2026-01-01T00:00:00"


class Answers:
    """Makes the objects; *base_url* stands in front of file addresses."""

    def __init__(self, state: State, base_url: str) -> None:
        self._state = state
        self.base_url = base_url

    def viewer(self, entity: str) -> dict[str, Any]:
        """Give the user, whose default entity is *entity* and who is in every team."""
        teams = [n for n, team in self._state.entities.items() if team]
        return {
            "id": opaque("User", 1),
            "entity": entity,
            "username": entity,
            "name": entity,
            "email": "somebody@host.invalid",
            "admin": False,
            "flags": "{}",
            "capabilities": [],
            "apiKeys": {"edges": []},
            "teams": {"edges": [{"node": self.entity(name)} for name in teams]},
            "deletedAt": None,
        }

    def entity(self, name: str) -> dict[str, Any] | None:
        """Give an entity, or null for one that nobody knows."""
        if name not in self._state.entities:
            return None
        return {
            "id": opaque("Entity", name),
            "name": name,
            "isTeam": self._state.entities[name],
            "organization": None,
            "defaultResourceConfig": lambda _info, id: self._state.configs.get(id),  # noqa: A006
        }

    def project(self, entity: str, name: str) -> dict[str, Any] | None:
        """Give a project of a known entity; every name exists there."""
        state = self._state
        if entity not in state.entities:
            return None
        return {
            "id": opaque("Project", name),
            "internalId": opaque("ProjectInternalId", name),
            "name": name,
            "entityName": entity,
            "entity": lambda _info: self.entity(entity),
            "description": None,
            "access": "PRIVATE",
            "views": "{}",
            "runQueues": lambda _info: self._queues(entity, name),
            "runQueue": lambda _info, name: self.queue(state.queue(entity, name)),
            "launchAgents": lambda _info: [self.agent(a) for a in state.agents.values()],
            "run": lambda _info, **asked: self.run(state.run(entity, name, asked["name"])),
            "bucket": lambda _info, **asked: self.run(state.run(entity, name, asked["name"])),
            "sweep": lambda _info, sweepName: self.sweep(entity, name, sweepName),  # noqa: N803
            "artifact": lambda _info, **asked: self.artifact(
                state.find_artifact(entity, name, asked["name"])
            ),
            "artifactType": lambda _info, **asked: self._type(entity, name, asked["name"]),
            "artifactCollection": lambda _info, **asked: self.collection(
                entity, name, asked["name"]
            ),
            "artifactCollectionMembership": lambda _info, **asked: self.membership(
                state.find_artifact(entity, name, asked["name"])
            ),
        }

    def _queues(self, entity: str, project: str) -> list[Any]:
        if project != PROJECT:
            return []
        return [self.queue(q) for q in self._state.queues.values() if q.entity == entity]

    def queue(self, queue: Queue | None) -> dict[str, Any] | None:
        """Give a queue."""
        if queue is None:
            return None
        items = [i for i in self._state.items.values() if i.queue == queue.id]
        return {
            "id": queue.id,
            "name": queue.name,
            "entityName": queue.entity,
            "createdBy": queue.entity,
            "access": queue.access,
            "prioritizationMode": queue.mode,
            "defaultResourceConfigID": queue.config_id,
            "externalLinks": queue.external_links or "{}",
            "runQueueItem": lambda _info, id: self.item(self._state.items.get(id)),  # noqa: A006
            "runQueueItems": lambda _info, first=100, **_: {
                "edges": [{"node": self.item(i)} for i in items[:first]],
                "pageInfo": {"endCursor": None, "hasNextPage": len(items) > first},
            },
        }

    def item(self, item: Item | None) -> dict[str, Any] | None:
        """Give an item."""
        if item is None:
            return None
        return {
            "id": item.id,
            "state": item.state,
            "runSpec": item.spec,
            "priority": item.priority,
            "associatedRunId": item.run_name,
            "launchAgentId": item.agent_id,
            "templateVariableValues": item.template_values,
            "error": item.error,
            "warnings": item.warnings,
        }

    def agent(self, agent: Agent | None) -> dict[str, Any] | None:
        """Give an agent."""
        if agent is None:
            return None
        return {
            "id": agent.id,
            "name": agent.name,
            "hostname": agent.hostname,
            "agentStatus": agent.status,
            "stopPolling": agent.stop_polling,
            "runQueues": agent.queues,
            "agentConfig": agent.config,
            "version": agent.version,
            "heartbeatAt": WHEN,
        }

    def run(self, run: Run | None) -> dict[str, Any] | None:
        """Give a run."""
        if run is None:
            return None
        return {
            "id": run.id,
            "name": run.name,
            "displayName": run.display_name or run.name,
            "config": run.config,
            "summaryMetrics": run.summary,
            "systemMetrics": "{}",
            "historyLineCount": 0,
            "sweepName": None,
            "state": run.state,
            "stopped": run.stopped,
            "jobType": run.job_type,
            "readOnly": False,
            "createdAt": WHEN,
            "heartbeatAt": WHEN,
            "tags": [],
            "projectId": "1",
            "project": lambda _info: self.project(run.entity, run.project),
            "user": {"id": opaque("User", 1), "name": run.entity, "username": run.entity},
            "files": lambda _info, names=(): self._run_files(run, names or ()),
        }

    def _run_files(self, run: Run, names: tuple[str, ...]) -> dict[str, Any]:
        return {
            "uploadHeaders": [],
            "edges": [{"node": self.file(run.file(name), name)} for name in names],
        }

    def sweep(self, entity: str, project: str, name: str) -> dict[str, Any] | None:
        """Give a sweep."""
        sweep = self._state.sweeps.get((entity, project, name))
        if sweep is None:
            return None
        return {
            "id": opaque("Sweep", name),
            "name": name,
            "state": sweep.state,
            "config": "{}",
            "runs": {"edges": []},
        }

    def file(self, path: str, name: str) -> dict[str, Any]:
        """Give a file that lies, or will lie, at *path* of the storage."""
        url = f"{self.base_url}/storage/{path}"
        return {
            "id": opaque("File", path),
            "name": name,
            "displayName": name,
            "url": url,
            "directUrl": url,
            "uploadUrl": url,
            "uploadHeaders": [],
            "uploadMultipartUrls": None,
            "storagePath": path,
        }

    # Artifacts

    def artifact(self, artifact: Artifact | None) -> dict[str, Any] | None:
        """Give one version of an artifact."""
        if artifact is None:
            return None
        where = (artifact.entity, artifact.project, artifact.name)
        return {
            "id": artifact.id,
            "artifactSequence": lambda _info: self.collection(*where),
            "versionIndex": artifact.index,
            "artifactType": {"name": artifact.type},
            "description": artifact.description,
            "metadata": artifact.metadata,
            "ttlDurationSeconds": -2,
            "ttlIsInherited": True,
            "tags": [],
            "state": artifact.state,
            "size": sum(map(len, artifact.files.values())),
            "digest": artifact.digest,
            "commitHash": f"c{artifact.index}",
            "fileCount": len(artifact.files),
            "createdAt": WHEN,
            "updatedAt": WHEN,
            "aliases": lambda _info: self._aliases(artifact),
            "currentManifest": {
                "id": opaque("ArtifactManifest", artifact.id),
                "file": self.file(f"manifest/{artifact.id}", "wandb_manifest.json"),
            },
            "files": lambda _info, **page: self._files(artifact, **page),
        }

    def _aliases(self, artifact: Artifact) -> list[dict[str, Any]]:
        where = (artifact.entity, artifact.project, artifact.name)
        return [
            {
                "id": opaque("ArtifactAlias", alias),
                "alias": alias,
                "artifactCollection": lambda _info: self.collection(*where),
            }
            for alias in artifact.aliases
        ]

    def collection(self, entity: str, project: str, name: str) -> dict[str, Any] | None:
        """Give an artifact with all its versions."""
        versions = self._state.versions(entity, project, name)
        if not versions:
            return None
        find = self._state.find_artifact
        return {
            "__typename": "ArtifactSequence",
            "id": opaque("ArtifactCollection", name),
            "name": name,
            "project": lambda _info: self.project(entity, project),
            "latestArtifact": lambda _info: self.artifact(find(entity, project, name)),
            "artifactMembership": lambda _info, aliasName: self.membership(  # noqa: N803
                find(entity, project, f"{name}:{aliasName}")
            ),
            "artifacts": lambda _info, **_: {
                "edges": [{"node": self.artifact(a)} for a in versions]
            },
        }

    def membership(self, artifact: Artifact | None) -> dict[str, Any] | None:
        """Give a version as a member of its collection."""
        if artifact is None:
            return None
        where = (artifact.entity, artifact.project, artifact.name)
        return {
            "id": opaque("ArtifactCollectionMembership", artifact.id),
            "versionIndex": artifact.index,
            "createdAt": WHEN,
            "aliases": lambda _info: self._aliases(artifact),
            "artifactCollection": lambda _info: self.collection(*where),
            "artifact": lambda _info: self.artifact(artifact),
            "files": lambda _info, **page: self._files(artifact, **page),
        }

    def _files(self, artifact: Artifact, **page: Any) -> dict[str, Any]:
        start, most = int(page.get("after") or 0), page.get("first") or 50
        names = [n for n in sorted(artifact.files) if n in (page.get("names") or artifact.files)]
        shown = names[start : start + most]
        return {
            "pageInfo": {
                "endCursor": str(start + len(shown)),
                "hasNextPage": start + len(shown) < len(names),
            },
            "edges": [{"node": self.file(f"artifact/{artifact.id}/{n}", n)} for n in shown],
        }

    def _type(self, entity: str, project: str, kind: str) -> dict[str, Any] | None:
        of_type = {
            a.name
            for a in self._state.artifacts.values()
            if (a.entity, a.project, a.type) == (entity, project, kind)
        }
        edges = [{"node": self.collection(entity, project, name)} for name in sorted(of_type)]
        return {"name": kind, "artifactCollections": {"edges": edges}} if of_type else None
