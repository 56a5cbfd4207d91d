"""How much one query may ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from launchyard.adapters.http.problems import RefusalError

MOST_TEXT_B: Final = 64 * 1024
MOST_TOKENS: Final = 4000
MOST_FIELDS: Final = 2000
MOST_CALLS: Final = 100
DEEPEST: Final = 30


def check(document: DocumentNode) -> None:
    """Refuse a query whose answer would be out of proportion, before anything is looked at.

    Fragments count each time they are used, so a few lines cannot ask for millions of fields.

    Raises:
        RefusalError: it asks for too many fields, or too deep.
    """
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    counter = _Counter(fragments)
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            counter.count(node.selection_set, 1)
            if counter.calls(node.selection_set) > MOST_CALLS:
                raise _refused(f"asks for more than {MOST_CALLS} things at once")


class _Counter:
    """Walks selections with their fragments put in."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._left = MOST_FIELDS

    def count(self, selections: SelectionSetNode, depth: int) -> None:
        if depth > DEEPEST:
            raise _refused(f"is nested deeper than {DEEPEST} levels")
        for node in selections.selections:
            self._left -= 1
            if self._left < 0:
                raise _refused(f"asks for more than {MOST_FIELDS} fields")
            inner = self._inner(node)
            if inner is not None:
                self.count(inner, depth + 1)

    def calls(self, selections: SelectionSetNode) -> int:
        """Return how many fields there are at the root, once it is known that they have an end."""
        found = 0
        for node in selections.selections:
            inner = None if isinstance(node, FieldNode) else self._inner(node)
            found += 1 if inner is None else self.calls(inner)
        return found

    def _inner(self, node: object) -> SelectionSetNode | None:
        match node:
            case FieldNode() | InlineFragmentNode():
                return node.selection_set
            case FragmentSpreadNode():
                fragment = self._fragments.get(node.name.value)
                return fragment.selection_set if fragment else None
            case _:
                return None


def _refused(why: str) -> RefusalError:
    return RefusalError(422, "invalid", f"the query {why}", remedy="ask for less at once")
