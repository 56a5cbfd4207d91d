"""Targets for people who write no Python: four executables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from launchyard.domain.config.schema import Block, Field, Kind
from launchyard.domain.targets.exec import TYPE
from launchyard.plugins import API, hookimpl
from launchyard.plugins.specs import Place, Setting, TargetProvider
from launchyard.ports.runner import Runner
from launchyard.ports.target import Target

launchyard_api: Final = API

_ROLES: Final = {
    "plan": "Executable that judges a launch and gives the plan for it.",
    "submit": "Executable that starts a plan under its name.",
    "status": "Executable that tells how things stand.",
    "cancel": "Executable that ends a thing, and later removes what is left of it.",
    "logs": "Executable that gives a part of a thing's log; without it there are no logs.",
}
BLOCK: Final = Block(
    key=TYPE,
    doc="The target that is made of executables: docs/targets/exec.md.",
    fields=(
        *(Field(key=role, kind=Kind.TEXT, doc=doc) for role, doc in _ROLES.items()),
        Field(
            key="scope",
            kind=Kind.TEXT,
            doc="Name of the place where jobs run: every agent with the same name reaches them.",
            pattern=r"[A-Za-z0-9][A-Za-z0-9._/-]*",
            says="letters, digits, `.`, `_`, `/` and `-`",
        ),
        Field(
            key="environment",
            kind=Kind.TEXTS,
            doc="Variables of the agent that the executables see, besides PATH, HOME and LANG.",
        ),
        Field(
            key="interval",
            kind=Kind.SECONDS,
            doc="Longest time between two calls of `status`.",
            minimum=0.05,
        ),
    ),
)


def _runner(place: Place) -> Runner:
    from launchyard.adapters.exec.runner import ExecRunner
    from launchyard.adapters.exec.settings import config_of

    return ExecRunner(config_of(place.settings, place.folder, place.environment))


def _target(setting: Setting) -> Target:
    from launchyard.adapters.exec.settings import config_of
    from launchyard.adapters.exec.target import ExecTarget, ExecTargetConfig
    from launchyard.domain.targets.draft import AgentSide

    place = setting.place
    agent = AgentSide(
        environment=place.environment, server=setting.server, macro_env=setting.macro_env
    )
    return ExecTarget(
        ExecTargetConfig(
            host=setting.host,
            scope=config_of(place.settings, place.folder, place.environment).scope,
            agent=agent,
            run_s=setting.run_s,
            grace_s=setting.grace_s,
            log_quota_b=setting.log_quota_b,
        )
    )


@hookimpl
def targets() -> Sequence[TargetProvider]:
    return (
        TargetProvider(
            name=TYPE,
            doc="Whatever four executables of yours reach.",
            config=BLOCK,
            make=_runner,
            target=_target,
            process=TYPE,
            when_configured=True,
        ),
    )
