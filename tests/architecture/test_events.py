"""Every line of an agent's log is of a sort that is declared and documented."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from launchyard.ports import events
from launchyard.ports.event import Event
from tests.architecture.write_docs import DOCS

ROOT = DOCS.parent
BOOTSTRAP = (
    "agent.py",
    "targets.py",
    "hosts.py",
    "policy.py",
    "reload.py",
    "logs.py",
    "tidying.py",
)
DECLARED = {name: v for name, v in vars(events).items() if isinstance(v, Event)}
WRITERS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
SERVERS = {"http", "sql", "cli"}


def agent_files() -> Iterator[Path]:
    """Give the files whose code runs in an agent's processes."""
    yield from (ROOT / "actors").glob("*.py")
    yield from (ROOT / "plugins").glob("*.py")
    yield from ((ROOT / "launchyard" / "bootstrap" / name) for name in BOOTSTRAP)
    for folder in (ROOT / "adapters").iterdir():
        if folder.is_dir() and folder.name not in SERVERS:
            yield from folder.rglob("*.py")


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Give every call of a method in them, with its place."""
    for path in agent_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_nothing_is_logged_but_by_a_declared_event() -> None:
    """A logger is never called directly: its lines would have no name."""
    bare = [
        place
        for place, call in calls()
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in WRITERS
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in {"_log", "_LOG", "logging", "logger"}
    ]
    assert not bare


def test_each_event_is_told_with_the_fields_of_its_text() -> None:
    """A field that is forgotten would be an error at the worst moment."""
    used: set[str] = set()
    for place, call in calls():
        func = call.func
        assert isinstance(func, ast.Attribute)
        inner = func.value
        if not (isinstance(inner, ast.Attribute) and inner.attr in DECLARED):
            continue
        used.add(inner.attr)
        given = {word.arg for word in call.keywords}
        assert given >= fields(DECLARED[inner.attr]), place
    jobs = {"JOB_MOVED", "JOB_ENDED"}  # told by one call that chooses between them
    assert used | jobs == DECLARED.keys()


@pytest.mark.parametrize("event", events.EVENTS, ids=lambda event: event.name)
def test_names_are_for_programs(event: Event) -> None:
    """One name each, the constant's in small letters; `event` is no field's name."""
    assert DECLARED[event.name.upper()] is event
    assert "event" not in fields(event)


def fields(event: Event) -> set[str]:
    """Return the fields that an event's text names."""
    return {name for _, name, _, _ in string.Formatter().parse(event.text) if name}
