"""Agent and server one release apart, on the messages of release 0.1 as they were recorded.

The records in `tests/fixtures/wire` never change. A newer release may add fields with defaults and
words; it may not take a field away that an older peer needs, nor need one that it does not send.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from launchyard.adapters.http import shapes
from launchyard.domain import exchange
from launchyard.domain.wire import from_json, to_json

RECORDS: Final = Path(__file__).parents[1] / "fixtures" / "wire" / "0.1.json"
KINDS: Final[dict[str, Any]] = {
    **{
        name: getattr(exchange, name)
        for name in (
            *("AgentHello", "AgentGrant", "ClaimRequest", "ClaimAnswer", "Heartbeat"),
            *("HeartbeatAnswer", "Reclaim", "ReclaimAnswer"),
        )
    },
    **{
        name: getattr(shapes, name)
        for name in ("Launchings", "Reports", "Releases", "Answers", "Abort", "Goodbye", "Cursor")
    },
}
"""Everything that an agent and a server say to each other in JSON."""

MAPPINGS: Final = ("spec", "queue_config", "log_cursors", "secrets", "refusing")
"""Whose names are not ours."""

MESSAGES: Final[dict[str, Any]] = json.loads(RECORDS.read_text())


def _with_more(document: Any) -> Any:
    """Return a message as a newer release might send it: more fields in every value of it."""
    if isinstance(document, list):
        return [_with_more(one) for one in document]
    if not isinstance(document, dict):
        return document
    more = {k: one if k in MAPPINGS else _with_more(one) for k, one in document.items()}
    return more | {"of_tomorrow": {"a": [1]}}


def _missing(older: Any, newer: Any, path: str = "") -> list[str]:
    """Return what *older* says and *newer* does not say the same way."""
    if isinstance(older, dict) and isinstance(newer, dict):
        return [
            miss
            for name, one in older.items()
            for miss in (
                _missing(one, newer[name], f"{path}.{name}")
                if name in newer
                else [f"{path}.{name}"]
            )
        ]
    if isinstance(older, list) and isinstance(newer, list) and len(older) == len(newer):
        pairs = enumerate(zip(older, newer, strict=True))
        return [miss for n, (a, b) in pairs for miss in _missing(a, b, f"{path}[{n}]")]
    return [] if older == newer else [path]


def test_every_message_is_recorded() -> None:
    """Each kind with all of its fields filled, and once with no more than it needs."""
    assert set(MESSAGES) == set(KINDS)
    assert all(set(forms) == {"full", "least"} for forms in MESSAGES.values())


@pytest.mark.parametrize("kind", MESSAGES)
def test_messages_of_an_older_peer_are_understood(kind: str) -> None:
    """Everything in them is kept, and an older peer finds all that it needs in ours."""
    full, least = MESSAGES[kind]["full"], MESSAGES[kind]["least"]
    ours = to_json(from_json(KINDS[kind], full))
    assert _missing(full, ours) == []
    assert _missing(least, to_json(from_json(KINDS[kind], least))) == []


@pytest.mark.parametrize("kind", MESSAGES)
def test_messages_of_a_newer_peer_are_understood(kind: str) -> None:
    """More fields anywhere change nothing of what we know."""
    full = MESSAGES[kind]["full"]
    assert from_json(KINDS[kind], _with_more(full)) == from_json(KINDS[kind], full)
