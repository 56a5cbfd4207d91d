"""Find and change the parts of a manifest: its pod templates, and in each the main container.

The main container is the one that people named (the queue's `main_container`, or the annotation
that kubectl goes by), else the one that the kind's controller wants, else the first. Nothing
that a launch says ever reaches another container.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from launchyard.domain.documents import Json, Path, copy_json
from launchyard.domain.targets.kubernetes_pods import MAIN

JOB: Final = ("batch/v1", "Job")
_LISTS: Final = ("containers", "initContainers", "ephemeralContainers")

Node = dict[str, Json]
"""An object of a document that is ours to change."""


def is_job(document: Mapping[str, Json]) -> bool:
    """Tell whether *document* is the plain Job of Kubernetes."""
    version = document.get("apiVersion", JOB[0])
    return version in {"batch/v1", "batch/v1beta1"} and document.get("kind", JOB[1]) == JOB[1]


def templates(document: Node) -> Iterator[Node]:
    """Yield every pod template below *document*: an object whose `spec` has containers."""
    yield from (node for _, node in templates_at(document, ()))


def templates_at(document: Json, path: Path) -> Iterator[tuple[Path, Node]]:
    """Yield every pod template with its path, outer ones first."""
    if isinstance(document, dict):
        spec = document.get("spec")
        if isinstance(spec, dict) and isinstance(spec.get("containers"), list):
            yield path, document
        for key, value in document.items():
            yield from templates_at(value, (*path, key))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from templates_at(value, (*path, index))


def node(document: Node, *keys: str) -> Node:
    """Return the object at *keys*, made where there is none."""
    for key in keys:
        inner = document.get(key)
        if not isinstance(inner, dict):
            inner = document[key] = {}
        document = inner
    return document


def containers(template: Node, *lists: str) -> list[Node]:
    """Return the containers of a pod template: those in *lists*, or all of them."""
    spec = node(template, "spec")
    found: list[Node] = []
    for key in lists or _LISTS:
        listed = spec.get(key)
        found += [c for c in listed if isinstance(c, dict)] if isinstance(listed, list) else []
    return found


def name_containers(document: Node) -> None:
    """Give the containers of all pod templates names, where nobody else did."""
    for template in templates(document):
        for index, container in enumerate(containers(template, "containers")):
            if not container.get("name"):
                container["name"] = "main" if index == 0 else f"main-{index}"


def main_container(template: Node, named: str = "", usual: str = "") -> Node | None:
    """Return the container that is the job; *named* is what the queue says, *usual* its kind."""
    listed = containers(template, "containers")
    annotations = template.get("metadata")
    annotations = annotations.get("annotations") if isinstance(annotations, dict) else None
    noted = annotations.get(MAIN) if isinstance(annotations, dict) else None
    for name in (named, noted, usual):
        found = next((c for c in listed if name and c.get("name") == name), None)
        if found is not None:
            return found
    return listed[0] if listed else None


def put_env(container: Node, variables: Mapping[str, Json]) -> None:
    """Put entries of the API's form into a container; one of the same name gives way."""
    listed = container.get("env")
    old = listed if isinstance(listed, list) else []
    kept = [e for e in old if not (isinstance(e, dict) and e.get("name") in variables)]
    new: list[Json] = list(variables.values())
    if kept or new:
        container["env"] = [*kept, *new]


def copied(document: Mapping[str, Json]) -> Node:
    """Return a copy of *document* that shares nothing with it."""
    found = copy_json(dict(document))
    assert isinstance(found, dict)  # noqa: S101 - a copy is what was copied
    return found
