"""All that an attempt would send to its cluster, as people may see it before there is one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

from launchyard.domain.documents import Json
from launchyard.domain.targets.kubernetes_manifest import Node, copied, node
from launchyard.domain.targets.kubernetes_plan import KubernetesPlan, Submit
from launchyard.domain.targets.kubernetes_pulls import DATA, pull_secret, registries_of
from launchyard.domain.targets.kubernetes_ready import admitted_by
from launchyard.domain.targets.kubernetes_request import create_request
from launchyard.domain.targets.kubernetes_services import PREVIEW

MASK: Final = "***"
_LOGIN: Final = json.dumps({"auths": MASK})
CONDITION: Final = "launchyard.dev/only-if"
"""The annotation on what is created in some cases alone."""

UNHELD: Final = "launchyard.dev/not-waited-for"
"""The annotation on what runs beside an object that begins without it."""


def shown_request(plan: KubernetesPlan, secrets: Iterable[str] = ()) -> dict[str, Json]:
    """Return a `List` of what is created, in its order: all values of secrets are hidden.

    Instead of the attempt's name there is a word in angle brackets, and labels are left out. A pull
    secret depends on the agent's own logins, so it says when it is made and used.
    """
    # Each value is another: what holds the attempt's token is told by it.
    submit = Submit(name=PREVIEW, secrets={name: name for name in secrets})
    request = create_request(plan, submit)
    secret = [] if request.secret is None else [_masked(request.secret)]
    pulls = [_pull(registry, plan.cluster.namespace) for registry in registries_of(plan)]
    document, services = copied(request.document), [copied(one) for one in request.services]
    if plan.services_wait_s is not None and not plan.suspend:
        for one in services:
            node(one, "metadata", "annotations")[UNHELD] = _unheld(document)
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [*pulls, document, *secret, *services],
    }


def _pull(registry: str, namespace: str) -> Node:
    secret = _masked(pull_secret(registry, MASK, MASK, namespace))
    notes = node(secret, "metadata", "annotations")
    notes[CONDITION] = (
        f"the agent has a login of {registry}; the pods' imagePullSecrets then name it"
    )
    return secret


def _unheld(document: Mapping[str, Json]) -> str:
    if admitter := admitted_by(document):
        why = f"another admits it ({admitter}), which we would pass by"
        return f"the job begins when it is admitted, ready or not: {why}"
    why = f"nothing is known that suspends a {document.get('kind')} as it is written here"
    return f"the job begins at once: {why}; see `suspend` in docs/targets/kubernetes.md"


def _masked(secret: Mapping[str, Json]) -> Node:
    """Return *secret* with a mask for each value, in a form that clusters take."""
    shown = copied(secret)
    data = node(shown, "data")
    del shown["data"]
    shown["stringData"] = {key: _LOGIN if key == DATA else MASK for key in data}
    return shown
