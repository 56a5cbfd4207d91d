"""`outputs`: the files that a job left."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath

import click

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.errors import CommandError
from launchyard.adapters.cli.output import json_option, print_json, print_table, size
from launchyard.adapters.cli.session import Session, connected
from launchyard.ports.operator import Operator, OutputView


@click.command()
@connected(entity=False)
@click.argument("item")
@click.option("--get", "into", metavar="DIR", help="Fetch them into this folder.")
@click.option("--attempt", type=click.IntRange(1), help="An earlier attempt; else the latest.")
@json_option
def outputs(
    session: Session, *, item: str, into: str | None, attempt: int | None, as_json: bool
) -> None:
    """List the files that ITEM left in $LAUNCHYARD_OUTPUT, or fetch them with --get."""
    found = session.item(item)
    files = session.operator.outputs(found, attempt or 0)
    if into is not None:
        for file in files:
            fetch(session.operator, found, file, Path(into), attempt or 0)
    if as_json:
        print_json(files)
        return
    rows = [(size(file.size_b), file.path, file.sha256[:12]) for file in files]
    print_table(("SIZE", "PATH", "SHA256"), rows, "no outputs")


def fetch(operator: Operator, item: str, file: OutputView, into: Path, attempt: int = 0) -> Path:
    """Write one output below *into*, whole or not at all; return where it is.

    Raises:
        CommandError: its path leads elsewhere, or what came is not what was stored.
    """
    path = PurePosixPath(file.path)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise CommandError(f"output {file.path} leads out of {into}", code=Code.ERROR)
    target = into / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(into.resolve()):
        raise CommandError(
            f"output {file.path} leads out of {into}",
            "a link is in the way",
            "choose an empty folder",
            code=Code.ERROR,
        )
    fresh = target.with_name(f".{target.name}.{os.getpid()}.part")
    digest = hashlib.sha256()
    try:
        with fresh.open("wb") as out:
            for piece in operator.read_output(item, file.path, attempt):
                digest.update(piece)
                out.write(piece)
        if digest.hexdigest() != file.sha256:
            raise CommandError(
                f"output {file.path} did not arrive whole",
                "its digest is another",
                "fetch it again",
                code=Code.ERROR,
            )
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
    return target
