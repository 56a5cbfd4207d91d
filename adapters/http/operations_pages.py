"""The pages of the operations endpoint."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Final

from launchyard.adapters.http.operations import Answer, Asked, Page
from launchyard.adapters.http.operations_html import status_html
from launchyard.ports.agent_status import AgentView

_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsViews:
    """What the pages are made from: the agent, and how its numbers are rendered.

    `metrics` gets the request's Accept header and returns the text with its content type.
    """

    agent: AgentView
    metrics: Callable[[str], tuple[bytes, str]]
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000


def pages(views: OperationsViews) -> dict[str, Page]:
    """Return every page by its path."""

    def live(_: Asked) -> Answer:
        return _live(views.agent.stuck())

    return {
        "/metrics": lambda asked: _metrics(views, asked),
        "/livez": live,
        "/healthz": live,
        "/readyz": lambda asked: _ready(views.agent, asked),
        "/status": lambda asked: _status(views, asked),
        "/status.json": lambda _: _status_json(views.agent),
        "/version": lambda _: _version(views.agent),
        "/": lambda _: Answer(
            body=b"launchyard agent: see /status, /metrics, /livez, /readyz, /version\n"
        ),
    }


def _metrics(views: OperationsViews, asked: Asked) -> Answer:
    body, content_type = views.metrics(asked.accept)
    return Answer(body=body, content_type=content_type)


def _live(stuck: Sequence[str]) -> Answer:
    """Answer 200 while everything moves; never on account of what is outside the agent."""
    if not stuck:
        return _text("ok")
    lines = "\n".join(f"stuck: {name}" for name in stuck)
    return _text(lines, HTTPStatus.SERVICE_UNAVAILABLE)


def _ready(agent: AgentView, asked: Asked) -> Answer:
    """Answer 200 while work is taken; with `?verbose` the checks one by one."""
    status = agent.status()
    stuck = agent.stuck()
    ready = status.ready and not stuck
    code = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    if "verbose" in asked.query.split("&"):
        checks = {
            "takes work": "" if status.ready else status.why or status.state,
            "everything lives": ", ".join(stuck),
        }
        lines = [f"[-] {name}: {why}" if why else f"[+] {name}" for name, why in checks.items()]
        return _text("\n".join(lines), code)
    return _text("ok" if ready else status.why or ", ".join(stuck) or status.state, code)


def _status(views: OperationsViews, asked: Asked) -> Answer:
    if _JSON in asked.accept:
        return _status_json(views.agent)
    html = status_html(views.agent.status(), views.now_ms())
    return Answer(body=html.encode(), content_type="text/html; charset=utf-8")


def _status_json(agent: AgentView) -> Answer:
    return _json(asdict(agent.status()))


def _version(agent: AgentView) -> Answer:
    status = agent.status()
    return _json(
        {
            "name": "launchyard",
            "component": "agent",
            "version": status.version,
            "python": platform.python_version(),
        }
    )


def _json(document: object) -> Answer:
    return Answer(body=json.dumps(document, indent=2).encode() + b"\n", content_type=_JSON)


def _text(text: str, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(body=f"{text}\n".encode(), status=status)
