"""The manifests that run beside a job, and go with it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Final

from launchyard.domain.config.problem import Problem
from launchyard.domain.documents import Json, Path
from launchyard.domain.macro_policy import MacroPolicy, Origin
from launchyard.domain.macros import parse, resolve
from launchyard.domain.naming import ITEM
from launchyard.domain.spec import Service
from launchyard.domain.targets.kubernetes_fence import fence
from launchyard.domain.targets.kubernetes_manifest import Node, copied, node
from launchyard.domain.targets.kubernetes_schema import check_template

_NAME: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_PATH: Final = ("additional_services",)
_LABEL: Final = 63
_TOLD: Final = re.compile(r"WANDB_(CONFIG(_\d+)?|ENTITY|PROJECT|BASE_URL|API_KEY)")
PREVIEW: Final = "<attempt>"
"""Stands for the name of an attempt that there is not yet."""

BESIDE: Final = "launchyard-beside"
"""The label with the item on what runs beside its job, whose pods must not count as the job's."""


def check_services(services: tuple[Service, ...]) -> Iterator[Problem]:
    """Yield what is wrong with the manifests beside a job, each with its place in the launch."""
    for index, service in enumerate(services):
        path: Path = (*_PATH, index, "config")
        for key in ("apiVersion", "kind"):
            if not isinstance(service.config.get(key), str):
                message = "a manifest has to say it"
                yield Problem(path=(*path, key), message=message, allowed="a text")
        name = _name(service)
        if name and "${" not in name and not _NAME.fullmatch(name):
            hint = "up to 63 of a-z, 0-9 and `-`, a letter first"
            message = f"`{name}` is no name that a cluster takes"
            yield Problem(path=(*path, "metadata", "name"), message=message, hint=hint)
        spec = service.config.get("spec")
        template = spec.get("template") if isinstance(spec, dict) else None
        if isinstance(template, dict):
            yield from check_template(template, (*path, "spec", "template"))


def planned_services(
    services: tuple[Service, ...], builtins: Mapping[str, str]
) -> tuple[Node, ...]:
    """Return the manifests with the launch's own macros resolved, and nothing else renamed.

    A fence is put round their containers as round the job's.
    """
    return tuple(_planned(service, builtins) for service in services)


def _planned(service: Service, builtins: Mapping[str, str]) -> Node:
    # Only the launch's own facts resolve here: the agent's variables are none of a submitter's.
    parsed = parse(dict(service.config), Origin.QUEUE)
    document = resolve(parsed, builtins, {}, MacroPolicy()).document
    manifest = copied(document if isinstance(document, dict) else {})
    node(manifest, "metadata").pop("namespace", None)
    fence(manifest)
    return manifest


def _name(service: Service) -> str:
    meta = service.config.get("metadata")
    name = meta.get("name") if isinstance(meta, dict) else None
    return name if isinstance(name, str) else ""


def dns_label(text: str) -> str:
    """Return *text* as a name that every kind of object takes; `service` where nothing is left."""
    clean = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    clean = clean if clean[:1].isalpha() or not clean else f"s-{clean}"
    return clean[:_LABEL].rstrip("-") or "service"


def own_name(service: str, attempt: str) -> str:
    """Return the name of a service that nobody has named in its manifest: each attempt's own.

    So jobs that run side by side, and the next attempt, never want the same. *attempt* is the
    attempt's name.
    """
    if attempt == PREVIEW:
        return f"{dns_label(service)}-{PREVIEW}"
    mark = hashlib.sha256(attempt.encode()).hexdigest()[:8]
    return f"{dns_label(service)[: _LABEL - len(mark) - 1].rstrip('-')}-{mark}"


def name_variable(service: str) -> str:
    """Return the variable that tells a job what its *service* is called."""
    return f"LAUNCHYARD_SERVICE_{re.sub('[^A-Z0-9]+', '_', service.upper()).strip('_')}"


def service_env(variables: Mapping[str, Json]) -> dict[str, Json]:
    """Return which of a job's variables services get: of W&B all, of ours none.

    The attempt's own token is the job's alone.
    """
    return {name: entry for name, entry in variables.items() if _TOLD.fullmatch(name)}


def service_labels(labels: Mapping[str, str]) -> dict[str, Json]:
    """Return the labels of what runs beside a job: whose it is, but not as if it were the job."""
    return {BESIDE: labels.get(ITEM, ""), **{k: v for k, v in labels.items() if k != ITEM}}
