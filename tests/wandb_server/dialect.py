"""The GraphQL half: strict about documents and variables, and it says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from tests.wandb_server.faults import Fault

if TYPE_CHECKING:
    from tests.wandb_server.server import Request

_SURPLUS = frozenset({"deleteArtifacts", "distributedID", "historyStep", "usedAs"})
"""Variables that stock clients send without declaring them."""


class Dialect:
    """Parses, checks and executes documents; each refusal is put into *complaints*."""

    def __init__(self, root: dict[str, Any], complaints: list[str]) -> None:
        self._schema = _schema()
        self._root = root
        self._complaints = complaints

    def read(self, body: bytes, request: Request) -> DocumentNode | str:
        """Parse a body and note in *request* what it asks for; text is a refusal."""
        try:
            sent = json.loads(body)
            request.query = sent["query"]
            request.variables = sent.get("variables") or {}
            document = _parsed(request.query)
        except (ValueError, KeyError, GraphQLError) as e:
            return f"not a GraphQL request: {e}"
        operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
        if len(operations) != 1:
            return "a request has to hold one operation"
        name = operations[0].name
        request.operation = name.value if name else ""
        if sent.get("operationName") not in (None, "", request.operation):
            return f"operationName {sent['operationName']!r} is not in the document"
        _note(document, operations[0].selection_set, request)
        return document

    def execute(self, document: DocumentNode | str, request: Request) -> dict[str, Any]:
        """Answer a request; the state must not change meanwhile."""
        faults = self._faults(document, request)
        if faults or isinstance(document, str):
            title = request.operation or request.query[:60]
            self._complaints.extend(f"{title}: {fault}" for fault in faults)
            return {"data": None, "errors": [{"message": fault} for fault in faults]}
        root = self._root if request.fault is None else _spoilt(self._root, request.fault)
        result = execute_sync(
            self._schema, document, root_value=root, variable_values=request.variables
        )
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [{"message": e.message, "path": e.path} for e in result.errors]
            self._complaints.extend(
                f"{request.operation}: {e.message}" for e in result.errors if e.path is None
            )
        return answer

    def _faults(self, document: DocumentNode | str, request: Request) -> list[str]:
        if isinstance(document, str):
            return [document]
        faults = list(_invalid(request.query))
        declared: set[str] = set()
        for one in document.definitions:
            if isinstance(one, OperationDefinitionNode):
                declared |= {v.variable.name.value for v in one.variable_definitions or ()}
        faults.extend(
            f"variable ${name} is not declared"
            for name in sorted(set(request.variables) - declared - _SURPLUS)
        )
        return faults


def _spoilt(root: dict[str, Any], fault: Fault) -> dict[str, Any]:
    """Give the root fields so that the one of the fault's alias works and tells an error."""

    def spoil(resolve: Callable[..., Any]) -> Callable[..., Any]:
        def answer(info: GraphQLResolveInfo[Any], **given: Any) -> Any:
            done = resolve(info, **given)
            if info.path.key == fault.alias:
                raise GraphQLError(fault.message or "planted")
            return done

        return answer

    return root if fault.alias is None else {name: spoil(one) for name, one in root.items()}


@cache
def _schema() -> GraphQLSchema:
    """Give the schema, which is expensive to make and holds no state."""
    schema = build_schema(Path(__file__).with_name("schema.graphql").read_text(encoding="utf-8"))
    scalar = schema.get_type("JSONString")
    assert isinstance(scalar, GraphQLScalarType)
    scalar.parse_value = _json_string  # type: ignore[method-assign]
    return schema


@lru_cache(maxsize=1024)
def _parsed(query: str) -> DocumentNode:
    """Parse a document; servers keep those that come again, and so does this one."""
    return parse(query, no_location=True)


@lru_cache(maxsize=1024)
def _invalid(query: str) -> tuple[str, ...]:
    """Say what is wrong with a document by the schema."""
    return tuple(e.message for e in validate(_schema(), _parsed(query)))


def _note(document: DocumentNode, selection: SelectionSetNode, request: Request) -> None:
    fragments = {
        d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
    }
    for node in selection.selections:
        if isinstance(node, FieldNode):
            name = node.name.value
            request.fields.append(name)
            request.aliases[node.alias.value if node.alias else name] = name
        elif isinstance(node, InlineFragmentNode):
            _note(document, node.selection_set, request)
        elif isinstance(node, FragmentSpreadNode) and node.name.value in fragments:
            _note(document, fragments[node.name.value].selection_set, request)


def _json_string(value: Any) -> str:
    if not isinstance(value, str):
        raise GraphQLError(f"a JSONString has to be a string, not {type(value).__name__}")
    json.loads(value)
    return value
