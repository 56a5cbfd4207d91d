"""Artifacts of a W&B server: how they are named, and what their manifests promise."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from launchyard.domain.archive import Limits
from launchyard.domain.documents import Json

_SCHEME: Final = "wandb-artifact://"
_BY_ID: Final = "_id/"
_PART: Final = re.compile(r"[^\s/:\\%?#\x00-\x1f]{1,256}")
_MD5_B: Final = 16
_WRONG_PART: Final = frozenset({"", ".", ".."})


class ArtifactRefusedError(ValueError):
    """A name or a manifest says what is not taken; the message says what and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactName:
    """An artifact by its place and alias, or by its `id` alone."""

    entity: str = ""
    project: str = ""
    collection: str = ""
    alias: str = ""
    id: str = ""

    @property
    def in_project(self) -> str:
        """The name within its project: `collection:alias`."""
        return f"{self.collection}:{self.alias}"

    @property
    def full(self) -> str:
        """The name that people write."""
        if self.id:
            return f"{_SCHEME}{_BY_ID}{self.id}"
        return f"{self.entity}/{self.project}/{self.in_project}"

    def at(self, alias: str) -> ArtifactName:
        """Return the same artifact under another alias."""
        return ArtifactName(
            entity=self.entity, project=self.project, collection=self.collection, alias=alias
        )


def parse_job_name(text: str) -> ArtifactName:
    """Return the job artifact that `job` of a launch names: `entity/project/name:alias`.

    Without an alias it is the latest.

    Raises:
        ArtifactRefusedError: it is no such name.
    """
    parts = text.split("/")
    if len(parts) != 3:  # noqa: PLR2004 - entity, project, name
        raise _no_name(text)
    return _named(text, parts[0], parts[1], parts[2])


def parse_reference(text: str, near: ArtifactName) -> ArtifactName:
    """Return the artifact that a job's `artifact` names: by id, by full name, or by name *near*.

    Raises:
        ArtifactRefusedError: it is no such name.
    """
    name = text.removeprefix(_SCHEME)
    if name.startswith(_BY_ID):
        identity = name.removeprefix(_BY_ID)
        if not identity or "/" in identity or len(identity) > 256:  # noqa: PLR2004 - any id fits
            raise _no_name(text)
        return ArtifactName(id=identity)
    parts = name.split("/")
    if len(parts) > 3:  # noqa: PLR2004 - entity, project, name
        raise _no_name(text)
    lead = [near.entity, near.project][: 3 - len(parts)]
    entity, project, rest = [*lead, *parts]
    return _named(text, entity, project, rest)


def _named(text: str, entity: str, project: str, rest: str) -> ArtifactName:
    collection, _, alias = rest.partition(":")
    alias = alias or "latest"
    if not all(_PART.fullmatch(part) for part in (entity, project, collection, alias)):
        raise _no_name(text)
    return ArtifactName(entity=entity, project=project, collection=collection, alias=alias)


def _no_name(text: str) -> ArtifactRefusedError:
    wanted = "write entity/project/name:alias, as team/digits/train:v3"
    return ArtifactRefusedError(f"{text[:120]!a} names no artifact; {wanted}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of an artifact: its path, its size if told, and the MD5 of its bytes in hex."""

    path: str
    md5: str
    size_b: int | None = None


def parse_manifest(document: Json, limits: Limits) -> Mapping[str, Entry]:
    """Return the files of a manifest by their paths.

    Raises:
        ArtifactRefusedError: it is no manifest, it holds what lies elsewhere, a path leaves the
            artifact's folder or is two things at once, or there is too much of it.
    """
    contents = document.get("contents") if isinstance(document, dict) else None
    if not isinstance(contents, dict):
        raise ArtifactRefusedError("the artifact's manifest has no contents")
    if len(contents) > limits.members:
        raise ArtifactRefusedError(f"the artifact has more than {limits.members} files")
    entries = {path: _entry(path, said, limits) for path, said in contents.items()}
    total_b = sum(entry.size_b or 0 for entry in entries.values())
    if total_b > limits.total_b:
        raise ArtifactRefusedError(f"the artifact's files are more than {limits.total_b} bytes")
    _check_places(entries)
    return entries


def _entry(path: str, said: Json, limits: Limits) -> Entry:
    shown = f"{path[:120]!a}"
    if not isinstance(said, dict):
        raise ArtifactRefusedError(f"the artifact's manifest does not say what {shown} is")
    if said.get("ref") is not None:
        raise ArtifactRefusedError(
            f"{shown} of the artifact is a reference to another place; log the file itself"
        )
    parts = path.split("/")
    # A repository's own folder could turn into hooks and settings of the next git command.
    hidden = any(part.lower() == ".git" for part in parts)
    if hidden or _WRONG_PART & set(parts) or "\\" in path or _longer(path, limits):
        raise ArtifactRefusedError(f"{shown} is no path inside an artifact's folder")
    size = said.get("size")
    size_b = size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None
    if size_b is not None and size_b > limits.single_b:
        raise ArtifactRefusedError(f"{shown} of the artifact has more than {limits.single_b} bytes")
    return Entry(path=path, md5=_md5(said.get("digest"), shown), size_b=size_b)


def _longer(path: str, limits: Limits) -> bool:
    if any(ord(char) < ord(" ") for char in path):
        return True
    sizes = [len(part.encode(errors="replace")) for part in path.split("/")]
    return sum(sizes) + len(sizes) > limits.path_b or max(sizes) > limits.part_b


def _md5(digest: Json, shown: str) -> str:
    """Turn the base64 of a manifest into hex; a digest of another kind cannot be checked."""
    try:
        raw = base64.b64decode(digest if isinstance(digest, str) else "", validate=True)
    except ValueError:
        raw = b""
    if len(raw) != _MD5_B:
        raise ArtifactRefusedError(f"the artifact's manifest has no MD5 of {shown}")
    return raw.hex()


def _check_places(entries: Mapping[str, Entry]) -> None:
    """Refuse a path that is a file and a folder, and paths that differ in case alone."""
    folded: dict[str, str] = {}
    for path in entries:
        other = folded.setdefault(path.casefold(), path)
        if other != path:
            text = f"{path!a} and {other!a} of the artifact differ in upper and lower case alone"
            raise ArtifactRefusedError(text)
        above = path.rpartition("/")[0]
        while above:
            if above in entries:
                raise ArtifactRefusedError(f"{above!a} of the artifact is a file and a folder")
            above = above.rpartition("/")[0]
