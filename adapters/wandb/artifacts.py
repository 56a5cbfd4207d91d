"""Artifacts of a W&B server: finding one, its manifest, and where its files are."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, Self

from launchyard.adapters.wandb.aside import Aside, Until
from launchyard.adapters.wandb.downloads import Downloads, Wanted, check
from launchyard.adapters.wandb.graphql import GraphQL, Operation, Quiet, Reply
from launchyard.domain.archive import Limits
from launchyard.domain.reason import Reason
from launchyard.domain.wandb_artifact import (
    ArtifactName,
    ArtifactRefusedError,
    Entry,
    parse_manifest,
)
from launchyard.ports.launch_server import ServerError
from launchyard.ports.source import SourceError

_PAGE: Final = 5000
_MANIFEST_B: Final = 64 * 1024**2
_SMALL_B: Final = 64 * 1024**2
_GONE: Final = frozenset({"DELETED", "PENDING_DELETION"})
_WAITS: Final = 3
_FORBIDDEN: Final = frozenset({401, 403})
_VERSION: Final = "id state versionIndex artifactType { name }"
_PLACE: Final = "name project { name entity { name } }"

_BY_NAME: Final = (
    "query ArtifactMembershipByName($entity: String!, $project: String!, $name: String!) {"
    " project(name: $project, entityName: $entity) { artifactCollectionMembership(name: $name) {"
    f" versionIndex artifactCollection {{ {_PLACE} }} artifact {{ {_VERSION} }} }} }} }}"
)
_BY_ID: Final = (
    "query ArtifactByID($id: ID!) { artifact(id: $id) {"
    f" {_VERSION} artifactSequence {{ {_PLACE} }} }} }}"
)
_MANIFEST: Final = (
    "query FetchArtifactManifest($id: ID!)"
    " { artifact(id: $id) { currentManifest { file { directUrl } } } }"
)
_FILES: Final = (
    "query GetArtifactMembershipFileUrls($entity: String!, $project: String!,"
    " $collection: String!, $alias: String!, $cursor: String, $perPage: Int) {"
    " project(name: $project, entityName: $entity) { artifactCollection(name: $collection) {"
    " __typename artifactMembership(aliasName: $alias) { files(after: $cursor, first: $perPage) {"
    " pageInfo { endCursor hasNextPage } edges { node { name directUrl } } } } } } }"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A W&B server and the key for it; `agent` is what we call ourselves there.

    `quiet` is the silence that it has asked of anybody who has this.
    """

    base_url: str
    key: Callable[[], str] = field(repr=False)
    agent: str = "launchyard"
    limits: Limits = field(default_factory=Limits)
    quiet: Quiet = field(default_factory=Quiet)

    def headers(self, url: str) -> dict[str, str]:
        """Return the headers for *url*: the key is for the server's own addresses alone."""
        if not url.startswith(f"{self.base_url.rstrip('/')}/"):
            return {"User-Agent": self.agent}
        word = base64.b64encode(f"api:{self.key()}".encode()).decode()
        return {"User-Agent": self.agent, "Authorization": f"Basic {word}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One version of an artifact: `name` has its version for an alias."""

    id: str
    name: ArtifactName
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The files of a version, and the address of each."""

    entries: Mapping[str, Entry]
    urls: Mapping[str, str]


class Artifacts:
    """What a fetch asks of a W&B server; it ends when *until* says so, and is closed after use."""

    def __init__(self, access: Access, until: Until) -> None:
        self._until, self._limits = until, access.limits
        self._graphql = GraphQL(access.base_url, access.key, access.agent, quiet=access.quiet)
        self._aside = Aside()
        self._downloads = Downloads(self._aside, access.headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._aside.close()
        self._downloads.close()
        self._graphql.close()

    def find(self, name: ArtifactName) -> Artifact:
        """Return the version that *name* means now.

        Raises:
            SourceError: there is none, or the server did not say.
        """
        data = self._ask(_by_id(name) if name.id else _by_name(name))
        found = data if name.id else _inner(data, "project", "artifactCollectionMembership")
        version = _inner(found, "artifact")
        sequence = _inner(found, "artifactCollection") or _inner(version, "artifactSequence")
        if not isinstance(version, dict) or not isinstance(sequence, dict):
            raise self._absent(name)
        if version.get("state") in _GONE:
            text = f"{name.full} was deleted from the W&B server; make the job anew"
            raise SourceError(text, reason=Reason.SOURCE_NOT_FOUND)
        return self._artifact(version, sequence, found)

    def _artifact(self, version: Any, sequence: Any, found: Any) -> Artifact:
        index = found.get("versionIndex", version.get("versionIndex"))
        texts = {
            "id": version.get("id"),
            "entity": _inner(sequence, "project", "entity", "name"),
            "project": _inner(sequence, "project", "name"),
            "collection": sequence.get("name"),
            "kind": _inner(version, "artifactType", "name"),
        }
        if not all(isinstance(t, str) for t in texts.values()) or not isinstance(index, int):
            raise self._strange()
        return Artifact(
            id=texts["id"],
            kind=texts["kind"],
            name=ArtifactName(
                entity=texts["entity"],
                project=texts["project"],
                collection=texts["collection"],
                alias=f"v{index}",
            ),
        )

    def contents(self, artifact: Artifact) -> Contents:
        """Return what *artifact* holds.

        Raises:
            SourceError: the server did not say, or its manifest is refused.
        """
        asked = Operation(
            name="FetchArtifactManifest", text=_MANIFEST, variables={"id": artifact.id}
        )
        url = _inner(self._ask(asked), "artifact", "currentManifest", "file", "directUrl")
        if not isinstance(url, str):
            raise self._absent(artifact.name)
        raw = io.BytesIO()
        wanted = Wanted(name="the manifest", url=url, most_b=_MANIFEST_B)
        self._downloads.get(wanted, raw, self._until)
        try:
            entries = parse_manifest(json.loads(raw.getvalue()), self._limits)
        except ArtifactRefusedError as e:
            text = f"{artifact.name.full}: {e}"
            raise SourceError(text, reason=Reason.SOURCE_REFUSED) from None
        except ValueError:
            text = f"the manifest of {artifact.name.full} is no JSON"
            raise SourceError(text, reason=Reason.SOURCE_CORRUPT) from None
        return Contents(entries=entries, urls=self._urls(artifact))

    def small(self, contents: Contents, path: str) -> bytes | None:
        """Return a small file of an artifact, or None when it has none of that path."""
        if path not in contents.entries:
            return None
        with closing(io.BytesIO()) as into:
            self.get(contents, path, into, _SMALL_B)
            return into.getvalue()

    def get(self, contents: Contents, path: str, into: BinaryIO, most_b: int = 0) -> None:
        """Write a file of an artifact into *into*, and hold it to its digest.

        Raises:
            SourceError: it did not come, or not as the manifest says.
        """
        entry, url = contents.entries[path], contents.urls.get(path)
        if url is None:
            text = f"the W&B server has no address for {path!r} of the job; make the job anew"
            raise SourceError(text, reason=Reason.SOURCE_NOT_FOUND)
        wanted = Wanted(name=path, url=url, most_b=most_b or self._limits.single_b)
        for _ in range(2):  # a proxy may have spoilt the first
            self._downloads.get(wanted, into, self._until)
            if check(entry, into):
                return
            into.seek(0)
            into.truncate()
        text = f"{path!r} of the job is not what its manifest says: the MD5 or the size differs"
        raise SourceError(f"{text}; make the job anew", reason=Reason.SOURCE_CORRUPT)

    def _urls(self, artifact: Artifact) -> Mapping[str, str]:
        urls: dict[str, str] = {}
        cursor: str | None = None
        while True:
            data = self._ask(_files(artifact.name, cursor))
            page = _inner(data, "project", "artifactCollection", "artifactMembership", "files")
            edges = _inner(page, "edges")
            if not isinstance(edges, list):
                raise self._absent(artifact.name)
            for edge in edges:
                name, url = _inner(edge, "node", "name"), _inner(edge, "node", "directUrl")
                if isinstance(name, str) and isinstance(url, str):
                    urls[name] = url
            following = _inner(page, "pageInfo", "endCursor")
            more = _inner(page, "pageInfo", "hasNextPage") is True
            if not more or not isinstance(following, str) or following == cursor:
                return urls
            cursor = following

    def _ask(self, operation: Operation) -> Mapping[str, Any]:
        for turn in range(_WAITS):
            try:
                return self._aside.wait(_asking(self._graphql, operation), self._until).data
            except ServerError as e:
                pause_s = self._graphql.pause_s()
                if turn + 1 == _WAITS or not pause_s or pause_s >= self._until.left_s():
                    raise _refused(e) from None
                self._until.rest(pause_s)
        raise self._strange()

    def _absent(self, name: ArtifactName) -> SourceError:
        text = f"{self._graphql.url} has no {name.full} that this agent's key may read"
        hint = "check its name and alias, and the rights of the key"
        return SourceError(f"{text}; {hint}", reason=Reason.SOURCE_NOT_FOUND)

    def _strange(self) -> SourceError:
        text = f"{self._graphql.url} did not describe the artifact as a W&B server does"
        return SourceError(text, reason=Reason.SOURCE_UNREACHABLE, retry=True)


def _asking(graphql: GraphQL, operation: Operation) -> Callable[[], Reply]:
    return lambda: graphql.ask(operation)


def _by_name(name: ArtifactName) -> Operation:
    variables = {"entity": name.entity, "project": name.project, "name": name.in_project}
    return Operation(name="ArtifactMembershipByName", text=_BY_NAME, variables=variables)


def _by_id(name: ArtifactName) -> Operation:
    return Operation(name="ArtifactByID", text=_BY_ID, variables={"id": name.id})


def _files(name: ArtifactName, cursor: str | None) -> Operation:
    variables = {
        "entity": name.entity,
        "project": name.project,
        "collection": name.collection,
        "alias": name.alias,
        "cursor": cursor,
        "perPage": _PAGE,
    }
    return Operation(name="GetArtifactMembershipFileUrls", text=_FILES, variables=variables)


def _refused(error: ServerError) -> SourceError:
    text = f"{error}; {error.remedy}" if error.remedy else str(error)
    if error.status in _FORBIDDEN:
        return SourceError(text, reason=Reason.SOURCE_REFUSED)
    # Whatever else a server of this kind says may be otherwise a little later.
    return SourceError(text, reason=Reason.SOURCE_UNREACHABLE, retry=True)


def _inner(value: Any, *keys: str) -> Any:
    """Return what lies below *keys*, or None where the way ends."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
