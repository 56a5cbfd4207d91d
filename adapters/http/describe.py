"""The OpenAPI description, made from the table of routes and the values' own annotations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from launchyard.adapters.http.endpoint import Body, Endpoint, Needs
from launchyard.domain.lease import Token

_PROBLEM: Final = {
    "description": "A refusal, as RFC 9457 says",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_TEXT: Final = {"type": "string"}
_PLAIN: Final[Mapping[Any, Mapping[str, Any]]] = {
    str: _TEXT,
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Token: {"type": "string", "pattern": r"^\d+\.\d+$", "examples": ["0.3"]},
}


class _AnyJson:
    """Stands for `Json` while annotations are read."""


def openapi(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """Return the whole description."""
    schemas: dict[str, Any] = {"Problem": _problem_schema()}
    paths: dict[str, Any] = {}
    for one in endpoints:
        path = re.sub(r"\{(\w+):path\}", r"{\1}", one.path)
        paths.setdefault(path, {})[one.method.lower()] = _operation(one, path, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Launchyard", "version": version},
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "user `api`"},
            },
        },
        "security": [{"bearer": []}, {"basic": []}],
    }


def _operation(one: Endpoint, path: str, schemas: dict[str, Any]) -> dict[str, Any]:
    named = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT}
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    asked = [
        {"name": name, "in": "query", "description": words, "schema": _TEXT}
        for name, words in one.query.items()
    ]
    operation: dict[str, Any] = {
        "summary": one.does,
        "description": f"Needs {one.needs}.",
        "parameters": named + asked,
        "responses": {
            str(one.status): {"description": "Done", **_content(one.gives, schemas)},
            "default": _PROBLEM,
        },
    }
    if one.takes is not Body.NONE:
        operation["requestBody"] = {"required": True, **_content(one.takes, schemas)}
    if one.needs is Needs.NOTHING:
        operation["security"] = []
    return operation


def _content(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    if kind is Body.NONE:
        return {}
    if isinstance(kind, Body):
        return {"content": {kind.value: {"schema": _TEXT}}}
    return {"content": {"application/json": {"schema": _schema(kind, schemas)}}}


def _schema(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return {"type": "string", "enum": [member.value for member in kind]}
    if isinstance(kind, type) and is_dataclass(kind):
        if kind.__name__ not in schemas:
            schemas[kind.__name__] = {}
            schemas[kind.__name__] = _object(kind, schemas)
        return {"$ref": f"#/components/schemas/{kind.__name__}"}
    return _compound(kind, schemas)


def _compound(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return {"anyOf": [_schema(part, schemas) for part in parts if part is not NoneType]} | {
            "description": "may be null"
        }
    if origin in {tuple, Sequence}:
        return {"type": "array", "items": _schema(parts[0], schemas)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _schema(parts[1], schemas)}
    return {}


def _object(kind: type, schemas: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind, localns={"Json": _AnyJson})
    known = fields(kind)
    required = [f.name for f in known if f.default is MISSING and f.default_factory is MISSING]
    return {
        "type": "object",
        "description": (kind.__doc__ or "").split("\n")[0],
        "properties": {field.name: _schema(hints[field.name], schemas) for field in known},
        **({"required": required} if required else {}),
    }


def _problem_schema() -> dict[str, Any]:
    texts = ("type", "title", "detail", "remedy")
    slip = {"type": "object", "properties": dict.fromkeys(("path", "message", "hint"), _TEXT)}
    return {
        "type": "object",
        "properties": dict.fromkeys(texts, _TEXT)
        | {
            "status": {"type": "integer"},
            "known": {"type": "array", "items": _TEXT},
            "cursor": {"type": "integer"},
            "problems": {"type": "array", "items": slip},
        },
    }
