"""Hello: whose key it is, which queues there are, and what this agent holds from before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from launchyard.adapters.wandb import operations as op
from launchyard.adapters.wandb.acks import acknowledge
from launchyard.adapters.wandb.book import Held
from launchyard.adapters.wandb.graphql import Operation
from launchyard.adapters.wandb.line import Line, checked, inner
from launchyard.domain.exchange import AgentGrant, AgentHello
from launchyard.domain.wandb_ends import Stage
from launchyard.domain.wandb_items import QUEUES_PROJECT
from launchyard.ports.launch_server import ServerError

TTL_S: Final = 30 * 86400.0
"""How long leases hold here: what was acked is ours for ever, so outages of any length pass."""

_LOST_KEY: Final = (
    "the agent was started anew before the job was, and the submitter's API key is kept nowhere;"
    " launch it again"
)


def register(line: Line, hello: AgentHello) -> AgentGrant:
    """Make this start of the agent known, and take up again what it holds.

    Raises:
        ServerError: the server was not reached; or the key, the entity or a queue is not right.
    """
    line.entity = _entity(line, hello.entity)
    _make_known(line, hello)
    epoch = int(line.book.meta("epoch") or "0") + 1
    line.book.set_meta(epoch=str(epoch))
    _settle_unlaunched(line)
    return AgentGrant(
        agent=line.agent,
        epoch=epoch,
        ttl_s=TTL_S,
        installation=_installation(line, hello.name),
        leases=tuple(line.grant_of(held) for held in line.live()),
    )


def register_again(line: Line, hello: AgentHello) -> None:
    """Register anew in the middle of things: somebody has removed the agent's record.

    Raises:
        ServerError: as `register`.
    """
    _make_known(line, hello)


def _make_known(line: Line, hello: AgentHello) -> None:
    made = op.Registration(
        entity=line.entity,
        queues=_queue_ids(line, hello.queues),
        hostname=hello.hostname,
        config={
            "entity": line.entity,
            "queues": list(hello.queues),
            "max_jobs": hello.max_jobs,
            "max_schedulers": line.settings.max_schedulers,
            "name": hello.name,
        },
        version=f"launchyard@{hello.version}",
    )
    agent = inner(_data(line, op.register(made)), "createLaunchAgent", "launchAgentId")
    if not isinstance(agent, str) or not agent:
        raise ServerError("the server registers the agent without an id", retry=True)
    line.agent = agent  # what is known there is taken leave of, whatever comes next
    name = inner(_data(line, op.agent(agent)), "launchAgent", "name")
    line.name = name if isinstance(name, str) and name else hello.name


def _data(line: Line, operation: Operation) -> Mapping[str, Any]:
    reply = line.graphql.ask(operation)
    if reply.errors:
        raise ServerError("; ".join(reply.errors.values()), retry=True)
    return reply.data


def _entity(line: Line, wanted: str) -> str:
    """See that the key is somebody's; return the entity whose queues are served."""
    viewer = _data(line, op.viewer()).get("viewer")
    if not isinstance(viewer, dict):
        raise ServerError(
            f"the server at {line.graphql.url} does not know the API key",
            retry=False,
            status=401,
            remedy="check WANDB_API_KEY, WANDB_API_KEY_FILE or the netrc file of this user",
        )
    entity = wanted or viewer.get("entity")
    if not isinstance(entity, str) or not entity:
        raise ServerError(
            "the key's owner has no default entity",
            retry=False,
            status=404,
            remedy="name one with -e or `entity`",
        )
    return entity


def _queue_ids(line: Line, wanted: Sequence[str]) -> list[str]:
    project = _data(line, op.queues(line.entity)).get("project")
    if not isinstance(project, dict):
        raise ServerError(
            f"the queues of {line.entity} cannot be seen",
            retry=False,
            status=404,
            remedy=f"check `entity`, and that the key may read {line.entity}/{QUEUES_PROJECT}",
        )
    found = project.get("runQueues")
    ids = {str(q["name"]): str(q["id"]) for q in found or [] if isinstance(q, dict)}
    missing = [name for name in wanted if name not in ids]
    if missing:
        known = ", ".join(sorted(ids)) or "none"
        raise ServerError(
            f"{line.entity} has no queue {', '.join(missing)}; it has {known}",
            retry=False,
            status=404,
            remedy="name one of them with -q, or make the queue on the W&B page",
        )
    return [ids[name] for name in wanted]


def _installation(line: Line, name: str) -> str:
    """Return what stands for the server in names on targets: this agent's own view of it."""
    text = f"{line.graphql.url} {line.entity} {name}"
    return f"wandb-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _settle_unlaunched(line: Line) -> None:
    """Ack again what was popped and maybe not acked; give up what lost its submitter's key.

    What waits on the shelf is looked at, too: it would be launched with our key.
    """
    early = [held for held in line.book.all() if held.place is None]
    keyless = {held.item for held in early if line.keyless(held)}
    line.book.drop(*(h.item for h in early if h.item in keyless and not (h.acked or h.tried)))
    unsure = [h for h in early if not h.acked and (h.tried or h.item not in keyless)]
    ours = acknowledge(line, unsure)
    _fail(line, [h for h in early if h.item in keyless and (h.acked or ours.get(h.item))])


def _fail(line: Line, items: Sequence[Held]) -> None:
    if items:
        told = [op.Note(item=h.item, message=_LOST_KEY, stage=Stage.AGENT.value) for h in items]
        checked(line.ask(op.notes(told)), len(told))
        line.book.drop(*(held.item for held in items))
