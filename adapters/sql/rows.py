"""From rows to the values that the ports speak of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, func, select

from launchyard.adapters.sql.database import Row
from launchyard.adapters.sql.tables import agents, configs, entities, items, queues
from launchyard.domain.attempt import AttemptState
from launchyard.domain.documents import Json
from launchyard.domain.exchange import ItemGrant, Place
from launchyard.domain.item import ItemState
from launchyard.domain.lease import Token
from launchyard.domain.reports import Record
from launchyard.domain.template_schema import read_variables
from launchyard.ports.records import ItemView

GRANT = (
    select(
        items,
        entities.c.name.label("entity"),
        queues.c.name.label("queue"),
        queues.c.resource,
        queues.c.config_n.label("queue_config_n"),
        configs.c.document,
        configs.c.variables,
    )
    .select_from(items)
    .join(queues, queues.c.n == items.c.queue_n)
    .join(entities, entities.c.n == queues.c.entity_n)
    .join(configs, configs.c.n == func.coalesce(items.c.config_n, queues.c.config_n))
)
"""All that a holder needs; a held item keeps the configuration it was claimed with."""

_SHORT = [column for column in items.c if column.name != "spec"]


def _view(*more: Any) -> Select[Any]:
    return (
        select(
            *_SHORT,
            entities.c.name.label("entity"),
            queues.c.name.label("queue"),
            queues.c.resource,
            agents.c.id.label("agent_id"),
            agents.c.name.label("agent_name"),
            *more,
        )
        .select_from(items)
        .join(queues, queues.c.n == items.c.queue_n)
        .join(entities, entities.c.n == queues.c.entity_n)
        .outerjoin(agents, agents.c.n == items.c.agent_n)
    )


LISTED = _view()
SHOWN = _view(items.c.spec, configs.c.document).join(
    configs, configs.c.n == func.coalesce(items.c.config_n, queues.c.config_n)
)


def place(row: Row) -> Place | None:
    """Return where the attempt is, once it is about to be anywhere."""
    if not row["place_name"]:
        return None
    return Place(scope=row["place_scope"], name=row["place_name"], uid=row["place_uid"])


def record(row: Row, holder: str) -> Record:
    """Return what `domain.reports` needs to judge by."""
    return Record(
        attempt=row["attempt"],
        token=Token(row["token_epoch"], row["token_counter"]),
        seq=row["reported"],
        item_state=ItemState(row["state"]),
        attempt_state=AttemptState(row["attempt_state"] or AttemptState.CLAIMED),
        place=place(row),
        holder=holder,
        cancel=bool(row["cancel"]),
    )


def grant(row: Row, changed: Mapping[str, Any]) -> ItemGrant:
    """Return a lease from a row of `GRANT` with the columns that were just *changed*."""
    now = {**{key: row[key] for key in _CHANGING}, **changed}
    return ItemGrant(
        item=row["id"],
        attempt=row["attempt"],
        token=Token(now["token_epoch"], now["token_counter"]),
        entity=row["entity"],
        queue=row["queue"],
        resource=row["resource"],
        spec=_spec(row),
        queue_config=json.loads(row["document"]),
        submitter=row["submitter"],
        run_id=row["run_id"],
        enqueued_at_ms=row["enqueued_ms"],
        state=ItemState(now["state"]),
        attempt_state=AttemptState(now["attempt_state"]),
        place=place(row),
        seq=row["reported"],
        cancel=bool(row["cancel"]),
        log_cursors=changed.get("log_cursors", {}),
        secrets=changed.get("secrets", {}),
    )


def _spec(row: Row) -> Json:
    """Return the launch's words, with what the queue's variables have become since its submit."""
    spec: Json = json.loads(row["spec"])
    if row["variables"] == "{}" or not isinstance(spec, dict):
        return spec
    given = spec.get("template_variables")
    defaults = {
        name: one.default
        for name, one in read_variables(json.loads(row["variables"]))[0].items()
        if one.default is not None
    }
    return {
        **spec,
        "template_variables": {**defaults, **(given if isinstance(given, dict) else {})},
    }


_CHANGING = ("token_epoch", "token_counter", "state", "attempt_state")


def item_view(row: Row, *, whole: bool) -> ItemView:
    """Return an item for people from a row of `SHOWN`, or of `LISTED` when not *whole*."""
    state = row["attempt_state"]
    return ItemView(
        id=row["id"],
        entity=row["entity"],
        queue=row["queue"],
        resource=row["resource"],
        name=row["name"],
        submitter=row["submitter"],
        run_id=row["run_id"],
        state=ItemState(row["state"]),
        attempt=row["attempt"],
        attempt_state=AttemptState(state) if state else None,
        enqueued_ms=row["enqueued_ms"],
        agent=row["agent_id"] or "",
        agent_name=row["agent_name"] or "",
        place_scope=row["place_scope"],
        place_name=row["place_name"],
        place_uid=row["place_uid"],
        reason=row["reason"],
        detail=row["detail"],
        exit_code=row["exit_code"],
        cancel=bool(row["cancel"]),
        logs_complete=bool(row["logs_complete"]),
        times_ms=json.loads(row["times"]),
        priority=row["priority"],
        retries=row["attempt"] - row["fresh_from"],
        not_before_ms=row["not_before_ms"],
        dead=row["dead"],
        retry=json.loads(row["retry"]),
        spec=json.loads(row["spec"]) if whole else None,
        queue_config=json.loads(row["document"]) if whole else None,
    )


def times(row: Row, *seen: tuple[str, int]) -> str:
    """Return the row's times with each state of *seen* that it was not in before."""
    known: dict[str, int] = json.loads(row["times"])
    for state, at_ms in seen:
        known.setdefault(state, at_ms)
    return json.dumps(known)
