"""From what the store knows of an item's standing to what the domain judges."""

from __future__ import annotations

from collections.abc import Mapping

from launchyard.domain.documents import Json
from launchyard.domain.exchange import AgentStanding, Refusal
from launchyard.domain.why import AgentFacts, Situation
from launchyard.ports.records import Standing


def situation(standing: Standing) -> Situation:
    """Return what matters of *standing*; only agents that take from the queue count."""
    item, queue = standing.item, standing.queue
    agents = tuple(
        AgentFacts(
            name=agent.name,
            online=agent.online,
            draining=agent.draining,
            paused=agent.paused,
            active=agent.active,
            max_jobs=agent.max_jobs,
            refusal=shut(agent.standing).get(queue.resource),
            suspended=agent.standing.suspended,
            waiting_builds=agent.standing.waiting_builds,
            waiting_launches=agent.standing.waiting_launches,
        )
        for agent in standing.agents
        if queue.name in agent.queues and agent.entity == queue.entity
    )
    return Situation(
        state=item.state,
        attempt_state=item.attempt_state,
        code=_brings_code(item.spec),
        detail=item.detail,
        queue=queue.name,
        position=standing.position,
        cancel=item.cancel,
        holder=item.agent_name if standing.held else "",
        paused=queue.paused,
        limit=queue.limit,
        active=standing.active,
        not_before_ms=item.not_before_ms,
        retries=item.retries,
        agents=agents,
    )


def shut(standing: AgentStanding) -> Mapping[str, Refusal]:
    """Return the targets for which an agent takes nothing at all now."""
    return {name: refusal for name, refusal in standing.refusing.items() if refusal.most == 0}


def _brings_code(spec: Json) -> bool:
    return isinstance(spec, dict) and any(key in spec for key in ("source", "job"))
