"""`secret set|list|remove`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.errors import CommandError
from launchyard.adapters.cli.output import ago, json_option, print_json, print_table
from launchyard.adapters.cli.session import Session, connected


@click.group()
def secret() -> None:
    """Set, list and remove secrets, which jobs get as variables."""


@secret.command("set")
@connected()
@click.argument("name")
@click.argument("misplaced", nargs=-1, metavar="")
@click.option("--from-file", "file", metavar="FILE", help="Take the value from here.")
@click.option("--keep-newline", is_flag=True, help="Keep the line's end at the end of the value.")
@json_option
def set_(
    session: Session,
    *,
    name: str,
    misplaced: Sequence[str],
    file: str | None,
    keep_newline: bool,
    as_json: bool,
) -> None:
    """Keep a value as NAME: from standard input, from a file, or typed unseen.

    Jobs that are taken from a queue from now on get it; what runs keeps what it was given.
    """
    if misplaced:
        raise CommandError(
            "the value may not stand on the command line",
            "everybody on this machine can read it there, and your shell keeps it",
            f"`launchyard secret set {name}` asks for it; consider this value known",
            code=Code.USAGE,
        )
    value = _value(file)
    if not keep_newline:
        value = value.removesuffix("\n").removesuffix("\r")
    kept = session.operator.set_secret(session.entity, name, value)
    if as_json:
        print_json(kept)
        return
    click.echo(f"secret {name} of {session.entity} is kept", err=True)
    click.echo(f"  use it: launchyard launch --secret VARIABLE={name} ...", err=True)


@secret.command("list")
@connected()
@json_option
def list_(session: Session, *, as_json: bool) -> None:
    """List the secrets of a team or person, without their values."""
    found = session.operator.secrets(session.entity)
    if as_json:
        print_json(found)
        return
    rows = [(one.name, one.set_by, ago(one.changed_ms), ago(one.created_ms)) for one in found]
    print_table(("NAME", "SET BY", "CHANGED", "AGE"), rows, "no secrets")


@secret.command()
@connected()
@click.argument("name")
def remove(session: Session, *, name: str) -> None:
    """Remove the secret NAME: jobs that ask for it and have not begun will fail."""
    session.operator.remove_secret(session.entity, name)
    click.echo(f"{name} is removed")


def _value(file: str | None) -> str:
    """Return the value, wherever it comes from."""
    if file is not None:
        return _text(file)
    if sys.stdin.isatty():
        value: str = click.prompt("Value", hide_input=True, err=True)
        return value
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:
        raise _no_text("standard input") from None


def _text(file: str) -> str:
    try:
        with Path(file).expanduser().open(encoding="utf-8", newline="") as lines:
            return lines.read()
    except UnicodeDecodeError:
        raise _no_text(file) from None


def _no_text(where: str) -> CommandError:
    return CommandError(
        f"{where} is no text",
        "a secret becomes a variable, which holds text only",
        "encode it, for instance with base64, and decode it in the job",
        code=Code.USAGE,
    )
