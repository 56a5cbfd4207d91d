"""`server backup` and `server restore`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click

from launchyard.adapters.cli.output import json_option, print_json, size
from launchyard.adapters.cli.session import Session

_STATE: Final[Callable[..., Any]] = click.option(
    "--state-dir",
    default="",
    envvar="LAUNCHYARD_SERVER_STATE_DIR",
    show_envvar=True,
    metavar="DIR",
    help="The server's state folder; else below XDG_DATA_HOME.",
)

_DATABASE: Final[Callable[..., Any]] = click.option(
    "--database",
    default="",
    envvar="LAUNCHYARD_SERVER_DATABASE",
    show_envvar=True,
    metavar="URL",
    help="The server's database; else SQLite in the state folder.",
)


@click.command()
@click.argument("file")
@_STATE
@_DATABASE
@json_option
@click.pass_obj
def backup(session: Session, *, file: str, state_dir: str, database: str, as_json: bool) -> None:
    """Write all that a server keeps to FILE, also while it runs; but not the keys of secrets."""
    done = session.programs.back_up(file, state_dir, database)
    if as_json:
        print_json(done)
        return
    click.echo(f"{done.items} items and {done.blobs} files are in {file} ({size(done.size_b)})")
    click.echo("keep secrets.keys of the state folder apart from it, in a safe place:", err=True)
    click.echo("  it is not in the backup, and without it no secret can be read again", err=True)


@click.command()
@click.argument("file")
@_STATE
@_DATABASE
@json_option
@click.pass_obj
def restore(session: Session, *, file: str, state_dir: str, database: str, as_json: bool) -> None:
    """Make a server's state folder of the backup FILE; the folder must be empty or absent.

    The database is restored into it, too, and nowhere else. What agents hold from before is
    settled with them when they come back: see docs/housekeeping.md.
    """
    done = session.programs.restore(file, state_dir, database)
    if as_json:
        print_json(done)
        return
    click.echo(f"{done.items} items and {done.blobs} files are back; token epoch {done.epoch}")
    click.echo(
        "before you start the server: put secrets.keys back into the folder, or set", err=True
    )
    click.echo(
        "  LAUNCHYARD_SERVER_SECRETS_KEY; without it every secret must be set anew", err=True
    )
