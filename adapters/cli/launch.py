"""`launch` and `plan`."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

import click

from launchyard.adapters.cli.codes import Code
from launchyard.adapters.cli.errors import CommandError
from launchyard.adapters.cli.follow import follow
from launchyard.adapters.cli.launching import Wanted, launch_of, launch_options
from launchyard.adapters.cli.live import view_for
from launchyard.adapters.cli.output import json_option, print_json, print_line
from launchyard.adapters.cli.reviewing import reviewed
from launchyard.adapters.cli.session import Session, connected, short
from launchyard.adapters.cli.timing import timing_of, timing_options
from launchyard.domain.documents import Json
from launchyard.domain.wire import to_json
from launchyard.ports.operator import Launch

_ASK = "change the launch, or ask whoever runs the agents"
_BEHIND_DASHES = {"ignore_unknown_options": False}


@click.command(context_settings=_BEHIND_DASHES)
@connected(queue=True)
@click.option("-f", "--follow", "following", is_flag=True, help="Stay until the job's end.")
@click.option("--dry-run", is_flag=True, help="Show what would be put on the queue, and stop.")
@timing_options
@click.option("--idempotency-key", default="", help="A repeat with the same key is the same job.")
@json_option
@launch_options
def launch(
    session: Session,
    *,
    following: bool,
    dry_run: bool,
    idempotency_key: str,
    as_json: bool,
    **given: Any,
) -> int:
    """Put a job on a queue: `launchyard launch --dir . -- python train.py`.

    The words after -- are the command; where -e gives the command, they are its arguments.
    With --follow the exit code tells how the job ended; Ctrl-C detaches and leaves it alone.
    """
    timing = timing_of(session, given)
    wanted = _wanted(given, send=not dry_run)
    if dry_run:
        wish = replace(launch_of(session, wanted), timing=timing)
        return _plan(session, wish, as_json=as_json)
    # A key of our own makes a repeat after a lost answer harmless.
    key = idempotency_key or secrets.token_hex(16)
    made = replace(launch_of(session, wanted, key), timing=timing)
    item, new = session.operator.submit(made)
    if as_json:
        print_line({"event": "launched", "new": new, "item": to_json(item)})
    else:
        again = "" if new else " (it was there already)"
        click.echo(f"launched {short(item.id)} on {item.entity}/{item.queue}{again}", err=True)
        if not following:
            click.echo(item.id)
            click.echo(f"  follow it: launchyard logs -f {short(item.id)}", err=True)
    if not following:
        return 0
    return follow(session.operator, item, view_for(session.environment, as_json=as_json))


@click.command(context_settings=_BEHIND_DASHES)
@connected(queue=True)
@timing_options
@json_option
@launch_options
def plan(session: Session, *, as_json: bool, **given: Any) -> int:
    """Show what a launch would put on its queue; takes what `launch` takes, changes nothing."""
    timing = timing_of(session, given)
    wish = replace(launch_of(session, _wanted(given, send=False)), timing=timing)
    return _plan(session, wish, as_json=as_json)


def _wanted(given: dict[str, Any], *, send: bool) -> Wanted:
    wanted = Wanted(**given, send=send)
    sources = (wanted.folder, wanted.git, wanted.image, wanted.job, wanted.config)
    if not any((*sources, wanted.entry_point, wanted.command)):
        raise CommandError(
            "there is nothing to launch",
            "no --dir, --git, --docker-image, --job, --config, and no command after --",
            "`launchyard launch --dir . -- python train.py`",
            code=Code.USAGE,
        )
    return wanted


def _plan(session: Session, wish: Launch, *, as_json: bool) -> int:
    planned = session.operator.plan(wish)
    document = planned if isinstance(planned, dict) else {}
    word = reviewed(session.programs, wish, document)
    if as_json:
        print_json(document)
    else:
        findings = document.pop("findings", None)
        click.echo(session.programs.write_document(document), nl=False)
        for finding in findings if isinstance(findings, list) else []:
            click.echo(f"warning: {_finding(finding)}", err=True)
    if word.rejection is not None:
        raise CommandError("this launch would not run", word.text, _ASK, code=Code.ERROR)
    return 0


def _finding(finding: Json) -> str:
    if not isinstance(finding, dict):
        return str(finding)
    path, hint = finding.get("path"), finding.get("hint")
    line = f"{path}: {finding.get('message')}" if path else str(finding.get("message"))
    return f"{line} ({hint})" if hint else line
