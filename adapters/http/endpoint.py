"""The table of routes: each with who may call it and what goes in and comes out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class Needs(StrEnum):
    """What a caller must show; the guard checks it where the entity is known."""

    NOTHING = "nothing"
    KEY = "a key"
    READ = "viewer"
    SUBMIT = "submitter"
    CANCEL = "submitter, to cancel"
    READ_OR_OWN = "viewer, or the attempt's own token"
    WORK = "agent"
    WORK_OR_OWN = "agent, or the attempt's own token"
    SUBMIT_OR_WORK = "submitter or agent"
    MANAGE = "admin"
    SERVER = "server admin"


class Body(StrEnum):
    """Bodies and answers that are no JSON."""

    NONE = "none"
    BYTES = "application/octet-stream"
    EVENTS = "text/event-stream"
    TEXT = "text/plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one address; `query` names its parameters, each with a few words."""

    method: str
    path: str
    handler: Handler
    does: str
    needs: Needs
    takes: Any = Body.NONE
    gives: Any = Body.NONE
    status: int = 200
    query: Mapping[str, str] = field(default_factory=dict)
