"""The kubernetes target as the agent's main process knows it: it plans and loads no SDK."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from launchyard.domain.config.problem import DocumentError, Problem
from launchyard.domain.targets.draft import AgentSide, draft, queue_side
from launchyard.domain.targets.kubernetes import plan_kubernetes
from launchyard.domain.targets.kubernetes_config import PATH, TYPE
from launchyard.domain.targets.kubernetes_plan import KubernetesContext, KubernetesDefaults
from launchyard.domain.targets.kubernetes_request import with_image
from launchyard.ports.builder import Built
from launchyard.ports.target import HostSpec, PlanInput, Planned

_NO_CLAIM: Final = Problem(
    path=(*PATH, "code_claim"),
    message="this agent puts no code on volume claims yet",
    hint="leave it out: an init container then fetches what is in git or in an archive",
)


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
        if plan.code_claim:
            raise DocumentError([_NO_CLAIM])
        return Planned(
            plan=plan,
            secrets=known.secrets,
            run_s=plan.run_s,
            grace_s=plan.grace_s,
            log_quota_b=plan.log_quota_b,
            findings=known.findings,
        )

    def with_built(self, plan: Any, built: Built, folder: str) -> Any:  # noqa: ARG002 - an image's
        return with_image(plan, built.image) if built.image else plan
