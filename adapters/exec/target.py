"""The exec target as the agent's main process knows it: its executables plan, elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from launchyard.domain.targets.draft import AgentSide, draft
from launchyard.domain.targets.exec import TYPE, ExecContext, plan_exec
from launchyard.ports.builder import Built
from launchyard.ports.target import HostSpec, PlanInput, Planned


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecTargetConfig:
    """What the plans are made from; *scope* is where the executables' things can be reached."""

    host: HostSpec
    scope: str
    agent: AgentSide
    run_s: float | None = None
    grace_s: float = 10.0
    log_quota_b: int = 64 * 1024 * 1024


class ExecTarget:
    """A `Target` whose `plan` executable has its say when an attempt is submitted."""

    def __init__(self, config: ExecTargetConfig) -> None:
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
        limits = [s for s in (known.facts.spec.timeout_s, config.run_s) if s is not None]
        run_s = min(limits, default=None)
        context = ExecContext(
            name=wanted.name, facts=known.facts, submitter=wanted.grant.submitter, run_s=run_s
        )
        return Planned(
            plan=plan_exec(known.facts.spec, known.config, context),
            secrets=known.secrets,
            run_s=run_s,
            grace_s=config.grace_s,
            log_quota_b=config.log_quota_b,
            findings=known.findings,
        )

    def with_built(self, plan: Any, built: Built, folder: str) -> Any:  # noqa: ARG002 - no builds
        return plan
