"""Leases for tests of the agent's table."""

from __future__ import annotations

from typing import Any

from launchyard.domain.attempt import AttemptState
from launchyard.domain.exchange import ItemGrant, Place
from launchyard.domain.item import ItemState
from launchyard.domain.lease import Token

PLACE = Place(scope="host:m", name="ly-abc-a1")
HANDLE = Place(scope="host:m", name="ly-abc-a1", uid="boot/1/2")


def grant(item: str = "i1", **more: Any) -> ItemGrant:
    """Return a lease of a fresh item."""
    known = {
        "item": item,
        "attempt": 1,
        "token": Token(0, 1),
        "entity": "team",
        "queue": "q",
        "resource": "local-process",
        "spec": {"overrides": {"entry_point": ["true"]}},
        "queue_config": {},
        "submitter": "me",
        "run_id": "r1",
        "enqueued_at_ms": 1,
        "state": ItemState.CLAIMED,
        "attempt_state": AttemptState.CLAIMED,
    }
    return ItemGrant(**{**known, **more})
