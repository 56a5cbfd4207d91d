"""`entity create|list`: teams and people."""

from __future__ import annotations

import click

from launchyard.adapters.cli.output import json_option, print_json, print_table
from launchyard.adapters.cli.session import Session, connected
from launchyard.domain.rights import EntityKind


@click.group()
def entity() -> None:
    """Make and list teams and people."""


@entity.command()
@connected(entity=False)
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in EntityKind]),
    default=EntityKind.TEAM.value,
    help="A team's queues take items from its members, a person's from its owner alone; team.",
)
def create(session: Session, *, name: str, kind: str) -> None:
    """Make the team or person NAME; for server administrators."""
    session.operator.add_entity(name, EntityKind(kind))
    click.echo(f"{kind} {name}; `launchyard queue create NAME -e {name}` gives it a queue")


@entity.command("list")
@connected(entity=False)
@json_option
def list_(session: Session, *, as_json: bool) -> None:
    """List the teams and people that you may see."""
    found = session.operator.entities()
    if as_json:
        print_json(found)
        return
    rows = [(one.name, one.kind.value) for one in found]
    print_table(("NAME", "KIND"), rows, "no entity; `launchyard entity create NAME` makes one")
