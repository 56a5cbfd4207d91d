"""The local-process target as the agent's main process knows it: it plans and starts nothing."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from launchyard.adapters.local import machine
from launchyard.domain.spec import NoSource
from launchyard.domain.targets.draft import AgentSide, draft
from launchyard.domain.targets.local import (
    LocalContext,
    LocalDefaults,
    LocalPlan,
    in_venv,
    plan_local,
)
from launchyard.domain.targets.local_config import TYPE
from launchyard.ports.builder import BuildRequest, Built
from launchyard.ports.target import BuildJob, HostSpec, PlanInput, Planned


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTargetConfig:
    """What the plans are made from.

    `root` is the folder that the runner keeps its records in; `environment` is the agent's own.
    """

    root: str
    host: HostSpec
    server: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    macro_env: tuple[str, ...] = ()
    defaults: LocalDefaults = field(default_factory=LocalDefaults)


class LocalTarget:
    """A `Target` that runs attempts as processes of this machine."""

    def __init__(self, config: LocalTargetConfig) -> None:
        self._config = config
        self._scope = machine.scope(config.root)
        self._agent = AgentSide(
            environment=config.environment, server=config.server, macro_env=config.macro_env
        )

    @property
    def name(self) -> str:
        return TYPE

    @property
    def host_bound(self) -> bool:
        return True

    @property
    def scope(self) -> str:
        return self._scope

    @property
    def host(self) -> HostSpec:
        return self._config.host

    def plan(self, wanted: PlanInput) -> Planned:
        known = draft(wanted.grant, TYPE, self._agent)
        facts = known.facts
        context = LocalContext(
            name=wanted.name, folder=wanted.folder, facts=facts, defaults=self._config.defaults
        )
        plan = plan_local(facts.spec, known.config, context)
        return Planned(
            plan=plan,
            build=_build(wanted.name, plan),
            secrets=known.secrets,
            run_s=plan.run_s,
            grace_s=plan.grace_s,
            log_quota_b=plan.log_quota_b,
            findings=known.findings,
        )

    def with_built(self, plan: LocalPlan, built: Built, folder: str) -> LocalPlan:
        if folder:  # of a source that named a sub-folder, the sub-folder
            inside = posixpath.relpath(plan.cwd, plan.work)
            plan = replace(plan, cwd=posixpath.normpath(posixpath.join(folder, inside)))
        return in_venv(plan, built.path) if built.path else plan


def _build(name: str, plan: LocalPlan) -> BuildJob | None:
    """Return what has to be fetched and built before *plan* can start, if anything."""
    if isinstance(plan.source, NoSource) and plan.venv is None:
        return None
    if plan.venv is None:
        return BuildJob(source=plan.source, into=plan.work)
    request = BuildRequest(
        name=name,
        source="" if isinstance(plan.source, NoSource) else plan.work,
        requirements=plan.venv.requirements or (),
        python=plan.venv.python,
    )
    return BuildJob(source=plan.source, into=plan.work, builder="venv", request=request)
