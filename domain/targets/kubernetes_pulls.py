"""Logins of image registries: one secret that all jobs of a namespace share for each registry."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Final

from launchyard.domain.documents import Json
from launchyard.domain.images import DOCKER_HUB, ImageError, parse_image
from launchyard.domain.targets.kubernetes_manifest import Node, containers, copied, node, templates
from launchyard.domain.targets.kubernetes_plan import KubernetesPlan

TYPE: Final = "kubernetes.io/dockerconfigjson"
DATA: Final = ".dockerconfigjson"
REGISTRY: Final = "launchyard.dev/registry"
"""The annotation of a pull secret that says for which registry it is."""

_HUB_KEY: Final = "https://index.docker.io/v1/"


def registries_of(plan: KubernetesPlan) -> tuple[str, ...]:
    """Return the registries of all images that an attempt pulls, its services' among them."""
    found = dict.fromkeys(_hosts(copied(plan.document)))
    for service in plan.services:
        found.update(dict.fromkeys(_hosts(copied(service))))
    return tuple(found)


def put_pulls(document: Node, pulls: Mapping[str, str]) -> None:
    """Let each pod below *document* use the secrets of its own images' registries.

    *pulls* has their names by registry. What somebody wrote there stays.
    """
    for template in templates(document):
        names = [pulls[host] for host in dict.fromkeys(_images(template)) if host in pulls]
        spec = node(template, "spec")
        listed = spec.get("imagePullSecrets")
        old = listed if isinstance(listed, list) else []
        new: list[Json] = [{"name": name} for name in names if {"name": name} not in old]
        if new:
            spec["imagePullSecrets"] = [*old, *new]


def pull_secret_name(registry: str) -> str:
    """Return the name of the secret that all jobs of a namespace share for *registry*."""
    return f"ly-pull-{hashlib.sha256(registry.encode()).hexdigest()[:16]}"


def pull_secret(registry: str, user: str, password: str, namespace: str = "") -> dict[str, Json]:
    """Return the manifest of the login that all jobs of *namespace* share for *registry*.

    It is owned by nobody: it stays when a job goes.
    """
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    host = _HUB_KEY if registry == DOCKER_HUB else registry
    logins = json.dumps({"auths": {host: {"auth": auth}}}, sort_keys=True)
    data: dict[str, Json] = {DATA: base64.b64encode(logins.encode()).decode()}
    meta: dict[str, Json] = {
        "name": pull_secret_name(registry),
        "annotations": {REGISTRY: registry},
    }
    if namespace:
        meta["namespace"] = namespace
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": TYPE, "data": data}


def host_of(image: str) -> str:
    """Return the registry of *image*, or nothing where the text is no reference."""
    try:
        return parse_image(image).registry
    except ImageError:
        return ""


def _hosts(document: Node) -> Iterator[str]:
    for template in templates(document):
        yield from _images(template)


def _images(template: Node) -> Iterator[str]:
    for container in containers(template):
        host = host_of(str(container.get("image") or ""))
        if host:
            yield host
