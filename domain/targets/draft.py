"""What every target's plan begins with: the launch laid over its queue, macros resolved.

Each target then plans in its own words; what is the same for all of them is decided here once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from launchyard.domain.attempt_token import VARIABLE as TOKEN
from launchyard.domain.config.problem import DocumentError, Problem
from launchyard.domain.documents import Json, dotted
from launchyard.domain.environment import JobFacts, WandbEndpoint, secret_environment
from launchyard.domain.exchange import ItemGrant
from launchyard.domain.macro_policy import MacroPolicy, Why
from launchyard.domain.macros import Finding, Resolved, compose, resolve
from launchyard.domain.secrets import name_of, references
from launchyard.domain.spec import LaunchSpec
from launchyard.domain.spec.parse import parse_spec
from launchyard.domain.submission import WANDB_KEY, WANDB_URL, overrides_of, unwrapped

_WHY = {
    Why.UNKNOWN: "this agent knows no such name",
    Why.CREDENTIAL: "it looks like a credential of the agent",
    Why.NOT_LISTED: "the agent's `macro_env` keeps it back",
    Why.OVERRIDE: "a launch may not name the agent's variables",
}


_PLACE: Final = frozenset({WANDB_KEY, WANDB_URL, "WANDB_MODE"})
"""Variables of a launch or a queue that say where its runs go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSide:
    """What the agent brings to every plan: its variables, and the server that jobs report to."""

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    server: str = ""
    macro_env: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A launch ready to be planned.

    `config` is the queue's with the launch's arguments and variables on it; so the spec in `facts`
    has no variables of its own. `secrets` are laid over the plan's environment at the launch.
    """

    facts: JobFacts
    config: Json
    secrets: Mapping[str, str] = field(repr=False)
    findings: tuple[str, ...] = ()


def draft(grant: ItemGrant, target: str, agent: AgentSide) -> Draft:
    """Return what the lease *grant* asks of *target*.

    Raises:
        DocumentError: its spec is none, or a secret of it has no value.
    """
    spec = parse_spec(grant.spec)
    resolved = _resolved(grant, replace(spec, resource=target), agent)
    facts = _facts(grant, replace(spec, env={}), agent)
    if facts.wandb is None and not _has_wandb(spec, resolved.document):
        facts = replace(facts, wandb=_our_wandb(facts))
    return Draft(
        facts=facts,
        config=resolved.document,
        secrets={**secret_environment(facts), **_secrets(spec, grant.secrets)},
        findings=tuple(_words(finding) for finding in resolved.findings),
    )


def arrives_merged(grant: ItemGrant) -> bool:
    """Tell whether an item is of a W&B server: then nobody knows what is its queue's own word.

    Told by what the agent's adapter and our server put in, never by the spec, which is a
    submitter's: leases of ours have a token, and what nobody has claimed has no address.
    """
    return bool(grant.secrets.get(WANDB_URL)) and TOKEN not in grant.secrets


def queue_side(grant: ItemGrant, target: str, agent: AgentSide) -> Json:
    """Return what the queue's owner alone says: its configuration without the launch's words.

    Of items that arrive merged it is nothing.
    """
    if arrives_merged(grant):
        return {}
    spec = replace(parse_spec(grant.spec), resource=target, resource_args={}, env={})
    return _resolved(grant, spec, agent).document


def _resolved(grant: ItemGrant, spec: LaunchSpec, agent: AgentSide) -> Resolved:
    builtins = {
        "project_name": spec.project,
        "entity_name": spec.entity or grant.entity,
        "run_id": grant.run_id,
        "run_name": spec.name,
        "image_uri": spec.image,
        "author": spec.author or grant.submitter,
    }
    config = unwrapped(grant.queue_config, spec.resource)
    parsed = compose(config, overrides_of(spec), spec.template_variables)
    return resolve(parsed, builtins, agent.environment, MacroPolicy(agent.macro_env))


def _facts(grant: ItemGrant, spec: LaunchSpec, agent: AgentSide) -> JobFacts:
    return JobFacts(
        item=grant.item,
        attempt=grant.attempt,
        queue=grant.queue,
        entity=grant.entity,
        queue_entity=grant.entity,
        run_id=grant.run_id,
        spec=spec,
        agent=agent.environment,
        server=agent.server,
        token=grant.secrets.get(TOKEN, ""),
        wandb=_own_wandb(grant),
    )


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
    """Return the W&B server of a job: the one it came from, or the SDK's default for its own key.

    An agent of a W&B server has told the author already where the key is not the author's own.
    """
    key = grant.secrets.get(WANDB_KEY, "")
    if not key or WANDB_KEY in references(grant.spec):
        return None
    url = grant.secrets.get(WANDB_URL, "")
    return WandbEndpoint(base_url=url, api_key=key, own_key=not url)


def _our_wandb(facts: JobFacts) -> WandbEndpoint | None:
    """Return Launchyard's own server as the place of a job's runs, which its token opens."""
    if not facts.server or not facts.token:
        return None
    return WandbEndpoint(api_key=facts.token, ours=True)


def _has_wandb(spec: LaunchSpec, config: Json) -> bool:
    """Tell whether launch or queue say themselves to which W&B server a job reports."""
    return any(ref.env in _PLACE for ref in spec.secrets) or _mentions(config)


def _mentions(document: Json) -> bool:
    """Tell whether one of the variables is set in a target's configuration, in whatever form."""
    if isinstance(document, dict):
        return any(k in _PLACE or _mentions(v) for k, v in document.items())
    if isinstance(document, list):
        return any(map(_mentions, document))
    return isinstance(document, str) and document.partition("=")[0] in _PLACE


def _words(finding: Finding) -> str:
    where: Json = dotted(finding.path)
    return f"{where}: ${{{finding.name}}} stays as it is written: {_WHY[finding.why]}"
