"""What a configuration may name and this installation has not: W&B's files have to stay valid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from launchyard.domain.config.problem import Problem
from launchyard.domain.config.rules import Rule, View

_HINT: Final = "it stays valid for releases and installations that have it"


def what_is_named_is_there(view: View) -> Iterator[Problem]:
    """Tell of a type that nothing here acts on, so that nobody waits for what it should do."""
    for name in sorted(view.known.absent):
        block, _, kind = name.partition(".")
        if kind == "local":
            continue  # it asks for nothing
        if block == "targets":
            if any(p[:2] == ("targets", kind) and view.given(*p) for p in view.settings):
                message = f"this installation has no target `{kind}`; the block is not read"
                yield view.warning(("targets", kind), message, _HINT)
        elif view.text(block, "type") == kind and view.given(block, "type"):
            message = f"this installation has no {block} `{kind}`; its block is only checked"
            yield view.warning((block, "type"), message, _HINT)


LATER_RULES: Final[tuple[Rule, ...]] = (what_is_named_is_there,)
