"""Creating what an attempt needs on a cluster, or adopting what is there already."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from launchyard.adapters.kubernetes import claims
from launchyard.adapters.kubernetes.absence import lacks
from launchyard.adapters.kubernetes.client import Cluster
from launchyard.adapters.kubernetes.errors import KubernetesError
from launchyard.adapters.kubernetes.paths import SECRETS, Kind, Place
from launchyard.adapters.kubernetes.places import PLACE, Places
from launchyard.adapters.kubernetes.pulling import PullSecrets
from launchyard.adapters.kubernetes.view import GRACE
from launchyard.domain.naming import ATTEMPT, ITEM, Owner, may_adopt
from launchyard.domain.reason import Reason
from launchyard.domain.targets.kubernetes_plan import KubernetesPlan, Submit
from launchyard.domain.targets.kubernetes_ready import HELD, hold_of, is_suspended
from launchyard.domain.targets.kubernetes_request import create_request, owned_by
from launchyard.domain.targets.kubernetes_services import BESIDE
from launchyard.ports.runner import Handle, Launch, RunnerError

_STRICT: Final = {"fieldValidation": "Strict"}
_GOING_S: Final = 5.0
_AGAIN_S: Final = 0.2
_MOST: Final = 10_000
_TOO_OLD: Final = (
    "the cluster knows no suspended {}, so it cannot wait for what is to run beside it: Kubernetes "
    "1.24 or later does; without it, set `wait_for_ready: false`"
)
Obj = dict[str, Any]


class Submitting:
    """Submits: two requests, and a single one for a job without secrets; one more per service.

    The object comes first, and owns all else from its first moment. A Job that is to wait for what
    runs beside it is created suspended, and let go by `Holds`.
    """

    def __init__(self, places: Places, pulls: PullSecrets) -> None:
        self._places, self._pulls, self._lock = places, pulls, threading.Lock()
        self._tried: dict[str, Place] = {}

    def tried(self, name: str) -> Place | None:
        """Return where this process tried to make an object, and does not know whether it did."""
        with self._lock:
            return self._tried.get(name)

    def submit(self, launch: Launch) -> Handle:
        """Create an attempt's object, or adopt it."""
        _check_deadline(launch)
        plan: KubernetesPlan = launch.plan
        if plan.code_folder:
            claims.share(plan.code_folder)
        place = self._places.place_for(plan)
        with self._lock:
            self._tried[launch.name] = place
            while len(self._tried) > _MOST:
                del self._tried[next(iter(self._tried))]
        try:
            handle = self._submit(launch, plan, place)
        except RunnerError as e:
            if not e.retry:
                self._forget(launch.name)
            raise
        self._forget(launch.name)
        return handle

    def _forget(self, name: str) -> None:
        with self._lock:
            self._tried.pop(name, None)

    def _submit(self, launch: Launch, plan: KubernetesPlan, place: Place) -> Handle:
        cluster = self._places.cluster(place.address)
        pulls = self._pulls.ensure(cluster, (place.address, place.namespace), plan)
        request = create_request(
            plan,
            Submit(name=launch.name, labels=launch.labels, secrets=launch.secrets, pulls=pulls),
        )
        # Unknown kinds are told before anything is there.
        paths = [self._kind(cluster, one).path(place.namespace) for one in request.services]
        document = _annotated(dict(request.document), plan, place)
        path = place.kind.path(place.namespace)
        made = self._create(cluster, path, document, launch)
        if _holds_not(made):
            _take_back(cluster, path, made)
            raise RunnerError(_TOO_OLD.format(made["kind"]), reason=Reason.SPEC_INVALID)
        beside = list(zip(paths, request.services, strict=True))
        if request.secret is not None:
            # Behind its job, which owns it from its first moment: so none is ever left behind, and
            # it is there long before a node has made up its mind about the pod.
            beside.insert(0, (SECRETS.path(place.namespace), request.secret))
        try:
            for where, one in beside:
                self._create(cluster, where, owned_by(one, made), launch)
        except RunnerError as e:
            if not e.retry:
                _take_back(cluster, path, made)
            raise
        return self._places.handle(place, made)

    def find(self, owner: Owner, place: Place, name: str) -> Handle | None:
        """Look an owner's object up in one place.

        Raises:
            KubernetesError: it may be there or not.
        """
        cluster = self._places.cluster(place.address)
        try:
            found = cluster.call("GET", place.kind.path(place.namespace, name))
        except KubernetesError as e:
            if not lacks(cluster, place.kind, e):
                raise
            return None
        if not _is_of(found, owner):
            return None
        return self._places.handle(place, found)

    def _create(self, cluster: Cluster, path: str, document: Obj, launch: Launch) -> Obj:
        """Create an object, or take the one of its name, if it is this attempt's."""
        _check_deadline(launch)
        name = document["metadata"]["name"]
        try:
            return cluster.call("POST", path, document, query=_STRICT, until=launch.deadline)
        except KubernetesError as e:
            if not e.exists:
                raise
        found = cluster.call("GET", f"{path}/{name}")
        if _is_before(found, launch.owner):
            return _instead(cluster, path, found, document, launch.deadline)
        if not _is_of(found, launch.owner):
            text = f"there is a {document['kind']} {name} already, and it is not this attempt's"
            raise RunnerError(f"{text}{_remedy(found)}", reason=Reason.NAME_TAKEN)
        if document["kind"] == "Secret" and found.get("data") != document.get("data"):
            # An earlier try's, with the token of another lease.
            found = cluster.call("PATCH", f"{path}/{name}", {"data": document.get("data")})
        return found

    def _kind(self, cluster: Cluster, document: Mapping[str, Any]) -> Kind:
        api = str(document.get("apiVersion"))
        group, _, version = api.rpartition("/")
        return Kind(group, version, cluster.plural(api, str(document.get("kind"))))


def _annotated(document: Obj, plan: KubernetesPlan, place: Place) -> Obj:
    """Return *document* with how long its troubles are borne: who adopts it has no plan."""
    meta = dict(document["metadata"])
    grace = f"{plan.grace.start_s:g},{plan.grace.schedule_s:g}"
    ours = {GRACE: grace, PLACE: place.text}
    meta["annotations"] = {**(meta.get("annotations") or {}), **ours}
    return {**document, "metadata": meta}


def _holds_not(made: Obj) -> bool:
    """Tell whether an object is to wait for what runs beside it, and its cluster dropped the key.

    Old clusters drop what they do not know, and say nothing. Who lets an object go takes the
    annotation off at the same time.
    """
    hold = hold_of(str((made["metadata"].get("annotations") or {}).get(HELD, "")))
    return hold is not None and not is_suspended(made, hold.suspend)


def _is_of(found: Mapping[str, Any], owner: Owner) -> bool:
    labels = found["metadata"].get("labels") or {}
    if BESIDE in labels:
        labels = {**labels, ITEM: labels[BESIDE]}
    return may_adopt(labels, owner.installation, owner.item, owner.attempt)


def _is_before(found: Mapping[str, Any], owner: Owner) -> bool:
    """Tell whether *found* ran beside an earlier attempt of the owner's item, which is over."""
    labels = found["metadata"].get("labels") or {}
    attempt = str(labels.get(ATTEMPT, ""))
    earlier = Owner(
        installation=owner.installation,
        item=owner.item,
        attempt=int(attempt) if attempt.isdigit() else owner.attempt,
        agent=owner.agent,
    )
    return BESIDE in labels and earlier.attempt < owner.attempt and _is_of(found, earlier)


def _instead(cluster: Cluster, path: str, old: Obj, document: Obj, deadline: float) -> Obj:
    """Create an object in the place of one that an earlier attempt has left behind.

    Raises:
        RunnerError: it is still there after a while; trying again may help.
    """
    name, uid = document["metadata"]["name"], old["metadata"]["uid"]
    options: Any = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
    if document["kind"] == "Pod":
        options["gracePeriodSeconds"] = 1  # with 0 it may go on running on its node
    with suppress(KubernetesError):
        cluster.call("DELETE", f"{path}/{name}", options)
    until = time.monotonic() + _GOING_S
    while time.monotonic() < until:
        try:
            return cluster.call("POST", path, document, query=_STRICT, until=deadline)
        except KubernetesError as e:
            if not e.exists:
                raise
        time.sleep(_AGAIN_S)
    text = f"{document['kind']} {name} of the attempt before is still there"
    raise RunnerError(text, reason=Reason.NAME_TAKEN, retry=True)


def _take_back(cluster: Cluster, path: str, made: Obj) -> None:
    """Delete a job that cannot have what goes with it."""
    meta = made["metadata"]
    options: Any = {"propagationPolicy": "Background", "preconditions": {"uid": meta["uid"]}}
    with suppress(KubernetesError):
        cluster.call("DELETE", f"{path}/{meta['name']}", options)


def _remedy(found: Mapping[str, Any]) -> str:
    """Return what to do about a taken name, where it is one that a launch has chosen."""
    beside = BESIDE in (found["metadata"].get("labels") or {})
    return "; put `${run_id}` into its name, or give it none" if beside else ""


def _check_deadline(launch: Launch) -> None:
    if time.clock_gettime(time.CLOCK_BOOTTIME) >= launch.deadline:
        text = f"{launch.name} was not started: the lease ended before"
        raise RunnerError(text, reason=Reason.DEADLINE_PASSED, retry=True)
