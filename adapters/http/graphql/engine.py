"""Runs queries against the schema: parsed once, bounded, and with errors in GraphQL's shape."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    NoUnusedFragmentsRule,
    NoUnusedVariablesRule,
    build_schema,
    execute,
    parse,
    specified_rules,
    validate,
)

from launchyard.adapters.http.graphql.ask import Ask, Fields, Resolver, Topic
from launchyard.adapters.http.graphql.bounds import MOST_TEXT_B, MOST_TOKENS, check
from launchyard.adapters.http.graphql.own import OPEN, refused
from launchyard.adapters.http.problems import RefusalError, translate
from launchyard.domain.documents import Json

_LOG: Final = logging.getLogger("launchyard.http")
_SCHEMA: Final = Path(__file__).with_name("schema.graphql")
_REMEMBERED: Final = 300
_LENIENT: Final = frozenset({NoUnusedFragmentsRule, NoUnusedVariablesRule})
"""Rules that old clients break, and that harm nobody."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a client sent."""

    text: str
    variables: dict[str, Any]
    operation: str | None = None


class Engine:
    """The schema with its resolvers; what it remembers of queries is bounded."""

    def __init__(self, topics: Iterable[Topic]) -> None:
        self._schema = build_schema(_SCHEMA.read_text())
        for topic in topics:
            _bind(self._schema, topic.fields())
        self._rules = [rule for rule in specified_rules if rule not in _LENIENT]
        self._known: dict[str, DocumentNode] = {}

    async def answer(self, query: Query, ask: Ask) -> dict[str, Json]:
        """Return the answer to *query*; it never raises for what the query says."""
        try:
            document = self._document(query.text)
        except GraphQLError as error:
            return {"errors": [{"message": error.message}]}
        except RefusalError as error:
            return {"errors": [_told(error)]}
        done = execute(
            self._schema,
            document,
            context_value=ask,
            variable_values=query.variables,
            operation_name=query.operation,
        )
        result = await done if inspect.isawaitable(done) else done
        if not isinstance(result, ExecutionResult):
            raise TypeError("queries are answered at once here")
        return _shown(result)

    def _document(self, text: str) -> DocumentNode:
        """Return a query parsed and found good; clients send the same few again and again."""
        known = self._known.get(text)
        if known is not None:
            return known
        if len(text) > MOST_TEXT_B:
            raise RefusalError(422, "invalid", f"a query may be {MOST_TEXT_B} characters long")
        try:
            document = parse(text, max_tokens=MOST_TOKENS)
        except RecursionError:
            raise RefusalError(422, "invalid", "the query is nested too deeply") from None
        check(document)
        errors = validate(self._schema, document, self._rules)
        if errors:
            raise errors[0]
        if len(self._known) >= _REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[text] = document
        return document


def _bind(schema: GraphQLSchema, fields: Fields) -> None:
    """Hang resolvers on their fields; one for a field that the schema lacks is a mistake."""
    for type_name, resolvers in fields.items():
        kind = schema.type_map[type_name]
        if not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            raise TypeError(f"{type_name} has no fields")
        for name, resolver in resolvers.items():
            kind.fields[name].resolve = _called(resolver, f"{type_name}.{name}")


def _called(resolver: Resolver, field: str) -> Any:
    is_open = field in OPEN

    def resolve(parent: Any, info: Any, **arguments: Any) -> Any:
        if not is_open and info.context.own is not None:
            raise refused(info.context.own, field)
        return resolver(parent, info.context, arguments.get("input", arguments))

    return resolve


def _shown(result: ExecutionResult) -> dict[str, Json]:
    answer: dict[str, Json] = {"data": result.data}
    if result.errors:
        answer["errors"] = [_error(error) for error in result.errors]
    return answer


def _error(error: GraphQLError) -> Json:
    """Say what is wrong without a word of our insides, which go to the log."""
    cause = error.original_error
    path: Json = [str(step) for step in error.path or ()]
    if cause is None or isinstance(cause, GraphQLError):
        return {"message": error.message, "path": path}
    refusal = translate(cause)
    if refusal is not None:
        return {**_told(refusal), "path": path}
    _LOG.error("a resolver failed at %s", error.path, exc_info=cause)
    return {"message": "the server failed; its log has more", "path": path}


def _told(error: RefusalError) -> dict[str, Json]:
    message = f"{error.detail}; {error.remedy}" if error.remedy else error.detail
    return {"message": message, "extensions": {"code": error.word, "status": error.status}}
