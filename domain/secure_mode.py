"""`secure_mode`: what a launch may not ask for where submitters are not trusted with the machine.

The merged document is searched at every depth, so that a custom resource, a pod template inside a
template, or an additional service is judged like the plain Job. What the queue itself sets counts
too: whoever may change a queue is not more trusted than the agent's configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from launchyard.domain.documents import Json, Path, dotted
from launchyard.domain.review import Rejection, Review

_CONTAINERS: Final = frozenset({"containers", "initContainers", "ephemeralContainers"})
_PRESENT: Final = frozenset(
    {"initContainers", "ephemeralContainers", "hostPath", "serviceAccountToken", "securityContext"}
)
_TRUE: Final = frozenset(
    {
        "privileged",
        "allowPrivilegeEscalation",
        "hostPID",
        "hostIPC",
        "hostNetwork",
        "shareProcessNamespace",
        "automountServiceAccountToken",
        "hostUsers",
        "hostPort",
    }
)
_FILLED: Final = frozenset({"serviceAccountName", "serviceAccount"})
_WORDS_FOR_YES: Final = frozenset({"1", "true", "yes", "on"})

DOCKER_OPTIONS: Final = frozenset(
    {
        "command",
        "cpu",
        "cpu-period",
        "cpu-quota",
        "cpu-shares",
        "cpus",
        "cpuset-cpus",
        "cpuset-mems",
        "e",
        "env",
        "gpus",
        "image",
        "m",
        "memory",
        "memory-reservation",
        "memory-swap",
        "name",
        "pids-limit",
        "platform",
        "shm-size",
        "ulimit",
        "w",
        "workdir",
    }
)
"""Options of `local-container` that loosen nothing; in secure mode there are no others."""


def violations(review: Review) -> Iterator[Rejection]:
    """Yield every reason why *review* may not run in secure mode.

    Raises:
        DocumentError: the launch's spec is none.
    """
    spec, merged = review.parsed, review.merged
    if spec.overrides.entry_point:
        yield _no("entry_point", ("overrides", "entry_point"), "the image or job says what runs")
    if spec.overrides.dockerfile:
        yield _no("dockerfile", ("overrides", "dockerfile"), "the job says how it is built")
    path = ("resource_args", review.target)
    yield from _BY_TARGET.get(review.target, _manifest)(merged, path)
    for index, service in enumerate(spec.additional_services):
        yield from _manifest(dict(service.config), ("additional_services", index, "config"))


def _docker(document: Json, path: Path) -> Iterator[Rejection]:
    for key in document if isinstance(document, dict) else ():
        if key.lstrip("-").replace("_", "-").lower() not in DOCKER_OPTIONS:
            yield _no("docker_option", (*path, key), "no option that secure mode knows as harmless")


def _process(document: Json, path: Path) -> Iterator[Rejection]:
    if isinstance(document, dict) and document.get("shell"):
        yield _no("shell", (*path, "shell"), "commands go through no shell")


def _manifest(document: Json, path: Path) -> Iterator[Rejection]:
    if isinstance(document, list):
        for index, part in enumerate(document):
            yield from _manifest(part, (*path, index))
    if not isinstance(document, dict):
        return
    for key, value in document.items():
        here = (*path, key)
        wrong = _wrong(key, value)
        if wrong:
            yield _no(_rule(key), here, wrong)
        elif key in _CONTAINERS and isinstance(value, list):
            yield from _commands(value, here)
        yield from _manifest(value, here)


def _wrong(key: str, value: Json) -> str:
    if key in _PRESENT:
        return "it is locked"
    if key in _TRUE and _says_yes(value):
        return "it loosens the isolation of the container"
    if key in _FILLED and value:
        return "the job would act as another account of the cluster"
    if key == "mountPropagation" and value == "Bidirectional":
        return "mounts would reach the host"
    profile = "apparmor" in key.lower() or "seccomp" in key.lower()
    if profile and isinstance(value, str) and "unconfined" in value.lower():
        return "the container would be confined by no profile"
    return ""


def _commands(containers: list[Json], path: Path) -> Iterator[Rejection]:
    for index, container in enumerate(containers):
        if isinstance(container, dict) and container.get("command") is not None:
            yield _no("command", (*path, index, "command"), "the image says what runs")


def _says_yes(value: Json) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in _WORDS_FOR_YES
    return bool(value)


def _rule(key: str) -> str:
    return "unconfined" if "apparmor" in key.lower() or "seccomp" in key.lower() else key


def _no(rule: str, path: Path, why: str) -> Rejection:
    return Rejection(rule=rule, message=f"{dotted(path)}: {why}; leave it out")


_BY_TARGET: Final[Mapping[str, Callable[[Json, Path], Iterator[Rejection]]]] = {
    "local-container": _docker,
    "local-process": _process,
}
