"""From a plan to the very documents that are created, with name, labels, variables and secrets."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from launchyard.domain.attempt_token import VARIABLE as TOKEN
from launchyard.domain.documents import Json
from launchyard.domain.naming import label_value
from launchyard.domain.targets.kubernetes_code import FETCHER, FETCHER_SEES
from launchyard.domain.targets.kubernetes_manifest import (
    Node,
    containers,
    copied,
    main_container,
    node,
    put_env,
    templates,
)
from launchyard.domain.targets.kubernetes_plan import KubernetesPlan, KubernetesRequest, Submit
from launchyard.domain.targets.kubernetes_pods import part, text
from launchyard.domain.targets.kubernetes_pulls import put_pulls
from launchyard.domain.targets.kubernetes_ready import Wait, hold
from launchyard.domain.targets.kubernetes_services import (
    name_variable,
    own_name,
    service_env,
    service_labels,
)

NAME_LABEL: Final = "launchyard-name"
"""The label that a manifest's `metadata.name` becomes; names themselves are the attempts' own."""

RUN_ID: Final = "WANDB_RUN_ID"


def create_request(plan: KubernetesPlan, submit: Submit) -> KubernetesRequest:
    """Return the complete documents of one attempt; the secret's alone holds secrets."""
    document = copied(plan.document)
    labels: dict[str, Json] = {**submit.labels}
    _put_meta(document, submit.name, labels, plan.cluster.namespace)
    services = _services(plan, submit)
    variables = _variables(plan.env, submit)
    told = {k: v for k, v in service_env(variables).items() if not _is_token(k, submit)}
    for label, service in zip(plan.service_names, services, strict=True):
        for template in templates(service):
            for one in containers(template, "containers"):
                put_env(one, told)
        name = name_variable(label)
        variables[name] = {"name": name, "value": text(part(service, "metadata"), "name")}
    for index, template in enumerate(templates(document)):
        node(template, "metadata", "labels").update(labels)
        container = main_container(template, plan.main, plan.usual)
        if container is not None:
            # A run has one writer: of many pods only the first template's report to it.
            here = {k: v for k, v in variables.items() if index == 0 or k != RUN_ID}
            put_env(container, here)
        for fetching in containers(template, "initContainers"):
            if fetching.get("name") == FETCHER:
                put_env(fetching, {k: v for k, v in variables.items() if _is_fetching(k)})
    put_pulls(document, submit.pulls)
    secret = _secret(submit, plan.cluster.namespace) if submit.secrets else None
    hold(document, services, Wait(plan.services_wait_s, plan.suspend))
    return KubernetesRequest(document=document, secret=secret, services=services)


def _services(plan: KubernetesPlan, submit: Submit) -> tuple[Node, ...]:
    """Return what goes beside the object, named, labelled and able to pull; without variables."""
    services = tuple(copied(service) for service in plan.services)
    for label, service in zip(plan.service_names, services, strict=True):
        own = service_labels(submit.labels)
        _put_meta(service, "", own, plan.cluster.namespace)
        meta = node(service, "metadata")
        meta["name"] = meta.get("name") or own_name(label, submit.name)
        put_pulls(service, submit.pulls)
        for template in templates(service):
            node(template, "metadata", "labels").update(own)
    return services


def with_image(plan: KubernetesPlan, image: str) -> KubernetesPlan:
    """Return *plan* with a built image in the main containers that have none."""
    document = copied(plan.document)
    for template in templates(document):
        container = main_container(template, plan.main, plan.usual)
        if container is not None and not container.get("image"):
            container["image"] = image
    return replace(plan, document=document)


def owned_by(document: Mapping[str, Json], owner: Mapping[str, Json]) -> dict[str, Json]:
    """Return *document* with the created object *owner* as its owner: both go together."""
    owned = copied(document)
    meta = owner.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    reference: Json = {
        "apiVersion": owner.get("apiVersion"),
        "kind": owner.get("kind"),
        "name": meta.get("name"),
        "uid": meta.get("uid"),
    }
    node(owned, "metadata")["ownerReferences"] = [reference]
    return owned


def literal(word: str) -> str:
    """Return *word* so that a cluster, which reads `$(NAME)` and `$$`, gives it as it is."""
    return word.replace("$", "$$") if "$(" in word or "$$" in word else word


def _is_fetching(name: str) -> bool:
    return name in FETCHER_SEES or name.lower().endswith("_proxy")


def _is_token(name: str, submit: Submit) -> bool:
    """Tell whether a variable holds the attempt's token, under whatever name: that is the job's."""
    value = submit.secrets.get(name)
    return value is not None and value == submit.secrets.get(TOKEN)


def _variables(env: Mapping[str, str], submit: Submit) -> dict[str, Json]:
    plain: dict[str, Json] = {
        name: {"name": name, "value": literal(value)} for name, value in env.items()
    }
    for name in submit.secrets:
        reference: Json = {"secretKeyRef": {"name": submit.name, "key": name}}
        plain[name] = {"name": name, "valueFrom": reference}
    return plain


def _secret(submit: Submit, namespace: str) -> Node:
    data: dict[str, Json] = {
        name: base64.b64encode(value.encode()).decode() for name, value in submit.secrets.items()
    }
    secret: Node = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data}
    _put_meta(secret, submit.name, {**submit.labels}, namespace)
    return secret


def _put_meta(document: Node, name: str, labels: Mapping[str, Json], namespace: str) -> None:
    meta = node(document, "metadata")
    wanted = meta.pop("generateName", None)
    wanted = meta.get("name") or wanted
    if name:
        meta["name"] = name
        if isinstance(wanted, str) and wanted:
            node(meta, "labels")[NAME_LABEL] = label_value(wanted)
    if namespace:
        meta["namespace"] = namespace
    node(meta, "labels").update(labels)
