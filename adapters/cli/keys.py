"""`keys create|list|revoke`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.errors import CommandError
from launchyard.adapters.cli.output import ago, json_option, print_json, print_table
from launchyard.adapters.cli.session import Session, connected
from launchyard.domain.rights import Role
from launchyard.domain.wire import to_json
from launchyard.ports.operator import MadeKey, NewKey, Operator


@click.group()
def keys() -> None:
    """Make, list and revoke keys."""


@keys.command()
@connected()
@click.argument("user")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.SUBMITTER.value,
    help="What it may do; submitter.",
)
@click.option("--everywhere", is_flag=True, help="In every entity; for server administrators.")
@click.option("--label", default="", help="What it is for.")
@click.option("--to", "file", metavar="FILE", help="Write it here (0600) instead of printing it.")
@json_option
def create(  # each is one option of the command
    session: Session,
    *,
    user: str,
    role: str,
    everywhere: bool,
    label: str,
    file: str | None,
    as_json: bool,
) -> None:
    """Make a key for USER; it is told this once."""
    entity = "" if everywhere else session.entity
    wish = NewKey(user=user, entity=entity, role=Role(role), label=label)
    if file is None:
        made = session.operator.add_key(wish)
    else:
        with _own_file(Path(file)) as out:
            made = _written(session.operator, wish, out)
    if as_json:
        told = to_json(made.info)
        shown = {"key": made.key} if file is None else {"file": file}
        print_json({**(told if isinstance(told, dict) else {}), **shown})
        return
    click.echo(f"key {made.info.id} for {user}: {role} in {entity or 'every entity'}", err=True)
    click.echo(made.key if file is None else f"written to {file}", err=file is not None)


def _written(operator: Operator, wish: NewKey, out: TextIO) -> MadeKey:
    """Make the key and write it; one that cannot be written is of no use to anybody."""
    made = operator.add_key(wish)
    try:
        out.write(f"{made.key}\n")
        out.flush()
    except OSError:
        operator.revoke_key(made.info.id)
        raise
    return made


@contextmanager
def _own_file(file: Path) -> Iterator[TextIO]:
    """Give a file that nobody else can read; it takes *file*'s place when all went well.

    Raises:
        CommandError: there can be none.
    """
    file = file.expanduser().resolve()
    if file.exists() and not file.is_file():
        raise _unwritable(file, "it is a folder or a device")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    except OSError as error:
        raise _unwritable(file, (error.strerror or "").lower()) from None
    fresh = Path(name)
    try:
        with os.fdopen(handle, "w") as out:
            yield out
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


def _unwritable(file: Path, why: str) -> CommandError:
    remedy = "name another file with --to; no key was made"
    return CommandError(f"{file} cannot be written", why, remedy, code=Code.USAGE)


@keys.command("list")
@connected(entity=False)
@json_option
def list_(session: Session, *, as_json: bool) -> None:
    """List the keys that you may manage, without their texts."""
    found = session.operator.keys()
    if as_json:
        print_json(found)
        return
    rows = [
        (
            key.id,
            key.user,
            key.entity or "(everywhere)",
            key.role,
            "revoked" if key.revoked_ms else "valid",
            key.label,
            ago(key.created_ms),
        )
        for key in found
    ]
    print_table(("ID", "USER", "ENTITY", "ROLE", "STATE", "LABEL", "AGE"), rows, "no keys")


@keys.command()
@connected(entity=False)
@click.argument("key_id")
def revoke(session: Session, *, key_id: str) -> None:
    """End the key KEY_ID: who shows it is refused from now on."""
    session.operator.revoke_key(key_id)
    click.echo(f"{key_id} is revoked")
