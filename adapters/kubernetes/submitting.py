"""Creating what an attempt needs on a cluster, or adopting what is there already."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from launchyard.adapters.kubernetes.client import Cluster
from launchyard.adapters.kubernetes.errors import CONFLICT, KubernetesError
from launchyard.adapters.kubernetes.paths import SECRETS, Kind, Place
from launchyard.adapters.kubernetes.places import Places
from launchyard.adapters.kubernetes.pulling import PullSecrets
from launchyard.adapters.kubernetes.view import GRACE
from launchyard.domain.naming import ITEM, Owner, may_adopt
from launchyard.domain.reason import Reason
from launchyard.domain.targets.kubernetes_plan import KubernetesPlan, Submit
from launchyard.domain.targets.kubernetes_request import create_request, owned_by
from launchyard.domain.targets.kubernetes_services import BESIDE
from launchyard.ports.runner import Handle, Launch, RunnerError

_STRICT: Final = {"fieldValidation": "Strict"}
Obj = dict[str, Any]


class Submitting:
    """Submits: two requests, and a single one for a job without secrets."""

    def __init__(self, places: Places, pulls: PullSecrets) -> None:
        self._places, self._pulls = places, pulls

    def submit(self, launch: Launch) -> Handle:
        """Create an attempt's object, or adopt it."""
        _check_deadline(launch)
        plan: KubernetesPlan = launch.plan
        place = self._places.place_for(plan)
        cluster = self._places.cluster(place.address)
        pulls = self._pulls.ensure(cluster, (place.address, place.namespace), plan)
        request = create_request(
            plan,
            Submit(name=launch.name, labels=launch.labels, secrets=launch.secrets, pulls=pulls),
        )
        beside: list[tuple[str, Obj]] = []
        for service in request.services:
            path = self._kind(cluster, service).path(place.namespace)
            beside.append((path, self._create(cluster, path, dict(service), launch)))
        document = _annotated(dict(request.document), plan)
        made = self._create(cluster, place.kind.path(place.namespace), document, launch)
        if request.secret is not None:
            # Behind its job, which owns it from its first moment: so none is ever left behind, and
            # it is there long before a node has made up its mind about the pod.
            secret = owned_by(request.secret, made)
            path = SECRETS.path(place.namespace)
            beside.append((path, self._create(cluster, path, secret, launch)))
        for path, one in beside:
            _own(cluster, path, one, made)
        meta = made["metadata"]
        return self._places.handle(place, str(meta["name"]), str(meta["uid"]))

    def find(self, owner: Owner, place: Place, name: str) -> Handle | None:
        """Look an owner's object up in one place."""
        cluster = self._places.cluster(place.address)
        try:
            found = cluster.call("GET", place.kind.path(place.namespace, name))
        except KubernetesError as e:
            if not e.status:
                raise
            return None
        if not _is_of(found, owner):
            return None
        return self._places.handle(place, name, str(found["metadata"]["uid"]))

    def _create(self, cluster: Cluster, path: str, document: Obj, launch: Launch) -> Obj:
        """Create an object, or take the one of its name, if it is this attempt's."""
        _check_deadline(launch)
        name = document["metadata"]["name"]
        try:
            return cluster.call("POST", path, document, query=_STRICT, until=launch.deadline)
        except KubernetesError as e:
            if e.status != CONFLICT:
                raise
        found = cluster.call("GET", f"{path}/{name}")
        if not _is_of(found, launch.owner):
            text = f"there is a {document['kind']} {name} already, and it is not this attempt's"
            raise RunnerError(text, reason=Reason.NAME_TAKEN)
        if document["kind"] == "Secret" and found.get("data") != document.get("data"):
            # An earlier try's, with the token of another lease.
            found = cluster.call("PATCH", f"{path}/{name}", {"data": document.get("data")})
        return found

    def _kind(self, cluster: Cluster, document: Mapping[str, Any]) -> Kind:
        api = str(document.get("apiVersion"))
        group, _, version = api.rpartition("/")
        return Kind(group, version, cluster.plural(api, str(document.get("kind"))))


def _own(cluster: Cluster, path: str, one: Obj, owner: Obj) -> None:
    """Have *one* go when *owner* goes."""
    meta = one["metadata"]
    if any(o.get("uid") == owner["metadata"]["uid"] for o in meta.get("ownerReferences") or ()):
        return
    wanted: Any = owned_by({"metadata": {}}, owner)["metadata"]
    cluster.call("PATCH", f"{path}/{meta['name']}", {"metadata": wanted})


def _annotated(document: Obj, plan: KubernetesPlan) -> Obj:
    """Return *document* with how long its troubles are borne: who adopts it has no plan."""
    meta = dict(document["metadata"])
    grace = f"{plan.grace.start_s:g},{plan.grace.schedule_s:g}"
    meta["annotations"] = {**(meta.get("annotations") or {}), GRACE: grace}
    return {**document, "metadata": meta}


def _is_of(found: Mapping[str, Any], owner: Owner) -> bool:
    labels = found["metadata"].get("labels") or {}
    if BESIDE in labels:
        labels = {**labels, ITEM: labels[BESIDE]}
    return may_adopt(labels, owner.installation, owner.item, owner.attempt)


def _check_deadline(launch: Launch) -> None:
    if time.clock_gettime(time.CLOCK_BOOTTIME) >= launch.deadline:
        text = f"{launch.name} was not started: the lease ended before"
        raise RunnerError(text, reason=Reason.DEADLINE_PASSED, retry=True)
