"""The description of the file for editors: JSON Schema, draft 2020-12."""

from __future__ import annotations

from launchyard.domain.config.keys import agent_schema
from launchyard.domain.config.schema import Block, Field, Kind, KnownTypes
from launchyard.domain.documents import Json, copy_json

_DURATION = r"^[0-9]+(\.[0-9]+)?\s*(s|m|min|h|d)?$"
_SIZE = r"^[0-9]+(\.[0-9]+)?\s*([kKmMgGtT]i?)?[bB]?$"


def json_schema(known: KnownTypes) -> dict[str, Json]:
    """Return the JSON Schema of the agent's configuration with what plugins add to it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Launchyard agent configuration",
        **_block(agent_schema(known)),
    }


def _block(block: Block) -> dict[str, Json]:
    properties: dict[str, Json] = {}
    for entry in block.fields:
        properties[entry.key] = _field(entry)
        for alias in entry.aliases:
            properties[alias] = {**_field(entry), "deprecated": True}
    for inner in block.blocks:
        properties[inner.key] = _block(inner)
    return {
        "type": ["object", "null"],
        "description": block.doc,
        "properties": properties,
        "additionalProperties": False,
    }


def _field(entry: Field) -> dict[str, Json]:
    schema: dict[str, Json] = {"description": entry.doc, **_kind(entry)}
    if entry.default is not None:
        schema["default"] = copy_json(entry.default)
    return schema


def _kind(entry: Field) -> dict[str, Json]:
    types: dict[Kind, list[Json]] = {
        Kind.TEXT: ["string", "null"],
        Kind.TEXTS: ["array", "string", "null"],
        Kind.BOOLEAN: ["boolean", "null"],
        Kind.INTEGER: ["integer", "null"],
        Kind.SECONDS: ["number", "string", "null"],
        Kind.BYTES: ["integer", "string", "null"],
        Kind.DOCUMENT: ["object", "null"],
    }
    schema: dict[str, Json] = {"type": types[entry.kind], **_range(entry)}
    if entry.kind is Kind.TEXT:
        schema |= _words(entry)
    if entry.kind is Kind.TEXTS:
        schema["items"] = {"type": "string", **_words(entry)}
    if entry.kind in {Kind.SECONDS, Kind.BYTES}:
        schema["pattern"] = _DURATION if entry.kind is Kind.SECONDS else _SIZE
    return schema


def _words(entry: Field) -> dict[str, Json]:
    if entry.choices:
        # A key may be null, and an enum must say so besides the type.
        return {"enum": [*entry.choices, None]}
    return {"pattern": f"^(?:{entry.pattern})$"} if entry.pattern else {"minLength": 1}


def _range(entry: Field) -> dict[str, Json]:
    limits: dict[str, Json] = {"minimum": entry.minimum, "maximum": entry.maximum}
    return {name: limit for name, limit in limits.items() if limit is not None}
