"""What a launch spec says, once it has been checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from launchyard.domain.documents import Json

SCHEDULER_URI: Final = "placeholder-uri-scheduler"


@dataclass(frozen=True, slots=True)
class NoSource:
    """Nothing to fetch: the command finds what it needs on the target."""


@dataclass(frozen=True, slots=True)
class ImageSource:
    """A container image that is there already."""

    image: str


@dataclass(frozen=True, slots=True)
class GitSource:
    """A folder of a git repository; without *ref*, of its default branch."""

    url: str = field(repr=False)
    ref: str = ""
    subdir: str = ""


@dataclass(frozen=True, slots=True)
class ArchiveSource:
    """A code archive that was uploaded, by the SHA-256 of its bytes."""

    sha256: str


@dataclass(frozen=True, slots=True)
class JobSource:
    """A job artifact of a W&B server: `entity/project/name:alias`."""

    name: str


Source: TypeAlias = NoSource | ImageSource | GitSource | ArchiveSource | JobSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Docker:
    """The `docker` part: an image, and the user that builds run as."""

    image: str = ""
    user_id: int | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """The `overrides` part: what this launch changes about its job."""

    args: tuple[str, ...] = ()
    entry_point: tuple[str, ...] = ()
    run_config: Mapping[str, Json] = field(default_factory=dict)
    artifacts: Mapping[str, Json] = field(default_factory=dict)
    files: Mapping[str, Json] = field(default_factory=dict)
    dockerfile: str = ""
    working_dir: str = ""
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A secret that the agent puts into variable *env*; *source* says where its value is kept."""

    env: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A manifest that Kubernetes runs beside the job."""

    name: str
    config: Mapping[str, Json]
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSpec:
    """A launch request: the keys of W&B's launch spec, ours, and those that we do not know.

    Empty means "not said". `code` is our own `source` key; `source` says where the code is,
    whichever key names it. `requirements` is a file's path in the source, or the lines themselves.
    """

    entity: str = ""
    project: str = ""
    job: str = ""
    image_uri: str = ""
    docker: Docker = field(default_factory=Docker)
    git: Mapping[str, Json] = field(default_factory=dict)
    resource: str = ""
    resource_args: Mapping[str, Json] = field(default_factory=dict)
    overrides: Overrides = field(default_factory=Overrides)
    name: str = ""
    author: str = ""
    run_id: str = ""
    sweep_id: str = ""
    uri: str = ""
    python_version: str = ""
    template_variables: Mapping[str, Json] = field(default_factory=dict)
    queue_entity: str = ""
    registry: Mapping[str, Json] = field(default_factory=dict)
    builder: Mapping[str, Json] = field(default_factory=dict)
    wandb_api_key: str = field(default="", repr=False)
    resume_count: int = 0
    additional_services: tuple[Service, ...] = ()
    priority: int | None = None
    code: ArchiveSource | GitSource | None = None
    secrets: tuple[SecretRef, ...] = ()
    requirements: str | tuple[str, ...] = ()
    timeout_s: float | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    extra: Mapping[str, Json] = field(default_factory=dict)

    @property
    def image(self) -> str:
        """The image that the spec names, under either key."""
        return self.docker.image or self.image_uri

    @property
    def source(self) -> Source:
        """Where the code is."""
        if self.code is not None:
            return self.code
        if self.job:
            return JobSource(self.job)
        return ImageSource(self.image) if self.image else NoSource()

    @property
    def is_scheduler(self) -> bool:
        """Whether this launch schedules a sweep instead of training."""
        return self.uri == SCHEDULER_URI


def command_of(spec: LaunchSpec) -> tuple[str, ...]:
    """Return the words of the command that the spec itself gives; a job or image may have more."""
    return spec.overrides.entry_point + spec.overrides.args


def split_api_key(spec: LaunchSpec) -> tuple[LaunchSpec, str]:
    """Return the spec without its W&B key, and the key, which is empty when there was none."""
    return replace(spec, wandb_api_key=""), spec.wandb_api_key
