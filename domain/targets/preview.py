"""What a target would be asked for by a launch that is not on its queue yet.

It is planned as at a claim, by a lease that nobody holds: what only an agent knows (its variables,
the settings of its machine) and what only an attempt has (its name, labels, secrets) is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from launchyard.domain.attempt import AttemptState
from launchyard.domain.attempt_token import VARIABLE as TOKEN
from launchyard.domain.documents import Json
from launchyard.domain.exchange import ItemGrant
from launchyard.domain.item import ItemState
from launchyard.domain.lease import Token
from launchyard.domain.secrets import references
from launchyard.domain.targets import docker, docker_config, kubernetes_config, kubernetes_shown
from launchyard.domain.targets.docker import DockerDefaults, plan_docker
from launchyard.domain.targets.draft import AgentSide, draft, queue_side
from launchyard.domain.targets.kubernetes import plan_kubernetes
from launchyard.domain.targets.kubernetes_plan import KubernetesContext
from launchyard.domain.targets.kubernetes_services import PREVIEW

ITEM: Final = "item"
"""Stands for the ids that an attempt will have."""

_AGENT: Final = AgentSide()
_Show: TypeAlias = Callable[[ItemGrant], Json]


def unclaimed(entity: str, queue: str, resource: str, spec: Json, config: Json) -> ItemGrant:
    """Return the lease of a launch that nobody has claimed; its secrets have no values."""
    return ItemGrant(
        item=ITEM,
        attempt=1,
        token=Token(0, 0),
        entity=entity,
        queue=queue,
        resource=resource,
        spec=spec,
        queue_config=config,
        submitter="",
        run_id="",
        enqueued_at_ms=0,
        state=ItemState.QUEUED,
        attempt_state=AttemptState.CLAIMED,
        secrets=dict.fromkeys(references(spec), ""),
    )


def previews() -> Mapping[str, _Show]:
    """Return what shows a request, by the type of its target.

    Each may raise `DocumentError`: the launch would fail when it is planned.
    """
    return {docker_config.TYPE: _container, kubernetes_config.TYPE: _object}


def _container(grant: ItemGrant) -> Json:
    known = draft(grant, docker_config.TYPE, _AGENT)
    return docker.shown_request(
        plan_docker(known.facts.spec, known.config, known.facts, DockerDefaults())
    )


def _object(grant: ItemGrant) -> Json:
    known = draft(grant, kubernetes_config.TYPE, _AGENT)
    context = KubernetesContext(
        facts=known.facts, name=PREVIEW, queue=queue_side(grant, kubernetes_config.TYPE, _AGENT)
    )
    plan = plan_kubernetes(known.facts.spec, known.config, context)
    return kubernetes_shown.shown_request(plan, (TOKEN, *known.secrets))
