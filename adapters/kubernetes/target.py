"""The kubernetes target as the agent's main process knows it: it plans and loads no SDK."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field, replace
from typing import Any

from launchyard.domain.config.problem import DocumentError, Problem
from launchyard.domain.targets.draft import AgentSide, draft, queue_side
from launchyard.domain.targets.kubernetes import plan_kubernetes
from launchyard.domain.targets.kubernetes_config import PATH, TYPE
from launchyard.domain.targets.kubernetes_plan import KubernetesContext, KubernetesDefaults
from launchyard.domain.targets.kubernetes_request import with_image
from launchyard.ports.builder import Built
from launchyard.ports.target import BuildJob, HostSpec, PlanInput, Planned


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesTargetConfig:
    """What the plans are made from; *scope* names cluster and namespace."""

    host: HostSpec
    scope: str
    agent: AgentSide = field(default_factory=AgentSide)
    defaults: KubernetesDefaults = field(default_factory=KubernetesDefaults)


class KubernetesTarget:
    """A `Target` that runs attempts as objects of a cluster, which outlive the agent."""

    def __init__(self, config: KubernetesTargetConfig) -> None:
        self._config = config

    @property
    def name(self) -> str:
        return TYPE

    @property
    def host_bound(self) -> bool:
        return False

    @property
    def scope(self) -> str:
        return self._config.scope

    @property
    def host(self) -> HostSpec:
        return self._config.host

    def plan(self, wanted: PlanInput) -> Planned:
        config = self._config
        known = draft(wanted.grant, TYPE, config.agent)
        context = KubernetesContext(
            facts=known.facts,
            name=wanted.name,
            queue=queue_side(wanted.grant, TYPE, config.agent),
            defaults=config.defaults,
        )
        plan = plan_kubernetes(known.facts.spec, known.config, context)
        build = None
        if plan.code_claim:
            root = _root(plan.code_claim, config.defaults)
            plan = replace(plan, code_folder=posixpath.join(root, wanted.name))
            build = BuildJob(source=known.facts.spec.source, into=plan.code_folder)
        return Planned(
            plan=plan,
            build=build,
            secrets=known.secrets,
            run_s=plan.run_s,
            grace_s=plan.grace_s,
            log_quota_b=plan.log_quota_b,
            findings=known.findings,
        )

    def with_built(self, plan: Any, built: Built, folder: str) -> Any:  # noqa: ARG002 - an image's
        return with_image(plan, built.image) if built.image else plan


def _root(claim: str, defaults: KubernetesDefaults) -> str:
    """Return where this machine has a volume claim.

    Raises:
        DocumentError: it has it nowhere.
    """
    root = defaults.code_claims.get(claim)
    if root is not None:
        return root
    known = ", ".join(f"`{name}`" for name in defaults.code_claims)
    raise DocumentError(
        [
            Problem(
                path=(*PATH, "code_claim"),
                message=f"this agent has no volume claim `{claim}`",
                allowed=known,
                hint="mount it on the agent's machine, and name it in `code_claims` of its target",
            )
        ]
    )
