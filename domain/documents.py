"""The plain documents that people write and targets read, and places inside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A document whose schema is someone else's; it is copied, never shared, at the border."""

Path: TypeAlias = tuple[str | int, ...]
"""Where a value stands in a document: keys and list positions from the root."""


def dotted(path: Sequence[str | int]) -> str:
    """Return *path* the way people write it: `builder.kaniko-config.containers[0].args`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def copy_json(value: Json) -> Json:
    """Return *value* with every container copied, so that no caller shares a part of it."""
    if isinstance(value, dict):
        return {key: copy_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy_json(item) for item in value]
    return value
