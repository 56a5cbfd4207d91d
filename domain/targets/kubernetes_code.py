"""Source code in a base image: a volume at /mnt/launchyard, filled before the job's container.

With a `code_claim` the agent has put the code on that volume claim, and the pod mounts its folder;
any kind of source works so. Without one the pod fetches by itself, in an init container, what it
can reach: a git repository that needs no password, or an archive of our server.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from launchyard.domain.config.problem import Problem
from launchyard.domain.documents import Json
from launchyard.domain.remotes import parse_remote
from launchyard.domain.spec import (
    ArchiveSource,
    GitSource,
    ImageSource,
    LaunchSpec,
    NoSource,
    Source,
)
from launchyard.domain.targets.kubernetes_manifest import Node, node

MOUNT: Final = "/mnt/launchyard"
VOLUME: Final = "launchyard-code"
FETCHER: Final = "launchyard-code-init"
FETCH_IMAGE: Final = "python:3.12"
"""It has git and python; a queue's `code_image` says another."""
FETCHER_SEES: Final = frozenset({"LAUNCHYARD_SERVER", "LAUNCHYARD_TOKEN"})
"""The variables of the job that its init container gets as well, beside the proxies."""

_GIT: Final = """\
set -eu
into=$1 url=$2 ref=$3
export GIT_TERMINAL_PROMPT=0 GIT_ALLOW_PROTOCOL=https:ssh
git init -q "$into"
cd "$into"
git remote add origin "$url"
fetch() { git fetch -q "$@"; }
# Some servers give no short history, and some give no single commit by its digest.
if fetch --depth 1 -- origin "${ref:-HEAD}" || fetch -- origin "${ref:-HEAD}"; then
git checkout -q --detach FETCH_HEAD --
else
fetch --tags -- origin
git checkout -q --detach "$ref" --
fi
git submodule update -q --init --recursive
chmod -R a+rwX "$into"
"""
_ARCHIVE: Final = """\
import hashlib, io, os, sys, tarfile, urllib.request
into, sha256 = sys.argv[1:3]
url = os.environ["LAUNCHYARD_SERVER"].rstrip("/") + "/api/v1/archives/" + sha256
asked = urllib.request.Request(url)
asked.add_header("Authorization", "Bearer " + os.environ["LAUNCHYARD_TOKEN"])
data = urllib.request.urlopen(asked, timeout=60).read()
if hashlib.sha256(data).hexdigest() != sha256:
    sys.exit("the archive is not the one that was uploaded")
with tarfile.open(fileobj=io.BytesIO(data)) as archive:
    # Python before 3.11.4, as of Debian 12, has no filters; the volume is this job's alone.
    archive.extractall(into, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
"""
_INSTALL: Final = """\
set -e
if [ -n "$1" ]; then printf '%s\\n' "$1" > /tmp/launchyard-requirements.txt
python -m pip install -q -r /tmp/launchyard-requirements.txt
elif [ -f requirements.txt ]; then python -m pip install -q -r requirements.txt
elif [ -f requirements.frozen.txt ]; then python -m pip install -q -r requirements.frozen.txt
elif [ -f pyproject.toml ]; then python -m pip install -q .
fi
shift
exec "$@"
"""


def needs_code(spec: LaunchSpec) -> bool:
    """Tell whether there is source code to bring into an image."""
    return not isinstance(spec.source, ImageSource | NoSource)


def default_image(spec: LaunchSpec) -> str:
    """Return the image that code runs in where nobody names one."""
    minor = ".".join(spec.python_version.split(".")[:2])
    return f"python:{minor or '3.12'}-slim"


def check_code(spec: LaunchSpec, claim: str) -> Iterator[Problem]:
    """Yield why a pod cannot get the code of *spec* by itself."""
    if claim or not needs_code(spec):
        return
    if isinstance(spec.source, GitSource) and parse_remote(spec.source.url).secrets:
        hint = "have the queue name a `code_claim`: the agent keeps the password to itself"
        message = "a pod does not get the password in a repository's address"
        yield Problem(path=("source",), message=message, hint=hint)
    if not isinstance(spec.source, GitSource | ArchiveSource):
        hint = "have the queue name a `code_claim`, or launch an image that holds the code"
        message = "a pod cannot fetch code of this kind by itself"
        yield Problem(path=("source",), message=message, hint=hint)


@dataclass(frozen=True, slots=True)
class CodePlace:
    """Where on a volume the code of *spec* is: in a `folder`, or everywhere."""

    spec: LaunchSpec
    folder: str = ""

    @property
    def working_dir(self) -> str:
        """Where the job runs."""
        source = self.spec.source
        subdir = source.subdir if isinstance(source, GitSource) else ""
        return posixpath.normpath(posixpath.join(MOUNT, subdir, self.spec.overrides.working_dir))


def mount(template: Node, container: Node, volume: Node, place: CodePlace) -> None:
    """Give *container* of *template* the code that is on *volume*, and let it run there."""
    spec = node(template, "spec")
    _append(spec, "volumes", {"name": VOLUME, **volume})
    mounted: Node = {"name": VOLUME, "mountPath": MOUNT}
    if place.folder:
        mounted["subPath"] = place.folder
    _append(container, "volumeMounts", mounted)
    container["workingDir"] = place.working_dir


def fetcher(spec: LaunchSpec, image: str) -> Node:
    """Return the init container that fetches the code of *spec*; its variables come later."""
    source: Source = spec.source
    words: list[str] = []
    if isinstance(source, GitSource):
        words = ["/bin/sh", "-c", _GIT, "sh", MOUNT, source.url, source.ref]
    elif isinstance(source, ArchiveSource):
        words = ["python3", "-c", _ARCHIVE, MOUNT, source.sha256]
    command: list[Json] = [word.replace("$", "$$") for word in words]
    mounts: list[Json] = [{"name": VOLUME, "mountPath": MOUNT}]
    return {
        "name": FETCHER,
        "image": image or FETCH_IMAGE,
        "command": command,
        "volumeMounts": mounts,
    }


def put_fetcher(template: Node, container: Node) -> None:
    """Let *container* run before every other one of *template*."""
    spec = node(template, "spec")
    listed = spec.get("initContainers")
    spec["initContainers"] = [container, *(listed if isinstance(listed, list) else [])]


def install_first(container: Node, requirements: str | Sequence[str]) -> None:
    """Let *container* install what its code needs, and then become its command."""
    words = [*_words(container.get("command")), *_words(container.get("args"))]
    if not words:
        return
    lines = requirements if isinstance(requirements, str) else "\n".join(requirements)
    told = f"-r {lines}" if isinstance(requirements, str) and lines else lines
    script = _INSTALL.replace("$", "$$")
    container["command"] = ["/bin/sh", "-c", script, "sh", told.replace("$", "$$")]
    container["args"] = words


def _words(told: Json) -> list[Json]:
    return list(told) if isinstance(told, list) else []


def _append(holder: Node, key: str, entry: Node) -> None:
    listed = holder.get(key)
    holder[key] = [*(listed if isinstance(listed, list) else []), entry]
