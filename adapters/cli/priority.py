"""`priority`: moving what waits."""

from __future__ import annotations

from collections.abc import Sequence

import click

from launchyard.adapters.cli.output import json_option, print_json
from launchyard.adapters.cli.session import Session, connected, short
from launchyard.domain.priority import WORDS, Priority


@click.command()
@connected(entity=False)
@click.argument("items", nargs=-1, required=True)
@click.argument("priority", type=click.Choice(WORDS))
@json_option
def priority(session: Session, *, items: Sequence[str], priority: str, as_json: bool) -> None:
    """Move waiting ITEMS to another PRIORITY, on a queue whose mode is priority."""
    moved = [session.operator.set_priority(session.item(item), priority) for item in items]
    if as_json:
        print_json(moved)
        return
    for item in moved:
        found = session.operator.why(item.id)
        place = f", number {found.position} in line" if found.position else ""
        click.echo(f"{short(item.id)} {Priority(item.priority).word}{place}")
