"""The local-process target as the agent's main process knows it: it plans and starts nothing."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from launchyard.adapters.local import machine
from launchyard.domain.attempt_token import VARIABLE as TOKEN
from launchyard.domain.config.problem import DocumentError, Problem
from launchyard.domain.documents import Json, dotted
from launchyard.domain.environment import JobFacts, WandbEndpoint, secret_environment
from launchyard.domain.exchange import ItemGrant
from launchyard.domain.macro_policy import MacroPolicy, Why
from launchyard.domain.macros import Finding, Resolved, compose, resolve
from launchyard.domain.secrets import name_of, references
from launchyard.domain.spec import LaunchSpec, NoSource
from launchyard.domain.spec.parse import parse_spec
from launchyard.domain.submission import WANDB_KEY, overrides_of, unwrapped
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

_WHY = {
    Why.UNKNOWN: "this agent knows no such name",
    Why.CREDENTIAL: "it looks like a credential of the agent",
    Why.NOT_LISTED: "the agent's `macro_env` keeps it back",
    Why.OVERRIDE: "a launch may not name the agent's variables",
}


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
        grant = wanted.grant
        spec = parse_spec(grant.spec)
        resolved = self._resolved(grant, spec)
        # The configuration holds the launch's variables too, merged and with macros resolved.
        facts = self._facts(grant, replace(spec, env={}))
        context = LocalContext(
            name=wanted.name, folder=wanted.folder, facts=facts, defaults=self._config.defaults
        )
        plan = plan_local(facts.spec, resolved.document, context)
        return Planned(
            plan=plan,
            build=_build(wanted.name, plan),
            secrets={**secret_environment(facts), **_secrets(spec, grant.secrets)},
            run_s=plan.run_s,
            grace_s=plan.grace_s,
            log_quota_b=plan.log_quota_b,
            findings=tuple(_words(finding) for finding in resolved.findings),
        )

    def with_built(self, plan: LocalPlan, built: Built, folder: str) -> LocalPlan:
        if folder:  # of a source that named a sub-folder, the sub-folder
            inside = posixpath.relpath(plan.cwd, plan.work)
            plan = replace(plan, cwd=posixpath.normpath(posixpath.join(folder, inside)))
        return in_venv(plan, built.path) if built.path else plan

    def _resolved(self, grant: ItemGrant, spec: LaunchSpec) -> Resolved:
        builtins = {
            "project_name": spec.project,
            "entity_name": spec.entity or grant.entity,
            "run_id": grant.run_id,
            "run_name": spec.name,
            "author": spec.author or grant.submitter,
        }
        parsed = compose(
            unwrapped(grant.queue_config, TYPE), overrides_of(replace(spec, resource=TYPE))
        )
        policy = MacroPolicy(self._config.macro_env)
        return resolve(parsed, builtins, self._config.environment, policy)

    def _facts(self, grant: ItemGrant, spec: LaunchSpec) -> JobFacts:
        return JobFacts(
            item=grant.item,
            attempt=grant.attempt,
            queue=grant.queue,
            entity=grant.entity,
            queue_entity=grant.entity,
            run_id=grant.run_id,
            spec=spec,
            agent=self._config.environment,
            server=self._config.server,
            token=grant.secrets.get(TOKEN, ""),
            wandb=_own_wandb(grant),
        )


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


def _secrets(spec: LaunchSpec, given: Mapping[str, str]) -> dict[str, str]:
    """Return the values of a launch's secrets by variable; each has to have one."""
    missing = [index for index, ref in enumerate(spec.secrets) if ref.env not in given]
    if missing:
        raise DocumentError(
            Problem(
                path=("secrets", index),
                message=f"the server has no value for `{name_of(spec.secrets[index])}` any more",
                hint="set the secret again, and retry",
            )
            for index in missing
        )
    return {ref.env: given[ref.env] for ref in spec.secrets}


def _own_wandb(grant: ItemGrant) -> WandbEndpoint | None:
    """Return the W&B server that a launch brought its own key for: the SDK's default one."""
    key = grant.secrets.get(WANDB_KEY, "")
    if not key or WANDB_KEY in references(grant.spec):
        return None
    return WandbEndpoint(base_url="", api_key=key, own_key=True)


def _words(finding: Finding) -> str:
    where: Json = dotted(finding.path)
    return f"{where}: ${{{finding.name}}} stays as it is written: {_WHY[finding.why]}"
