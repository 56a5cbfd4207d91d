"""Putting a preempted job back on its queue: the same run, its priority and its values kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from launchyard.adapters.wandb import operations as op
from launchyard.adapters.wandb import run_operations as runs
from launchyard.adapters.wandb.book import Held
from launchyard.adapters.wandb.line import Line, inner, is_passing
from launchyard.adapters.wandb.network import NotSentError
from launchyard.domain.wandb_ends import resumed
from launchyard.domain.wandb_items import KEY, merged
from launchyard.ports.launch_server import ServerError

_SILENCE: Final = 429
_UNSURE: Final = (
    "the job was preempted; it may be on its queue again, but the server's answer was lost: look"
    " for the run there before you launch it again"
)

_LOST_KEY: Final = (
    "the job was preempted; the submitter's API key, which is kept nowhere, was lost when the agent"
    " was started anew: launch it again"
)


def requeue(line: Line, held: Held) -> str:
    """Put *held* on its queue again; return what is to be told instead where that is not sure.

    A push is made once: two of them would be two jobs of the same run. One that surely was not
    heard was none.

    Raises:
        ServerError: the server wants silence, or was not reached.
    """
    if held.requeued:
        return _UNSURE
    if line.keyless(held):
        return _LOST_KEY
    standing = _standing(line, held)
    spec = resumed(merged(held.spec, held.config), held.run_id)
    key = line.keys.get(held.item, "")
    if key:
        spec[KEY] = key
    if held.author:
        spec["author"] = held.author
    line.book.change(held.item, requeued=True)
    try:
        reply = line.graphql.ask(runs.push(line.entity, held.queue, spec, standing))
    except ServerError as e:
        if isinstance(e, NotSentError) or e.status == _SILENCE:
            line.book.change(held.item, requeued=False)
        raise ServerError(str(e), retry=True, remedy=e.remedy) from None
    if inner(reply.data, "pushToRunQueueByName", "runQueueItemId"):
        return ""
    told = "; ".join(reply.errors.values()) or "the server gave no reason"
    return f"the job was preempted and could not be put on its queue again: {told}"


def _standing(line: Line, held: Held) -> runs.Standing:
    """Return how the item was queued, as far as the server tells; old ones lack some fields."""
    for what in ("priority templateVariableValues", "priority"):
        try:
            reply = line.ask(op.standing(line.entity, held.queue, held.item, what))
        except ServerError as e:
            if "Cannot query field" in str(e):
                continue
            raise
        if is_passing(trouble := reply.errors.get("project", "")):
            raise ServerError(trouble, retry=True)
        return _read(inner(reply.data, "project", "runQueue", "runQueueItem"))
    return runs.Standing()


def _read(item: object) -> runs.Standing:
    priority, values = inner(item, "priority"), inner(item, "templateVariableValues")
    if isinstance(values, Mapping):
        values = json.dumps(dict(values)) if values else ""
    return runs.Standing(
        priority=priority if isinstance(priority, int) else None,
        values=values if isinstance(values, str) and values != "null" else "",
    )
