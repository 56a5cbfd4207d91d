"""Give a configuration back: as a document, and with the origin of each value."""

from __future__ import annotations

from collections.abc import Iterable

from launchyard.domain.config.layers import Setting
from launchyard.domain.config.problem import HIDDEN
from launchyard.domain.documents import Json, copy_json, dotted


def as_document(settings: Iterable[Setting]) -> dict[str, Json]:
    """Return the values in force as a file could hold them; unset keys left out, secrets hidden."""
    document: dict[str, Json] = {}
    for setting in settings:
        if setting.value is None:
            continue
        around = document
        for step in setting.path[:-1]:
            inner = around.setdefault(str(step), {})
            around = inner if isinstance(inner, dict) else {}
        value = HIDDEN if setting.field.secret else copy_json(setting.value)
        around[str(setting.path[-1])] = value
    return document


def with_origins(settings: Iterable[Setting]) -> tuple[tuple[str, str, str], ...]:
    """Return one row for each key: its dotted name, its value in force, its origin."""
    return tuple((dotted(s.path), s.shown, str(s.origin)) for s in settings)
