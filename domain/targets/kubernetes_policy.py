"""What a launch may not ask of a cluster, unless its queue's owner did or grants it.

The merged document is searched at every depth, so that a custom resource and a pod template
inside a template are judged like the plain Job. A value that stands at the same place in the
queue's own configuration is the owner's, and may also not be taken away. `grants` of the queue
names rules that do not bind its launches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from launchyard.domain.config.problem import Problem
from launchyard.domain.documents import Json, Path
from launchyard.domain.spec import Service

_MACHINE: Final = "it opens the machine to the job"
_ACCOUNT: Final = "the job would act as another account of the cluster"
_OTHERS: Final = "it reads what others keep in the namespace"
_FENCE: Final = "it changes how the container is confined"
_KEEPS: Final = "it decides when the object may go, which the agent has to"
_PLACE: Final = "it goes round the scheduler"

_PRESENT: Final = {
    "securityContext": _FENCE,
    "hostPath": _MACHINE,
    "serviceAccountToken": _ACCOUNT,
    "secretKeyRef": _OTHERS,
    "secretRef": _OTHERS,
    "configMapKeyRef": _OTHERS,
    "configMapRef": _OTHERS,
    "externalIPs": "it takes traffic that is not for it",
    "finalizers": _KEEPS,
    "ownerReferences": _KEEPS,
}
_TRUE: Final = {
    "privileged": _MACHINE,
    "allowPrivilegeEscalation": _FENCE,
    "hostPID": _MACHINE,
    "hostIPC": _MACHINE,
    "hostNetwork": _MACHINE,
    "hostUsers": _MACHINE,
    "hostPort": _MACHINE,
    "shareProcessNamespace": _FENCE,
    "automountServiceAccountToken": _ACCOUNT,
    "manualSelector": "the pods of others would count as the job's own",
}
_FILLED: Final = {
    "serviceAccountName": _ACCOUNT,
    "serviceAccount": _ACCOUNT,
    "imagePullSecrets": _OTHERS,
    "nodeName": _PLACE,
    "priorityClassName": "it puts other jobs aside",
    "runtimeClassName": _FENCE,
}
_WHY: Final = {**_PRESENT, **_TRUE, **_FILLED}
_HARMLESS_VOLUMES: Final = frozenset({"name", "emptyDir", "downwardAPI", "ephemeral"})
_VOLUMES: Final = ("secret", "configMap", "persistentVolumeClaim", "projected", "csi")
_BESIDE: Final = frozenset(
    {"Service", "Deployment", "StatefulSet", "Pod", "Job", "ConfigMap", "NetworkPolicy"}
)
_OPEN_TYPES: Final = frozenset({"NodePort", "LoadBalancer"})
_WORDS_FOR_YES: Final = frozenset({"1", "true", "yes", "on"})
RULES: Final = (
    *_PRESENT,
    *_TRUE,
    *_FILLED,
    *_VOLUMES,
    "volumes",
    "mountPropagation",
    "unconfined",
    "kind",
    "type",
)
"""The names that `grants` knows; `volumes` is every source of volumes that has no name here."""

_JOB: Final = ("batch/v1", "Job")
_PATH: Final = ("resource_args", "kubernetes")


@dataclass(frozen=True, slots=True)
class _Found:
    """What a rule objects to, and where."""

    path: Path
    rule: str
    why: str
    value: Json


def violations(before: Json, after: Json, services: Sequence[Service] = ()) -> Iterator[Problem]:
    """Yield what a launch says and may not, in *after*, the merged configuration, and beside it.

    *before* is what the queue's owner alone says. Of *services*, which are all the launch's own,
    the owner can only grant rules.
    """
    granted = _grants(before)
    before, after = _manifest(before), _manifest(after)
    owned = {found.path: found for found in _walk(before, ())}
    asked = {found.path: found for found in _walk(after, ())}
    for place, found in asked.items():
        owner = owned.get(place)
        if found.rule not in granted and (owner is None or owner.value != found.value):
            yield _no(found.rule, (*_PATH, *place), found.why)
    for place, rule in _walk_guarded(before, ()):
        now = _at(after, place)
        changed = place not in asked and _at(before, place) != now
        if rule not in granted and changed and not _is_stricter(rule, now):
            why = "the queue's owner set it, and the launch takes it away"
            yield _no(rule, (*_PATH, *place), why)
    if "kind" not in granted and _kind(after) != _kind(before):
        kind = " ".join(_kind(before))
        yield _no("kind", (*_PATH, "kind"), f"the queue makes objects of {kind}")
    for index, service in enumerate(services):
        yield from _beside(dict(service.config), ("additional_services", index, "config"), granted)


def _beside(manifest: dict[str, Json], path: Path, granted: frozenset[str]) -> Iterator[Problem]:
    kind = manifest.get("kind")
    if "kind" not in granted and kind not in _BESIDE:
        allowed = ", ".join(sorted(_BESIDE))
        yield _no("kind", (*path, "kind"), f"beside a job there may be {allowed}")
    for found in _walk(manifest, ()):
        if found.rule not in granted:
            yield _no(found.rule, (*path, *found.path), found.why)
    spec = manifest.get("spec")
    said = spec.get("type") if isinstance(spec, dict) and kind == "Service" else None
    if "type" not in granted and said in _OPEN_TYPES:
        yield _no("type", (*path, "spec", "type"), "it opens the service to the outside")


def _manifest(config: Json) -> Json:
    """Return *config* without the names of variables, which may be any."""
    if not isinstance(config, dict):
        return {}
    return {key: value for key, value in config.items() if key not in {"env", "grants"}}


def _no(rule: str, path: Path, why: str) -> Problem:
    return Problem(
        path=path,
        message=f"refused by the rule `{rule}`: {why}",
        hint=f"leave it out; or the queue's owner sets it there, or grants it: `grants: [{rule}]`",
    )


def _walk(document: Json, path: Path) -> Iterator[_Found]:
    """Yield everything below *document* that a rule objects to."""
    if isinstance(document, list):
        for index, part in enumerate(document):
            yield from _walk(part, (*path, index))
    if not isinstance(document, dict):
        return
    for key, value in document.items():
        here = (*path, key)
        rule, why = _broken(key, value, path)
        if rule:
            yield _Found(here, rule, why, value)
        else:
            yield from _walk(value, here)


def _broken(key: str, value: Json, path: Path) -> tuple[str, str]:
    """Return the rule that forbids *key* with *value*, and why; nothing where none does."""
    applies = key in _PRESENT or (key in _TRUE and _says_yes(value)) or (key in _FILLED and value)
    if applies:
        return key, _WHY[key]
    if key == "mountPropagation" and value == "Bidirectional":
        return key, "mounts would reach the machine"
    profile = "apparmor" in key.lower() or "seccomp" in key.lower()
    if profile and isinstance(value, str) and "unconfined" in value.lower():
        return "unconfined", "the container would be confined by no profile"
    in_volumes = len(path) > 1 and path[-2] == "volumes" and isinstance(path[-1], int)
    if in_volumes and key not in _HARMLESS_VOLUMES:
        return (key if key in _VOLUMES else "volumes"), _OTHERS
    return "", ""


def _walk_guarded(document: Json, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield where *document* says anything that a rule is about, be it strict or lax."""
    if isinstance(document, list):
        for index, part in enumerate(document):
            yield from _walk_guarded(part, (*path, index))
    for key, value in document.items() if isinstance(document, dict) else ():
        if key in _PRESENT or key in _TRUE or key in _FILLED:
            yield (*path, key), key
        else:
            yield from _walk_guarded(value, (*path, key))


def _is_stricter(rule: str, now: Json) -> bool:
    """Tell whether a launch only made stricter what the owner had opened."""
    return rule in _TRUE and now is False


def _at(document: Json, path: Path) -> Json:
    for step in path:
        if isinstance(document, dict) and isinstance(step, str):
            document = document.get(step)
        elif isinstance(document, list) and isinstance(step, int) and step < len(document):
            document = document[step]
        else:
            return None
    return document


def _kind(document: Json) -> tuple[str, str]:
    told: Mapping[str, Json] = document if isinstance(document, dict) else {}
    version = str(told.get("apiVersion") or _JOB[0])
    return version.replace("v1beta1", "v1"), str(told.get("kind") or _JOB[1])


def _grants(config: Json) -> frozenset[str]:
    told = config.get("grants") if isinstance(config, dict) else None
    listed = told if isinstance(told, list) else [told]
    return frozenset(word for word in listed if isinstance(word, str))


def _says_yes(value: Json) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in _WORDS_FOR_YES
    return bool(value)
