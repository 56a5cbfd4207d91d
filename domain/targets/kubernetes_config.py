"""The configuration of a `kubernetes` queue: our own settings, and the manifest beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from launchyard.domain.config.problem import Problem
from launchyard.domain.config.schema import Field, Kind, RefusedError
from launchyard.domain.config.values import parse
from launchyard.domain.documents import Json, Path
from launchyard.domain.spec.parse import read_env
from launchyard.domain.spec.reading import Reader
from launchyard.domain.targets.kubernetes_manifest import is_job, templates_at
from launchyard.domain.targets.kubernetes_policy import RULES
from launchyard.domain.targets.kubernetes_schema import anything, check_job, check_template

TYPE: Final = "kubernetes"
PATH: Final = ("resource_args", TYPE)

FIELDS: Final = (
    Field(key="namespace", kind=Kind.TEXT, doc="Namespace of the jobs."),
    Field(key="context", kind=Kind.TEXT, doc="Context of the kubeconfig; without it, its current."),
    Field(
        key="kubeconfig",
        kind=Kind.TEXT,
        doc="The agent's file that tells of clusters.",
        aliases=("configFile",),
    ),
    Field(
        key="timeout",
        kind=Kind.SECONDS,
        doc="Longest run of a job; a launch may ask for less.",
        minimum=1,
    ),
    Field(
        key="cancel_grace",
        kind=Kind.SECONDS,
        doc="Time between SIGTERM and SIGKILL when a job is cancelled.",
        minimum=0,
    ),
    Field(key="log_quota", kind=Kind.BYTES, doc="How much of a job's log is kept.", minimum=0),
    Field(
        key="start_grace",
        kind=Kind.SECONDS,
        doc="How long an image, a setting or a node may keep a pod from starting; 0: for ever.",
        minimum=0,
    ),
    Field(
        key="schedule_grace",
        kind=Kind.SECONDS,
        doc="How long a pod may wait for a node or for quota; 0: for ever.",
        minimum=0,
    ),
    Field(
        key="wait_for_ready",
        kind=Kind.BOOLEAN,
        doc="Start a job when its additional services are ready.",
        default=True,
    ),
    Field(
        key="wait_timeout",
        kind=Kind.SECONDS,
        doc="How long additional services may take to become ready; 0: for ever.",
        default=300,
        minimum=0,
    ),
    Field(key="main_container", kind=Kind.TEXT, doc="Name of the container that is the job."),
    Field(key="code_image", kind=Kind.TEXT, doc="Image with python and git that fetches code."),
    Field(key="code_claim", kind=Kind.TEXT, doc="Volume claim that the agent puts code on."),
    Field(
        key="grants",
        kind=Kind.TEXTS,
        doc="Rules of the security policy that do not bind the launches of this queue.",
        choices=RULES,
    ),
)
"""Our own settings, beside the manifest's keys."""

_OWN: Final = {name: entry for entry in FIELDS for name in entry.names}
LEGACY: Final = ("group", "version", "builder")
"""Keys of W&B that are no part of a manifest."""
_BESIDE: Final = dict.fromkeys((*_OWN, *LEGACY, "env"), anything)

PROTECTED: Final = (
    "code_claim",
    "code_image",
    "configFile",
    "context",
    "grants",
    "group",
    "kubeconfig",
    "log_quota",
    "metadata.namespace",
    "namespace",
    "schedule_grace",
    "start_grace",
    "timeout",
)
"""Paths that a launch may not override unless its queue says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesSettings:
    """What a queue says of its jobs: `manifest` as people wrote it, whole or in part, and ours."""

    manifest: Mapping[str, Json] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, Json] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return one of our settings that is a text, or nothing."""
        return str(self.own.get(name) or "")

    def seconds(self, name: str) -> float | None:
        """Return one of our settings that is a time, or None."""
        value = self.own.get(name)
        return float(value) if isinstance(value, int | float) else None

    @property
    def base_image(self) -> str:
        """The image that W&B's `builder.base_image` names for code without an image."""
        builder = self.own.get("builder")
        image = builder.get("base_image") if isinstance(builder, dict) else None
        return image if isinstance(image, str) else ""


def read_settings(config: Json) -> tuple[KubernetesSettings, tuple[Problem, ...]]:
    """Return the settings in *config*, and all that is wrong with it.

    Settings are to be used only where nothing is wrong.
    """
    if config is None:
        config = {}
    if not isinstance(config, dict):
        message = "a queue's configuration must be an object"
        return KubernetesSettings(), (Problem(path=PATH, message=message),)
    problems: list[Problem] = []
    own: dict[str, Json] = {}
    manifest: dict[str, Json] = {}
    for key, raw in config.items():
        if raw is None or key == "env":
            continue
        if key in _OWN:
            _keep(own, key, raw, problems)
        elif key in LEGACY:
            own[key] = raw
        else:
            manifest[key] = raw
    env = read_env(Reader({"env": config.get("env")}, PATH, problems))
    _put_version(manifest, own)
    problems += _check(manifest)
    return KubernetesSettings(manifest=manifest, env=env, own=own), tuple(problems)


def _check(manifest: dict[str, Json]) -> Iterator[Problem]:
    if is_job(manifest):
        yield from check_job(manifest, PATH, _BESIDE)
        return
    for path, template in templates_at(manifest, PATH):
        yield from check_template(template, path)


def _keep(own: dict[str, Json], key: str, raw: Json, problems: list[Problem]) -> None:
    entry = _OWN[key]
    if entry.key in own:
        message, hint = f"is `{entry.key}` once more", "keep one of the two"
        problems.append(Problem(path=(*PATH, key), message=message, hint=hint))
        return
    try:
        own[entry.key] = parse(entry, raw)[0]
    except RefusedError as error:
        path: Path = (*PATH, key, *error.within)
        problems.append(
            Problem(path=path, message=error.message, allowed=error.allowed, hint=error.hint)
        )


def _put_version(manifest: dict[str, Json], own: Mapping[str, Json]) -> None:
    """Let W&B's `group` and `version` say what is else a part of the `apiVersion`."""
    group, _, version = str(manifest.get("apiVersion") or "batch/v1").rpartition("/")
    group, version = str(own.get("group") or group), str(own.get("version") or version)
    if "group" in own or "version" in own:
        manifest["apiVersion"] = f"{group}/{version}" if group else version
