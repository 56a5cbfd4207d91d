"""Versions of artifacts and their collections as W&B's clients read them."""

from __future__ import annotations

import json
from typing import Any, Final

from launchyard.adapters.http.graphql import ids
from launchyard.adapters.http.graphql.moments import iso
from launchyard.adapters.http.graphql.viewer import project_of
from launchyard.ports.tracking import COMMITTED, Artifact

KIND: Final = "Artifact"
_SEQUENCE: Final = "ArtifactCollection"
_NO_TTL: Final = -2


def sequence(of: Artifact) -> dict[str, Any]:
    """Return the fields of a version's collection."""
    return {
        "__typename": "ArtifactSequence",
        "id": ids.make(_SEQUENCE, of.collection, of.project, of.entity),
        "name": of.collection,
        "project": project_of(of.entity, of.project),
        "digestAlgorithm": "MANIFEST_MD5",
    }


def _aliases(of: Artifact) -> list[dict[str, Any]]:
    if of.state != COMMITTED:
        return []
    names = dict.fromkeys((*of.aliases, f"v{of.version}"))
    return [
        {
            "id": ids.make("ArtifactAlias", of.id, name),
            "alias": name,
            "artifactCollection": sequence(of),
        }
        for name in names
    ]


def membership(of: Artifact) -> dict[str, Any]:
    """Return the fields of a version as a member of its collection."""
    return {
        "id": ids.make("ArtifactCollectionMembership", of.id),
        "versionIndex": of.version,
        "createdAt": iso(of.created_ms),
        "aliases": _aliases(of),
        "artifactCollection": sequence(of),
        "artifact": shown(of),
    }


def shown(of: Artifact) -> dict[str, Any]:
    """Return a version's fields."""
    metadata = of.about.get("metadata")
    return {
        "id": ids.make(KIND, of.id),
        "artifactSequence": sequence(of),
        "artifactType": {"name": of.kind},
        "versionIndex": of.version,
        "description": of.about.get("description"),
        "metadata": None if metadata is None else json.dumps(metadata),
        "ttlDurationSeconds": _NO_TTL,
        "ttlIsInherited": True,
        "tags": [],
        "state": of.state,
        "size": 0,
        "digest": of.digest,
        "digestAlgorithm": "MANIFEST_MD5",
        "commitHash": of.id[:20],
        "fileCount": 0,
        "createdAt": iso(of.created_ms),
        "updatedAt": iso(of.created_ms),
        "aliases": _aliases(of),
    }
