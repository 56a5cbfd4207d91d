"""This machine: processes, and virtual environments for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from launchyard.domain.config.schema import Block
from launchyard.domain.targets.local_config import TYPE
from launchyard.plugins import API, hookimpl
from launchyard.plugins.specs import BuilderProvider, Place, Setting, TargetProvider
from launchyard.ports.builder import Builder
from launchyard.ports.runner import Runner
from launchyard.ports.target import Target

launchyard_api: Final = API


def _runner(place: Place) -> Runner:
    from launchyard.adapters.local.runner import LocalConfig, LocalRunner

    return LocalRunner(LocalConfig(root=place.folder))


def _target(setting: Setting) -> Target:
    from launchyard.adapters.local.target import LocalTarget, LocalTargetConfig
    from launchyard.domain.targets.local import LocalDefaults

    return LocalTarget(
        LocalTargetConfig(
            root=setting.place.folder,
            host=setting.host,
            server=setting.server,
            environment=setting.place.environment,
            macro_env=setting.macro_env,
            defaults=LocalDefaults(
                run_s=setting.run_s, grace_s=setting.grace_s, log_quota_b=setting.log_quota_b
            ),
        )
    )


def _venv(place: Place) -> Builder:
    from launchyard.adapters.local.venv.builder import VenvBuilder, VenvConfig

    return VenvBuilder(VenvConfig(root=place.folder, environment=place.environment))


@hookimpl
def targets() -> Sequence[TargetProvider]:
    return (
        TargetProvider(
            name=TYPE,
            doc="Processes of the agent's machine, for submitters whom you trust.",
            config=Block(key=TYPE, doc="Nothing to set yet."),
            make=_runner,
            target=_target,
            process=TYPE,
        ),
    )


@hookimpl
def builders() -> Sequence[BuilderProvider]:
    return (
        BuilderProvider(
            name="venv",
            doc="A virtual environment with what a launch requires, shared by equal launches.",
            config=Block(key="venv", doc="Nothing to set yet."),
            make=_venv,
            process="build",
        ),
    )
