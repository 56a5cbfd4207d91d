"""Containers of a Docker engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from launchyard.domain.config.schema import Block, Field, Kind
from launchyard.domain.targets.docker_config import GUARDED, TYPE
from launchyard.plugins import API, hookimpl
from launchyard.plugins.specs import Place, Setting, TargetProvider
from launchyard.ports.runner import Runner
from launchyard.ports.target import Target

launchyard_api: Final = API

BLOCK: Final = Block(
    key=TYPE,
    doc="The Docker engine that runs containers: docs/targets/docker.md.",
    fields=(
        Field(
            key="host",
            kind=Kind.TEXT,
            doc="The engine's address; an agent that has it runs containers.",
            pattern=r"(unix:///|tcp://).+",
            says="unix:///path/of/docker.sock or tcp://host:port",
        ),
        Field(
            key="certificates",
            kind=Kind.TEXT,
            doc="Folder with ca.pem, cert.pem and key.pem for an engine behind TLS.",
        ),
        Field(
            key="prune",
            kind=Kind.SECONDS,
            doc="Remove images that jobs pulled and none has used for so long; 0 keeps them.",
            default=0,
            minimum=0,
        ),
        Field(
            key="grants",
            kind=Kind.TEXTS,
            doc="Guarded arguments that every launch of a W&B server may use.",
            choices=GUARDED,
        ),
    ),
)


def _runner(place: Place) -> Runner:
    from launchyard.adapters.docker.engine import address_of
    from launchyard.adapters.docker.pruning import Pruning
    from launchyard.adapters.docker.runner import DockerRunner

    prune = place.settings.get("prune")
    prune_s = float(prune) if isinstance(prune, int | float) else 0.0
    address = address_of(place.settings, place.environment)
    return DockerRunner(address, place.folder, pruning=Pruning(prune_s, place.metrics))


def _target(setting: Setting) -> Target:
    from launchyard.adapters.docker.engine import address_of, engine_id, scope_of
    from launchyard.adapters.docker.target import DockerTarget, DockerTargetConfig
    from launchyard.domain.targets.docker import DockerDefaults
    from launchyard.domain.targets.draft import AgentSide

    place = setting.place
    address = address_of(place.settings, place.environment)
    grants = place.settings.get("grants")
    return DockerTarget(
        DockerTargetConfig(
            host=setting.host,
            scope=scope_of(engine_id(address)),
            agent=AgentSide(
                environment=place.environment, server=setting.server, macro_env=setting.macro_env
            ),
            defaults=DockerDefaults(
                run_s=setting.run_s, grace_s=setting.grace_s, log_quota_b=setting.log_quota_b
            ),
            grants=tuple(map(str, grants)) if isinstance(grants, list) else (),
        )
    )


def _is_present(environment: Mapping[str, str]) -> bool:
    from launchyard.adapters.docker.contexts import current_host

    if environment.get("DOCKER_HOST") or Path("/var/run/docker.sock").exists():
        return True
    try:
        return bool(current_host(environment))
    except ValueError:
        return True  # whoever tries it is told


@hookimpl
def targets() -> Sequence[TargetProvider]:
    return (
        TargetProvider(
            name=TYPE,
            doc="Containers of a Docker engine.",
            config=BLOCK,
            make=_runner,
            target=_target,
            process=TYPE,
            modules=("docker",),
            extra="docker",
            when_configured=True,
            present=_is_present,
        ),
    )
