"""What is known of a manifest's keys, so that a slip is found before a cluster sees it.

A key that nobody knows is left to the cluster, which may be newer than this list; one that is
nearly a known one, or that belongs elsewhere, is a slip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import SequenceMatcher
from typing import Final, TypeAlias

from launchyard.domain.config.problem import Problem, shown
from launchyard.domain.documents import Json, Path

Check: TypeAlias = Callable[[Json], str]
"""Says what a value must be, or nothing when it is that."""

Keys: TypeAlias = Mapping[str, Check]


def _text(value: Json) -> str:
    return "" if isinstance(value, str) else "a text"


def _flag(value: Json) -> str:
    return "" if isinstance(value, bool) else "true or false"


def _whole(value: Json) -> str:
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return "" if fits else "a whole number"


def _any_whole(value: Json) -> str:
    return "" if isinstance(value, int) and not isinstance(value, bool) else "a whole number"


def _object(value: Json) -> str:
    return "" if isinstance(value, dict) else "an object"


def _objects(value: Json) -> str:
    fits = isinstance(value, list) and all(isinstance(part, dict) for part in value)
    return "" if fits else "a list of objects"


def _texts(value: Json) -> str:
    fits = isinstance(value, list) and all(isinstance(part, str) for part in value)
    return "" if fits else "a list of texts; quote the numbers in it"


def _map(value: Json) -> str:
    fits = isinstance(value, dict) and all(isinstance(part, str) for part in value.values())
    return "" if fits else "an object of texts; quote the numbers in it"


def _amounts(value: Json) -> str:
    fits = isinstance(value, dict) and all(
        isinstance(part, str | int | float) and not isinstance(part, bool)
        for part in value.values()
    )
    return "" if fits else "an object of amounts, as `{cpu: 2, memory: 4Gi}`"


def _one_of(*words: str) -> Check:
    return lambda value: "" if value in words else f"one of {', '.join(words)}"


def _keys(check: Check, words: str) -> dict[str, Check]:
    return dict.fromkeys(words.split(), check)


TOP: Final[Keys] = {**_keys(_text, "apiVersion kind"), **_keys(_object, "metadata spec status")}
META: Final[Keys] = {
    **_keys(_text, "name generateName namespace"),
    **_keys(_map, "labels annotations"),
    **_keys(_texts, "finalizers"),
    **_keys(_objects, "ownerReferences managedFields"),
}
JOB: Final[Keys] = {
    **_keys(_whole, "activeDeadlineSeconds backoffLimit backoffLimitPerIndex completions"),
    **_keys(_whole, "maxFailedIndexes parallelism ttlSecondsAfterFinished"),
    **_keys(_flag, "manualSelector suspend"),
    **_keys(_object, "podFailurePolicy selector successPolicy template"),
    **_keys(_text, "managedBy"),
    "completionMode": _one_of("NonIndexed", "Indexed"),
    "podReplacementPolicy": _one_of("TerminatingOrFailed", "Failed"),
}
TEMPLATE: Final[Keys] = _keys(_object, "metadata spec")
POD: Final[Keys] = {
    **_keys(_whole, "activeDeadlineSeconds terminationGracePeriodSeconds"),
    **_keys(_any_whole, "priority"),
    **_keys(_object, "affinity dnsConfig nodeSelector os overhead resources securityContext"),
    **_keys(_object, "workloadRef schedulingGroup"),
    **_keys(_flag, "automountServiceAccountToken enableServiceLinks hostIPC hostNetwork hostPID"),
    **_keys(_flag, "hostUsers setHostnameAsFQDN shareProcessNamespace"),
    **_keys(_objects, "containers ephemeralContainers hostAliases imagePullSecrets initContainers"),
    **_keys(_objects, "readinessGates resourceClaims schedulingGates tolerations"),
    **_keys(_objects, "topologySpreadConstraints volumes"),
    **_keys(_text, "hostname hostnameOverride nodeName priorityClassName runtimeClassName"),
    **_keys(_text, "schedulerName serviceAccount serviceAccountName subdomain"),
    "dnsPolicy": _one_of("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    "preemptionPolicy": _one_of("PreemptLowerPriority", "Never"),
    "restartPolicy": _one_of("Never", "OnFailure", "Always"),
}
CONTAINER: Final[Keys] = {
    **_keys(_texts, "args command"),
    **_keys(_objects, "env envFrom ports resizePolicy restartPolicyRules volumeDevices"),
    **_keys(_objects, "volumeMounts"),
    **_keys(_object, "lifecycle livenessProbe readinessProbe resources securityContext"),
    **_keys(_object, "startupProbe"),
    **_keys(_text, "image name restartPolicy terminationMessagePath workingDir"),
    **_keys(_flag, "stdin stdinOnce tty"),
    "imagePullPolicy": _one_of("Always", "IfNotPresent", "Never"),
    "terminationMessagePolicy": _one_of("File", "FallbackToLogsOnError"),
}
RESOURCES: Final[Keys] = {**_keys(_amounts, "limits requests"), **_keys(_objects, "claims")}

_PLACES: Final[tuple[tuple[str, Keys], ...]] = (
    ("spec", JOB),
    ("spec.template.spec", POD),
    ("spec.template.spec.containers[0]", CONTAINER),
    ("spec.template.spec.containers[0].resources", RESOURCES),
    ("metadata", META),
)
_NEAR: Final = 0.85
_LISTS: Final = ("containers", "initContainers")


def check_job(manifest: Mapping[str, Json], path: Path, others: Keys) -> Iterator[Problem]:
    """Yield what is wrong with the manifest of a Job; *others* may stand beside its keys."""
    yield from _level(manifest, {**TOP, **others}, path)
    yield from _inner(manifest, "metadata", META, path)
    yield from _inner(manifest, "spec", JOB, path)
    spec = manifest.get("spec")
    template = spec.get("template") if isinstance(spec, dict) else None
    if isinstance(template, dict):
        here = (*path, "spec", "template")
        yield from _level(template, TEMPLATE, here)
        yield from check_template(template, here)


def check_template(template: Mapping[str, Json], path: Path) -> Iterator[Problem]:
    """Yield what is wrong with a pod template, wherever it stands."""
    yield from _inner(template, "metadata", META, path)
    yield from _inner(template, "spec", POD, path)
    pod = template.get("spec")
    for key in _LISTS if isinstance(pod, dict) else ():
        listed = pod.get(key) if isinstance(pod, dict) else None
        for index, container in enumerate(listed if isinstance(listed, list) else []):
            if isinstance(container, dict):
                here = (*path, "spec", key, index)
                yield from _level(container, CONTAINER, here)
                yield from _inner(container, "resources", RESOURCES, here)


def anything(_value: Json) -> str:
    """Take every value: for keys that are judged elsewhere."""
    return ""


def _inner(document: Mapping[str, Json], key: str, keys: Keys, path: Path) -> Iterator[Problem]:
    inner = document.get(key)
    if isinstance(inner, dict):
        yield from _level(inner, keys, (*path, key))


def _level(document: Mapping[str, Json], keys: Keys, path: Path) -> Iterator[Problem]:
    for key, value in document.items():
        here = (*path, key)
        if key not in keys:
            yield from _unknown(key, keys, here)
        elif value is not None and (wanted := keys[key](value)):
            message = f"`{shown(value, key=key)}` is not what it must be"
            yield Problem(path=here, message=message, allowed=wanted)


def _unknown(key: str, keys: Keys, path: Path) -> Iterator[Problem]:
    near = max(keys, key=lambda name: _likeness(key, name))
    elsewhere = next((place for place, names in _PLACES if key in names), "")
    if _likeness(key, near) >= _NEAR:
        hint = f"did you mean `{near}`?"
    elif elsewhere:
        hint = f"it belongs in `{elsewhere}`"
    else:
        return
    yield Problem(path=path, message="is no key of Kubernetes here", hint=hint)


def _likeness(word: str, name: str) -> float:
    plain = word.replace("_", "").replace("-", "").lower()
    return SequenceMatcher(None, plain, name.lower()).ratio()
