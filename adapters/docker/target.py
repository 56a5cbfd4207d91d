"""The local-container target as the agent's main process knows it: it plans and loads no SDK."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from launchyard.domain.config.problem import DocumentError
from launchyard.domain.targets.docker import DockerDefaults, plan_docker
from launchyard.domain.targets.docker_config import TYPE, unowned
from launchyard.domain.targets.draft import AgentSide, arrives_merged, draft
from launchyard.ports.builder import Built
from launchyard.ports.target import HostSpec, PlanInput, Planned


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerTargetConfig:
    """What the plans are made from; *scope* names the engine.

    `grants` are the guarded arguments that launches of a W&B server may use. On our own server the
    queue decides, and the server has judged.
    """

    host: HostSpec
    scope: str
    agent: AgentSide = field(default_factory=AgentSide)
    defaults: DockerDefaults = field(default_factory=DockerDefaults)
    grants: tuple[str, ...] = ()


class DockerTarget:
    """A `Target` that runs attempts as containers, which outlive the agent."""

    def __init__(self, config: DockerTargetConfig) -> None:
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
        known = draft(wanted.grant, TYPE, self._config.agent)
        facts = known.facts
        if arrives_merged(wanted.grant):
            refused = tuple(unowned(known.config, self._config.grants))
            if refused:
                raise DocumentError(refused)
        plan = plan_docker(facts.spec, known.config, facts, self._config.defaults)
        return Planned(
            plan=plan,
            secrets=known.secrets,
            run_s=plan.run_s,
            grace_s=plan.grace_s,
            log_quota_b=plan.log_quota_b,
            findings=known.findings,
        )

    def with_built(self, plan: Any, built: Built, folder: str) -> Any:  # noqa: ARG002 - no builds
        return plan
