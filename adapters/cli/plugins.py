"""`plugins`: what this installation can use."""

from __future__ import annotations

import click

from launchyard.adapters.cli.output import json_option, print_json, print_table
from launchyard.adapters.cli.session import Session


@click.command()
@json_option
@click.pass_obj
def plugins(session: Session, *, as_json: bool) -> None:
    """List the plugins of this installation, with what they bring and what is wrong with them."""
    found = session.programs.plugins()
    if as_json:
        print_json(found)
        return
    rows = [
        (plugin.name, plugin.state, plugin.origin, plugin.version, ", ".join(plugin.brings))
        for plugin in found
    ]
    print_table(("NAME", "STATE", "FROM", "VERSION", "BRINGS"), rows, "no plugins")
    for plugin in found:
        for fault in plugin.faults:
            click.echo(f"{plugin.name}: {fault}", err=True)
