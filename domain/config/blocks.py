"""The blocks of the agent's configuration below its top level."""

from __future__ import annotations

from typing import Final

from launchyard.domain.config.schema import Block, Field, Kind
from launchyard.domain.config.uris import (
    FORMS,
    STORES,
    context_store,
    image_repository,
    repository_name,
)

_NAME: Final = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
_NAME_SAYS: Final = "lower-case letters, digits, `.` and `-`, as Kubernetes names"
_REGION: Final = r"[a-z]+(-[a-z0-9]+)+[0-9]?|[a-z]+[0-9]?"
_KANIKO: Final = ("kaniko",)

ENVIRONMENT: Final = Block(
    key="environment",
    doc="The cloud whose default credentials the agent uses.",
    fields=(
        Field(
            key="type",
            kind=Kind.TEXT,
            doc="Which cloud; `local` is none.",
            default="local",
            known="environments",
        ),
        Field(
            key="region",
            kind=Kind.TEXT,
            doc="Region of the agent; needed by `aws` and `gcp`.",
            pattern=_REGION,
            says="a region's name, as us-east-1 or us-central1",
            fallbacks=(
                ("aws", "AWS_REGION"),
                ("aws", "AWS_DEFAULT_REGION"),
                ("gcp", "GOOGLE_CLOUD_REGION"),
            ),
        ),
        Field(
            key="project",
            kind=Kind.TEXT,
            doc="Google project; without it, the one of the default credentials.",
            pattern=r"[A-Za-z0-9][A-Za-z0-9.:-]*",
            says="the project's id, not its title",
            fallbacks=(("gcp", "GOOGLE_CLOUD_PROJECT"),),
            types=("gcp",),
        ),
    ),
)
REGISTRY: Final = Block(
    key="registry",
    doc="Where built images go; `builder.destination` says the same in one line.",
    fields=(
        Field(
            key="type",
            kind=Kind.TEXT,
            doc="Kind of registry; without it, told from `uri`.",
            known="registries",
        ),
        Field(
            key="uri",
            kind=Kind.TEXT,
            doc="Address of the image repository, without a tag.",
            says="; ".join(FORMS.values()),
            shape=image_repository,
        ),
        Field(
            key="repository",
            kind=Kind.TEXT,
            doc="Repository by its name, instead of `uri`.",
            aliases=("repo_name",),
            says="the repository's name, as my-team/images",
            shape=repository_name,
            types=("ecr", "gcr"),
        ),
        Field(
            key="image-name",
            kind=Kind.TEXT,
            doc="Image inside the repository, with `repository`.",
            says="an image's name without a tag",
            shape=repository_name,
            types=("gcr",),
        ),
        Field(
            key="project",
            kind=Kind.TEXT,
            doc="Project of the repository; without it, the environment's.",
            types=("gcr",),
        ),
        Field(
            key="region",
            kind=Kind.TEXT,
            doc="Region of the repository; without it, the environment's.",
            pattern=_REGION,
            says="a region's name, as us-east-1 or us-central1",
            types=("ecr", "gcr"),
        ),
        Field(
            key="account_id",
            kind=Kind.TEXT,
            doc="AWS account of the repository; without it, the agent's own.",
            pattern=r"[0-9]{12}",
            says="twelve digits",
            types=("ecr",),
        ),
    ),
)
_KANIKO_FIELDS: Final = (
    Field(
        key="build-context-store",
        kind=Kind.TEXT,
        doc="Prefix under which build contexts are kept for the build's pod.",
        says=STORES,
        shape=context_store,
        types=_KANIKO,
    ),
    Field(
        key="build-job-name",
        kind=Kind.TEXT,
        doc="Beginning of the names of build jobs.",
        default="launchyard-build",
        pattern=r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?",
        says="up to 40 lower-case letters, digits and `-`, beginning with a letter",
        types=_KANIKO,
    ),
    Field(
        key="secret-name",
        kind=Kind.TEXT,
        doc="Kubernetes secret with cloud credentials; together with `secret-key`.",
        pattern=_NAME,
        says=_NAME_SAYS,
        types=_KANIKO,
    ),
    Field(
        key="secret-key",
        kind=Kind.TEXT,
        doc="Entry of that secret that holds the credentials file.",
        pattern=r"[A-Za-z0-9._-]+",
        says="letters, digits, `.`, `_` and `-`",
        types=_KANIKO,
    ),
    Field(
        key="kaniko-image",
        kind=Kind.TEXT,
        doc="Image that runs the build; without it, the one this release is tested with.",
        types=_KANIKO,
    ),
    Field(
        key="kaniko-config",
        kind=Kind.DOCUMENT,
        doc="Part of a Kubernetes Job that is laid over the build job; one container at most.",
        types=_KANIKO,
    ),
)
BUILDER: Final = Block(
    key="builder",
    doc="How source code becomes something that a target can run.",
    fields=(
        Field(
            key="type",
            kind=Kind.TEXT,
            doc="Which builder the keys are for; this release brings `venv` alone.",
            known="builders",
        ),
        Field(
            key="destination",
            kind=Kind.TEXT,
            doc="Image repository that builds are pushed to, without a tag.",
            says="; ".join(FORMS.values()),
            shape=image_repository,
            types=("docker", "kaniko"),
        ),
        Field(
            key="platform",
            kind=Kind.TEXT,
            doc="Platform to build for; without it, the builder's own.",
            choices=("linux/amd64", "linux/arm64"),
            types=("docker", "kaniko"),
        ),
        *_KANIKO_FIELDS,
    ),
)
OPERATIONS: Final = Block(
    key="operations",
    doc="The endpoint for metrics, health and status.",
    fields=(
        Field(
            key="host",
            kind=Kind.TEXT,
            doc="Address to listen on; `0.0.0.0` lets other machines in.",
            default="127.0.0.1",
            pattern=r"[A-Za-z0-9:][A-Za-z0-9.:-]*",
            says="a host's name or address, without a port",
        ),
        Field(
            key="port",
            kind=Kind.INTEGER,
            doc="Port to listen on; 0 takes a free one.",
            default=9460,
            minimum=0,
            maximum=65535,
        ),
    ),
)
