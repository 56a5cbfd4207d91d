"""`gc`: take away what was kept long enough."""

from __future__ import annotations

from collections.abc import Sequence

import click

from launchyard.adapters.cli.output import json_option, print_json, print_table, size
from launchyard.adapters.cli.session import Session, connected
from launchyard.ports.housekeeping import Gone


@click.command()
@connected()
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--local", is_flag=True, help="Only this machine's agent; asks no server.")
@click.option("--state-dir", default="", metavar="DIR", help="The agent's state folder.")
@json_option
def gc(session: Session, *, dry_run: bool, local: bool, state_dir: str, as_json: bool) -> None:
    """Take away what was kept long enough, on the server and in an agent's state folder.

    Server and agent do the same by themselves, every hour. Nothing that waits, runs, or is used
    goes. The server's part needs the key of its administrator.
    """
    gone: list[Gone] = []
    if not local:
        gone += session.operator.sweep(dry_run=dry_run).gone
    gone += session.programs.tidy(state_dir, dry_run=dry_run)
    if as_json:
        print_json({"dry_run": dry_run, "gone": gone})
        return
    _show(gone, "WOULD GO" if dry_run else "WENT")


def _show(gone: Sequence[Gone], head: str) -> None:
    rows = [(one.kind.value, one.count, size(one.size_b)) for one in gone]
    print_table(("KIND", head, "SIZE"), rows, "nothing is kept for a time")
